"""Aggregates of a bed held to its newest fact of the census: a fact is told later than what it tells.

What was said of an infant that was not clearly there is taken from it: it is the bed's alone then, as it is where this
was known at once, and nobody is given it. What was said of a number that was never the infant's (A45, A47) is that of
the infant that lay there, and the audit trail says so: it may have been read as another's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, any_, cast, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from neopain.charting.aggregates import DETAIL, slot_owner, wait_until_mine
from neopain.charting.audit.chain import AuditEvent
from neopain.charting.census import history_of, last_states
from neopain.charting.corrections import ACTOR
from neopain.charting.intake import Intake
from neopain.charting.live import whose_columns
from neopain.charting.processing import least_of
from neopain.charting.tables import AGGREGATES, MOMENT
from neopain.charting.unit_of_work import unit_of_work
from neopain.codecs.fhir.ids import key_of
from neopain.domain.aggregate import SLOT
from neopain.domain.assignment import CHANGED, Assignment
from neopain.domain.census import BedState, is_one_identifier
from neopain.domain.correction import timeline
from neopain.domain.departed import numbers_taken_back
from neopain.domain.identity import BedId, PatientId
from neopain.domain.vitals import Processing
from neopain.domain.window import VITALS_SPAN

CORRECTED = "aggregates_corrected"


@dataclass(frozen=True, slots=True)
class _Correction:
    """What becomes of an aggregate of ``was``, which may never have been the infant's number; ``whose`` has no patient
    where nobody gets it."""

    was: PatientId
    was_never: bool
    whose: Assignment
    processing: Processing


def is_mere_news(previous: BedState | None, state: BedState) -> bool:
    """Whether the state, told after the other, takes nothing from anybody: the same infant lies there since then."""
    return previous is not None and previous.since == state.since and not numbers_taken_back(previous, state)


def correct_aggregates(intake: Intake, bed: BedId, *, now: datetime) -> int:
    """Takes from an infant what is not its own by the newest fact of the bed; returns how many aggregates that were.

    ``DatabaseUnavailable``: nothing was changed, try again.
    """
    with unit_of_work(intake.engine, intake.clock) as unit:
        connection = unit.connection
        state, previous = last_states(connection, bed)
        if state is None or is_mere_news(previous, state):
            return 0
        wrong = numbers_taken_back(previous, state) if previous is not None else frozenset()
        has_changed = previous is None or previous.since != state.since
        # Whoever sums up now may not know the fact.
        wait_until_mine(connection)
        found: dict[_Correction, dict[str, list[datetime]]] = defaultdict(lambda: defaultdict(list))
        for correction, kind, begins in _corrections(connection, state, wrong, has_changed=has_changed):
            found[correction][kind].append(begins)
        for correction, slots in found.items():
            _write(connection, intake, bed, correction, slots, now=now)
            if correction.was_never:
                unit.audit(_audited(state, correction, slots))
        return sum(len(begins) for slots in found.values() for begins in slots.values())


def _corrections(
    connection: Connection, state: BedState, wrong: Collection[PatientId], *, has_changed: bool
) -> Iterator[tuple[_Correction, str, datetime]]:
    """What is to be corrected, with its kind and its slot."""
    old = AGGREGATES.c
    is_meant: ColumnElement[bool] = old.patient_value.in_({one.value for one in wrong})
    if has_changed:
        is_meant = or_(is_meant, old.begins > state.since - SLOT)
    rows = connection.execute(
        select(AGGREGATES).where(old.bed == state.bed, old.patient_value.is_not(None), is_meant)
    ).all()
    if not rows:
        return
    first = min(row.begins for row in rows)
    times = timeline(history_of(connection, state.bed, since=first - VITALS_SPAN))
    owners: dict[object, Assignment] = {}
    for row in rows:
        detail = DETAIL.validate_python(row.detail)
        key = (times.begin_of(row.begins + SLOT / 10), times.begin_of(row.begins + SLOT), detail.named)
        whose = owners.get(key) or owners.setdefault(key, slot_owner(times.history, row.begins, detail.named))
        was = PatientId(row.patient_value, row.patient_authority or "", row.patient_type)
        if not whose.is_about(was):
            was_never = any(is_one_identifier(was, one) for one in wrong)
            given = whose if was_never else replace(whose, patient=None, visit="")
            processing = least_of(detail.processing, whose.processing)
            yield _Correction(was, was_never, given, processing), row.kind, row.begins


def _write(
    connection: Connection,
    intake: Intake,
    bed: BedId,
    correction: _Correction,
    slots: dict[str, list[datetime]],
    *,
    now: datetime,
) -> None:
    columns = whose_columns(correction.whose, correction.processing, is_test_ehr=intake.takes_test_input)
    if correction.whose.patient is None:
        columns["held_reason"] = correction.whose.held_reason or CHANGED
    old = AGGREGATES.c
    for kind, begins in slots.items():
        here = (old.bed == bed, old.kind == kind, old.begins == any_(cast(begins, ARRAY(MOMENT))))
        connection.execute(update(AGGREGATES).where(*here).values(**columns, version=old.version + 1, written=now))


def _audited(state: BedState, correction: _Correction, slots: dict[str, list[datetime]]) -> AuditEvent:
    begins = [one for each in slots.values() for one in each]
    was, instead = key_of(correction.was), correction.whose.key
    return AuditEvent(
        event=CORRECTED,
        actor=ACTOR,
        infants=tuple(one for one in (was, instead) if one),
        detail={
            "bed": state.bed,
            "aggregates": len(begins),
            "begin": min(begins).isoformat(),
            "end": (max(begins) + SLOT).isoformat(),
            "told_by": state.source,
            "control_id": state.control_id,
            "patients": was,
            "instead_of": instead or "nobody",
            "held_reason": correction.whose.held_reason,
        },
    )
