"""The newest score of each bed, and which slots a score leaves to be summed up; in the transaction that takes it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, or_
from sqlalchemy.dialects.postgresql import insert

from neopain.charting.entries import DRAFT
from neopain.charting.processing import least_of, why_not_for_this_ehr
from neopain.charting.tables import AGGREGATE_SLOTS, LIVE_SCORES, MOMENT
from neopain.domain.aggregate import live_draft, slot_of
from neopain.domain.assignment import Assignment
from neopain.domain.gestation import ga_band
from neopain.domain.pacing import AHEAD
from neopain.domain.policy import ChartingPolicy
from neopain.domain.score import Score
from neopain.domain.vitals import Processing

# A row that is there is written to, so that whoever sums the slot up waits for this score or leaves it the mark.
MARK = insert(AGGREGATE_SLOTS).on_conflict_do_update(
    index_elements=["bed", "begins"], set_={"windows": AGGREGATE_SLOTS.c.windows + 1}
)
_NEWEST = insert(LIVE_SCORES)
WRITE = _NEWEST.on_conflict_do_update(
    index_elements=["bed"],
    set_={column.name: _NEWEST.excluded[column.name] for column in LIVE_SCORES.c if column.name != "bed"},
    where=or_(
        LIVE_SCORES.c.window_end < _NEWEST.excluded.window_end,
        LIVE_SCORES.c.window_end > bindparam("ahead_from", type_=MOMENT),
    ),
)


def mark_slot(connection: Connection, score: Score) -> None:
    """Says that the score's slot is to be summed up, once more where it has been."""
    connection.execute(MARK, {"bed": score.bed, "begins": slot_of(score.window_end), "windows": 1})


def write_live(
    connection: Connection,
    score: Score,
    policy: ChartingPolicy,
    whose: Assignment,
    *,
    now: datetime,
    is_test_ehr: bool,
) -> None:
    """Makes the score the bed's newest, unless a newer window is there that is not of a clock that was ahead."""
    values = {
        "bed": score.bed,
        "window_end": score.window_end,
        **told_columns(score, policy, whose, is_test_ehr=is_test_ehr),
        "taken": now,
        "ahead_from": max(now, score.window_end) + AHEAD,
        "in_study": policy.study.enabled,
    }
    connection.execute(WRITE, values)


def told_columns(
    score: Score, policy: ChartingPolicy, whose: Assignment, *, is_test_ehr: bool
) -> dict[str, str | dict[str, Any] | None]:
    """Whose a newest score is, and what is told of it."""
    told = live_draft(score, policy, band=ga_band(whose.gestational_age_days))
    told = replace(told, processing=least_of(told.processing, whose.processing))
    return {
        **whose_columns(whose, told.processing, is_test_ehr=is_test_ehr),
        "draft": DRAFT.dump_python(told, mode="json"),
    }


def whose_columns(whose: Assignment, processing: Processing, *, is_test_ehr: bool) -> dict[str, str | None]:
    """Whose a row is; without an infant, why. Test input is nobody's, except beside an EHR of ours."""
    held_reason = whose.held_reason or why_not_for_this_ehr(processing, is_test_ehr=is_test_ehr)
    patient = None if held_reason else whose.patient
    return {
        "patient_authority": patient.assigning_authority if patient else None,
        "patient_value": patient.value if patient else None,
        "patient_type": patient.type_code if patient else None,
        "visit": whose.visit if patient else "",
        "held_reason": held_reason,
    }
