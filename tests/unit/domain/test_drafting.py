"""What an entry says beside its number: time above the threshold, doubts, and what withholds the number."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neopain.domain.drafting import draft
from neopain.domain.drugs import DrugMark
from neopain.domain.identity import BedId
from neopain.domain.policy import ChartingPolicy
from neopain.domain.score import Estimate, ModelVersion, Outcome, Score, Weights
from neopain.domain.span import EntryKind, Span
from neopain.domain.threshold import Threshold
from neopain.domain.withholding import Withholding

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
POLICY = ChartingPolicy(threshold=Threshold(5.0, {"<28": 4.0}), gap=timedelta(seconds=5))


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


SPAN = Span(EntryKind.INTERVAL_SUMMARY, NOON, at(60))


def scored(second: float, value: float, *, sedation: float = 0.0, distance: float = 0.0, **more: object) -> Score:
    estimate = Estimate(value, value - 1, value + 1, sedation=sedation, distance=distance)
    model = ModelVersion("m1", Weights.SITE)
    return Score(SPAN_BED, at(second), Outcome.SCORED, model, (), at(second), estimate, **more)  # type: ignore[arg-type]


def abstained(second: float, reason: str = "no-modality-present") -> Score:
    return replace(scored(second, 0), outcome=Outcome.ABSTAINED, estimate=None, reason=reason)


SPAN_BED = BedId("NICU/1/A")


def mark(drug_class: str, basis: str = "administered") -> DrugMark:
    return DrugMark(drug_class, "x", basis, NOON)


def test_a_window_stands_for_the_time_since_the_one_before_it() -> None:
    entry = draft(SPAN, [scored(1, 6), scored(2, 6), scored(4, 7), scored(5, 2)], POLICY)

    assert entry.above == timedelta(seconds=4)


def test_a_window_after_a_long_gap_stands_for_no_more_than_the_gap() -> None:
    assert draft(SPAN, [scored(1, 2), scored(50, 6)], POLICY).above == timedelta(seconds=5)


def test_time_above_is_by_the_threshold_of_the_infants_band() -> None:
    windows = [scored(1, 4.5), scored(2, 4.5)]

    assert draft(SPAN, windows, POLICY).above == timedelta(0)
    assert draft(SPAN, windows, POLICY, band="<28").above == timedelta(seconds=2)
    assert draft(SPAN, windows, POLICY, band="<28").threshold == 4.0


@given(st.dictionaries(st.integers(1, 60), st.sampled_from([None, 2.0, 4.9, 5.0, 9.0]), min_size=1))
def test_time_above_is_that_of_a_count_second_by_second(values: dict[int, float | None]) -> None:
    windows = [abstained(s) if value is None else scored(s, value) for s, value in sorted(values.items())]
    above = sum(
        1
        for second in range(1, 61)
        for own in [min((one for one in values if one >= second), default=None)]
        if own is not None and own - second < 5 and (values[own] or 0) >= 5
    )

    entry = draft(SPAN, windows, POLICY)

    assert entry.above == (timedelta(seconds=above) if entry.value is not None else None)


def test_without_a_number_there_is_no_time_above_either() -> None:
    entry = draft(SPAN, [abstained(1)], POLICY)

    assert (entry.above, entry.sedation, entry.windows_unlike) == (None, None, 0)


def test_sedation_is_the_median_and_windows_unlike_the_training_data_are_counted() -> None:
    windows = [scored(1, 3, sedation=-1, distance=0.5), scored(2, 3, sedation=-3, distance=1.2), scored(3, 3)]

    entry = draft(SPAN, windows, POLICY)

    assert (entry.sedation, entry.windows_unlike) == (-1, 1)


def withheld(windows: list[Score], **more: object) -> tuple[float | None, str]:
    policy = replace(POLICY, withholding=Withholding(**more))  # type: ignore[arg-type]
    entry = draft(SPAN, windows, policy)
    numbers = {entry.value, entry.low, entry.high, entry.peak, entry.above}
    assert len(numbers) == 1 or None not in numbers
    return entry.value, entry.absent_reason


@pytest.mark.parametrize(
    "blocked",
    [
        pytest.param(abstained(2, "neuromuscular-block"), id="scoring abstained for it"),
        pytest.param(scored(2, 1, drugs=(mark("neuromuscular-blocker"),)), id="it is marked on a window"),
    ],
)
def test_one_window_under_neuromuscular_block_withholds_every_number(blocked: Score) -> None:
    assert withheld([scored(1, 6), blocked, scored(3, 6)]) == (None, "neuromuscular-block")


def test_a_block_that_is_only_ordered_withholds_nothing() -> None:
    assert withheld([scored(1, 6, drugs=(mark("neuromuscular-blocker", "ordered"),))]) == (6, "")


@pytest.mark.parametrize(("sedatives", "told"), [(True, (None, "sedative-in-effect")), (False, (6, ""))])
def test_a_sedative_withholds_where_the_site_says_so(sedatives: bool, told: tuple[float | None, str]) -> None:
    assert withheld([scored(1, 6, drugs=(mark("sedative"),))], sedatives=sedatives) == told


@pytest.mark.parametrize(
    ("axis", "told"),
    [
        ([-5, -5, -4], (None, "deep-sedation")),
        ([-9, -4.9, -4.9], (6, "")),
        ([-9, -9, 0], (None, "deep-sedation")),
    ],
)
def test_deep_sedation_withholds_by_the_median_of_the_axis(axis: list[float], told: tuple[float | None, str]) -> None:
    windows = [scored(place, 6, sedation=one) for place, one in enumerate(axis, start=1)]

    assert withheld(windows) == told
    assert withheld(windows, sedation_at_most=None) == (6, "")


def test_what_is_withheld_still_tells_how_many_windows_had_a_number_and_the_sedation() -> None:
    entry = draft(SPAN, [scored(1, 6, sedation=-8), abstained(2)], POLICY)

    assert (entry.windows, entry.windows_scored, entry.sedation, entry.peak) == (2, 1, -8, None)
