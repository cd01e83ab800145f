"""Suggestions against nurses: which pairs count, and what is told of each unit and month."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from neopain.bootstrap import agreement
from neopain.bootstrap.agreement import Agreement, Interval
from neopain.charting.agreement import ReviewedEntry
from neopain.domain.identity import BedId
from neopain.domain.review import ReviewAct

NOON = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
ACCEPT, REJECT, CHANGE = ReviewAct.ACCEPT, ReviewAct.REJECT, ReviewAct.CHANGE


def agreements(ones: list[ReviewedEntry]) -> list[Agreement]:
    """With intervals of a few resamples only: they are not what is looked at."""
    return list(agreement.agreements(ones, resamples=20))


def reviewed(
    act: ReviewAct,
    suggested: float | None,
    nips: int | None = None,
    *,
    infant: str = "a",
    bed: str = "NICU/1/1@EAST",
    moment: datetime = NOON,
) -> ReviewedEntry:
    return ReviewedEntry(BedId(bed), infant, moment, act, suggested, nips)


def test_a_rejection_and_what_has_no_number_are_counted_and_are_no_pairs() -> None:
    ones = [reviewed(REJECT, 9.0), reviewed(ACCEPT, None), reviewed(CHANGE, None, 3), reviewed(CHANGE, 4.0, None)]

    (_, total) = agreements(ones)

    assert (total.reviewed, total.accepted, total.rejected, total.changed, total.pairs) == (4, 1, 1, 2, 0)
    assert (total.kappa, total.icc) == (Interval(None, None, None), Interval(None, None, None))
    assert total.mean_absolute_difference is None


def test_both_are_in_whole_points_of_nips_halves_up() -> None:
    # 5.0 of 10 is NIPS 3.5, told as 4; the nurse has 6.
    (_, total) = agreements([reviewed(CHANGE, 5.0, 6), reviewed(ACCEPT, 5.0)])

    assert (total.pairs, total.mean_absolute_difference, total.difference_changed) == (2, 1.0, 2.0)


def test_nurses_who_change_nothing_agree_and_who_turn_it_round_do_not() -> None:
    values = [0.0, 2.86, 5.71, 10.0]
    same = [reviewed(ACCEPT, value, infant=str(place)) for place, value in enumerate(values)]
    turned = [reviewed(CHANGE, value, 7 - round(value * 0.7), infant=str(place)) for place, value in enumerate(values)]

    (_, agreed), (_, opposed) = agreements(same), agreements(turned)

    assert (agreed.kappa.value, agreed.icc.value) == (1.0, 1.0)
    assert opposed.kappa.value == pytest.approx(-0.9, abs=0.15)
    assert opposed.icc.value is not None
    assert opposed.icc.value < 0


def test_the_figures_are_those_worked_out_by_hand() -> None:
    # NIPS pairs (ours, nurse): (0, 0), (2, 3), (4, 4), (7, 6).
    pairs = [(0.0, 0), (2.857, 3), (5.714, 4), (10.0, 6)]
    ones = [reviewed(CHANGE, value, nips, infant=str(place)) for place, (value, nips) in enumerate(pairs)]

    (_, total) = agreements(ones)

    # Quadratic kappa: 1 - mean squared difference 0.5 / mean of all crossings 182 / 16.
    assert total.kappa.value == pytest.approx(1 - 0.5 / 11.375, abs=1e-4)
    # Mean squares: targets 44.5 / 3, raters 0, residual 1 / 3.
    # (MSR - MSE) / (MSR + MSE + 2 (MSC - MSE) / 4) = 14.5 / 15.
    assert total.icc.value == pytest.approx(14.5 / 15, abs=1e-4)


def test_units_and_months_are_told_apart_and_together() -> None:
    november = datetime(2026, 11, 1, 0, 30, tzinfo=UTC)
    ones = [
        reviewed(ACCEPT, 2.0),
        reviewed(ACCEPT, 2.0, bed="STEP/1/1"),
        reviewed(REJECT, 2.0, moment=november),
    ]

    told = [(one.unit, one.month, one.reviewed) for one in agreements(ones)]

    assert told == [("NICU@EAST", "2026-10", 1), ("NICU@EAST", "2026-11", 1), ("STEP", "2026-10", 1), ("all", "all", 3)]
