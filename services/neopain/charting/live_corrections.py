"""The newest score of a bed held to a fact of its census: it says of nobody what was not clearly about that infant.

While the bed is silent no newer window replaces it. A number that is told to have been another infant's (A45, A47)
would make it that infant's once it lies in this bed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from neopain.charting.audit.chain import AuditEvent
from neopain.charting.census import AddedFact, history_of
from neopain.charting.entries import DRAFT
from neopain.charting.intake import ACTOR, Intake
from neopain.charting.live import told_columns, whose_columns
from neopain.charting.tables import LIVE_SCORES, WINDOWS
from neopain.charting.unit_of_work import UnitOfWork
from neopain.codecs.fhir.ids import key_of
from neopain.domain.assignment import Assignment, assign
from neopain.domain.census import BedState, is_one_identifier
from neopain.domain.correction import NOT_KEPT
from neopain.domain.departed import numbers_taken_back
from neopain.domain.identity import BedId, PatientId
from neopain.domain.score import ModelVersion, Score, score_id
from neopain.domain.vitals import Processing
from neopain.domain.window import VITALS_SPAN
from neopain.wire.score import decode_score

CORRECTED = "newest_score_corrected"


def correct_live(intake: Intake, unit: UnitOfWork, added: AddedFact) -> None:
    """Gives the bed's newest score to whose it is by the history with the new fact, or to nobody, where it was an
    infant's whose it is not. A merge (A40) leaves it as it is: it is the same infant's."""
    state = added.fact.state
    newest = LIVE_SCORES.c
    row = unit.connection.execute(
        select(LIVE_SCORES).where(newest.bed == state.bed, newest.patient_value.is_not(None))
    ).one_or_none()
    if row is None:
        return
    was = PatientId(row.patient_value, row.patient_authority or "", row.patient_type)
    score = _window(unit.connection, row)
    history = history_of(unit.connection, state.bed, since=row.window_end - VITALS_SPAN)
    whose = assign(history, row.window_end, score.patients if score is not None else ())
    if whose.is_about(was):
        return
    unit.connection.execute(update(LIVE_SCORES).where(newest.bed == state.bed).values(_columns(intake, score, whose)))
    if any(is_one_identifier(was, one) for told in added.told[-1:] for one in numbers_taken_back(told.state, state)):
        unit.audit(_audited(state, was, whose, row.window_end))


def _window(connection: Connection, row: Row[Any]) -> Score | None:
    """The score that the row tells, while its window is kept."""
    told = DRAFT.validate_python(row.draft)
    own_id = score_id(BedId(row.bed), row.window_end, ModelVersion(told.model, told.weights))
    payload = connection.scalar(select(WINDOWS.c.score).where(WINDOWS.c.score_id == own_id))
    return None if payload is None else decode_score(payload)


def _columns(intake: Intake, score: Score | None, whose: Assignment) -> dict[str, object]:
    is_test_ehr = intake.takes_test_input
    if score is not None:
        return dict(told_columns(score, intake.policies.of(score.bed), whose, is_test_ehr=is_test_ehr))
    # Whom its sources named is not known: it can become nobody else's.
    nobody = replace(whose, patient=None, held_reason=whose.held_reason or NOT_KEPT)
    return dict(whose_columns(nobody, Processing.PRODUCTION, is_test_ehr=is_test_ehr))


def _audited(state: BedState, was: PatientId, whose: Assignment, window_end: datetime) -> AuditEvent:
    return AuditEvent(
        event=CORRECTED,
        actor=ACTOR,
        infants=tuple(one for one in (key_of(was), whose.key) if one),
        detail={
            "bed": state.bed,
            "window_end": window_end.isoformat(),
            "told_by": state.source,
            "control_id": state.control_id,
            "patients": key_of(was),
            "instead_of": whose.key or "nobody",
            "held_reason": whose.held_reason,
        },
    )
