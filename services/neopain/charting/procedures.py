"""Procedures that are documented, and the entry that each gets once the minutes after it are over.

Documenting one is a row and an audit row; the consumer writes the entry when it is due, not nearer to another than the
policy's least distance. Row, entry, outbox and audit are one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from neopain.charting.audit.chain import AuditEvent, Value
from neopain.charting.census import history_of
from neopain.charting.courses import locked_course, save_course
from neopain.charting.entries import EntryState
from neopain.charting.intake import Drafted, Intake, drafted, is_of_study, windows_of, write_entry
from neopain.charting.tables import COURSES, PROCEDURES
from neopain.charting.unit_of_work import UnitOfWork, unit_of_work
from neopain.domain.assignment import Assignment, CensusFact, assign
from neopain.domain.drafting import draft
from neopain.domain.gestation import ga_band
from neopain.domain.identity import BedId, PatientId
from neopain.domain.policy import ChartingPolicy
from neopain.domain.procedure import Procedure, ProcedureCourse, recovery_of, refusal_of
from neopain.domain.score import Score
from neopain.domain.window import VITALS_SPAN

ACTOR = "charting consumer"
MOST = 100
"""Looked at in one round."""


class ProcedureState(Enum):
    """What has become of a procedure that was documented."""

    WAITING = "waiting"
    CHARTED = "charted"
    """Its entry is written: charted, held, or kept for a study."""
    NOT_CHARTED = "not-charted"
    """There is no entry of it, and why."""


@dataclass(frozen=True, slots=True)
class Documented:
    """A procedure, of whom if that was said, who documents it; ``asked`` is what the audit says of the request."""

    procedure: Procedure
    by: str
    patient: PatientId | None = None
    asked: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """The procedure's id, and whether it is new; ``refusal`` says why nothing was written, if so."""

    id: str = ""
    is_new: bool = False
    refusal: str = ""


def document(unit: UnitOfWork, told: Documented, policy: ChartingPolicy, *, now: datetime) -> Answer:
    """Notes a procedure, to be charted when it is due; the same one again changes nothing."""
    procedure = told.procedure
    if (refusal := refusal_of(procedure, now=now)) != "":
        return Answer(refusal=refusal)
    known = select(COURSES.c.bed).where(COURSES.c.bed == procedure.bed)
    if unit.connection.scalar(known) is None:
        return Answer(refusal="this bed was never scored")
    is_there = select(PROCEDURES.c.procedure_id).where(PROCEDURES.c.procedure_id == procedure.id)
    if unit.connection.scalar(is_there) is not None:
        return Answer(procedure.id)
    patient = told.patient
    unit.connection.execute(
        insert(PROCEDURES).values(
            procedure_id=procedure.id,
            bed=procedure.bed,
            begins=procedure.begin,
            ends=procedure.end,
            what=procedure.what,
            system=procedure.system,
            code=procedure.code,
            patient_authority=patient.assigning_authority if patient else None,
            patient_value=patient.value if patient else None,
            patient_type=patient.type_code if patient else None,
            made_by=told.by,
            moment=now,
            due=procedure.end + policy.procedure.after + policy.lateness,
            state=ProcedureState.WAITING.value,
        )
    )
    unit.audit(_audited("procedure_documented", procedure, patient, actor=told.by, told=told.asked))
    return Answer(procedure.id, is_new=True)


def chart_due_procedures(intake: Intake, *, now: datetime) -> int:
    """Writes the entries of procedures that are due; returns how many go to the EHR. ``DatabaseUnavailable``."""
    with unit_of_work(intake.engine, intake.clock) as unit:
        due = select(PROCEDURES.c.procedure_id).where(
            PROCEDURES.c.state == ProcedureState.WAITING.value, PROCEDURES.c.due <= now
        )
        ids = list(unit.connection.scalars(due.order_by(PROCEDURES.c.due, PROCEDURES.c.procedure_id).limit(MOST)))
    return sum(_chart(intake, one, now=now) for one in ids)


def _chart(intake: Intake, procedure_id: str, *, now: datetime) -> bool:
    with unit_of_work(intake.engine, intake.clock) as unit:
        query = select(PROCEDURES).where(PROCEDURES.c.procedure_id == procedure_id)
        row = unit.connection.execute(query).one()
        procedure = Procedure(BedId(row.bed), row.begins, row.ends, row.what, row.system, row.code)
        policy = intake.policies.of(procedure.bed)
        course = locked_course(unit.connection, procedure.bed)
        # Another consumer may have charted it before the bed was locked.
        row = unit.connection.execute(query.with_for_update()).one()
        written_at = course.queue.entry_at
        is_too_soon = written_at is not None and now - written_at < policy.distance
        if row.state != ProcedureState.WAITING.value or is_too_soon:
            return False
        found = _drafted(intake, unit.connection, procedure, policy, _patient(row))
        if isinstance(found, str):
            _settle(unit, procedure, _patient(row), ProcedureState.NOT_CHARTED, reason=found)
            return False
        save_course(unit.connection, replace(course, queue=replace(course.queue, entry_at=now)))
        entry = write_entry(intake, unit, found)
        reason = "" if entry is not None else "these windows are charted already"
        state = ProcedureState.CHARTED if entry is not None else ProcedureState.NOT_CHARTED
        _settle(unit, procedure, _patient(row), state, entry_id=entry.id if entry is not None else None, reason=reason)
        return entry is not None and entry.state is EntryState.CHARTED


def _patient(row: Row[Any]) -> PatientId | None:
    if row.patient_value is None:
        return None
    return PatientId(row.patient_value, row.patient_authority or "", row.patient_type)


def _drafted(
    intake: Intake, connection: Connection, procedure: Procedure, policy: ChartingPolicy, patient: PatientId | None
) -> Drafted | str:
    """The entry of a procedure, or why there is none."""
    span = procedure.span(policy.procedure)
    windows = windows_of(connection, procedure.bed, span)
    if not windows:
        return "no window of this bed from its begin on"
    before = windows_of(connection, procedure.bed, procedure.span_before(policy.procedure))
    history = history_of(connection, procedure.bed, since=[*before, *windows][0].window_end - VITALS_SPAN)
    (found,) = drafted(intake, span, windows, history)
    if patient is not None and found.whose.patient is not None and not found.whose.is_about(patient):
        return "by the census another infant lay in the bed"
    told = _course(procedure, policy, found.whose, before=before, windows=windows, history=history)
    if found.draft.value is None:
        told = replace(told, baseline=None, recovery=None)
    in_study = is_of_study(connection, procedure.bed, span)
    return replace(found, draft=replace(found.draft, procedure=told), basis=replace(found.basis, in_study=in_study))


def _course(
    procedure: Procedure,
    policy: ChartingPolicy,
    whose: Assignment,
    *,
    before: Sequence[Score],
    windows: Sequence[Score],
    history: Sequence[CensusFact],
) -> ProcedureCourse:
    """Baseline and recovery; windows before that are not clearly the same infant's count for nothing."""
    own = [one for one in before if assign(history, one.window_end, one.patients).key == whose.key and whose.patient]
    baseline = None
    if own:
        span = procedure.span_before(policy.procedure)
        baseline = draft(span, own, policy, band=ga_band(whose.gestational_age_days)).value
    recovery = None
    if baseline is not None:
        recovery = recovery_of(
            windows, end=procedure.end, back_at=baseline + policy.hysteresis, hold=policy.hold, gap=policy.gap
        )
    return ProcedureCourse(
        procedure.what, procedure.system, procedure.code, procedure.begin, procedure.end, baseline, recovery
    )


def _settle(
    unit: UnitOfWork,
    procedure: Procedure,
    patient: PatientId | None,
    state: ProcedureState,
    *,
    entry_id: str | None = None,
    reason: str,
) -> None:
    unit.connection.execute(
        update(PROCEDURES)
        .where(PROCEDURES.c.procedure_id == procedure.id)
        .values(state=state.value, entry_id=entry_id, reason=reason)
    )
    if state is ProcedureState.NOT_CHARTED:
        event = _audited("procedure_not_charted", procedure, patient, actor=ACTOR, told={"refusal": reason})
        unit.audit(event)


def _audited(
    event: str, procedure: Procedure, patient: PatientId | None, *, actor: str, told: Mapping[str, Value]
) -> AuditEvent:
    return AuditEvent(
        event=event,
        actor=actor,
        patient=f"{patient.assigning_authority}|{patient.value}" if patient is not None else "",
        detail={
            "procedure": procedure.id,
            "bed": procedure.bed,
            "begin": procedure.begin.isoformat(),
            "end": procedure.end.isoformat(),
            "what": procedure.what,
            "system": procedure.system,
            "code": procedure.code,
            **told,
        },
    )
