"""Procedures: which get an entry, and how long the score takes to come back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from neopain.domain.identity import BedId
from neopain.domain.procedure import Procedure, recovery_of, refusal_of
from neopain.domain.score import Estimate, ModelVersion, Outcome, Score, Weights

NOON = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
BED = BedId("NICU/1/A")


def window(second: float, value: float | None) -> Score:
    end = NOON + timedelta(seconds=second)
    outcome = Outcome.ABSTAINED if value is None else Outcome.SCORED
    estimate = None if value is None else Estimate(value, value, value)
    return Score(BED, end, outcome, ModelVersion("m", Weights.SITE), (), produced=end, estimate=estimate)


def recovery(*values: float | None, gap: float = 5) -> float | None:
    """After a procedure that ended at noon: a value each second, back at 3 or below for three seconds."""
    windows = [window(second, value) for second, value in enumerate(values, 1)]
    hold, longest = timedelta(seconds=3), timedelta(seconds=gap)
    found = recovery_of(windows, end=NOON, back_at=3.0, hold=hold, gap=longest)
    return None if found is None else found.total_seconds()


def test_it_is_back_when_it_stays_back_for_the_hold_time() -> None:
    assert recovery(6, 2, 6, 3, 2, 2, 3) == 4


def test_what_does_not_stay_long_enough_is_no_recovery() -> None:
    assert recovery(6, 2, 2, 2) is None
    assert recovery(6, 6, 6, 6, 6, 6) is None


def test_a_window_without_a_number_proves_nothing_and_a_gap_begins_anew() -> None:
    assert recovery(2, None, 2, 2) == 1
    assert recovery(2, None, None, None, 2, 2, 2, 2, gap=2) == 5


def test_what_was_before_its_end_counts_for_nothing() -> None:
    windows = [window(second, 2) for second in (-3, -2, -1, 0)]
    assert recovery_of(windows, end=NOON, back_at=3, hold=timedelta(seconds=3), gap=timedelta(seconds=5)) is None


@pytest.mark.parametrize(
    ("begin", "end", "words"),
    [
        (-10, -10, "ends before it begins"),
        (-10, 1, "before it has ended"),
        (-60, -10, "longer than 45 min"),
        (-50, -31, "longer than 30 min ago"),
        (-20, -10, ""),
    ],
)
def test_which_procedures_get_an_entry(begin: float, end: float, words: str) -> None:
    procedure = Procedure(BED, NOON + timedelta(minutes=begin), NOON + timedelta(minutes=end), "heel lance")
    refusal = refusal_of(procedure, now=NOON)
    assert words in refusal
    assert bool(refusal) == bool(words)
