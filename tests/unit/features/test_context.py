"""CONTEXT: each value in its place with its mask, and 0 with mask 0 where it is not known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from neopain.domain.census import BedState, Infant
from neopain.domain.identity import BedId, PatientId
from neopain.domain.time import TimeQuality
from neopain.domain.vitals import Baseline, Validity, VitalKind
from neopain.features.context import ContextItems, context_vector
from neopain.features.signature import CONTEXT, CONTEXT_FIELDS
from neopain.features.vitals_grid import vitals_channels

BED = BedId("NICU/1/1")


def context(end: datetime, *batches: Any, baselines: Any = (), bed_state: BedState | None = None) -> dict[str, float]:
    """The known fields by name."""
    items = ContextItems(batches, tuple(baselines), bed_state)
    vector = context_vector(items, vitals_channels(batches, (), end), end)
    assert (vector.shape, vector.dtype) == (CONTEXT.shape, np.float32)
    values, masks = vector[: len(CONTEXT_FIELDS)], vector[len(CONTEXT_FIELDS) :]
    assert not values[masks == 0].any()
    return {field: float(value) for field, value, mask in zip(CONTEXT_FIELDS, values, masks, strict=True) if mask}


def baseline(end: datetime, *, age: float = 30, **medians: float) -> Baseline:
    """A baseline that was computed ``age`` seconds before the end."""
    by_kind = {VitalKind(kind): value for kind, value in medians.items()}
    return Baseline(BED, end - timedelta(seconds=age), 600.0, by_kind)


def test_nothing_is_known_of_an_empty_window(end: datetime) -> None:
    assert context(end) == {}


def test_a_delta_is_the_windows_mean_less_the_baseline(vital: Any, end: datetime) -> None:
    heart = [vital(VitalKind.HEART_RATE, 160.0, age=age) for age in range(31)]
    known = context(end, *heart, baselines=[baseline(end, heart_rate=140.0, spo2=97.0)])
    assert known == {"baseline_heart_rate_delta": 20.0, "source_has_beats": 0.0}


def test_the_newest_baseline_before_the_end_counts(vital: Any, end: datetime) -> None:
    heart = [vital(VitalKind.HEART_RATE, 160.0, age=age) for age in range(31)]
    baselines = [baseline(end, age=age, heart_rate=rate) for age, rate in ((90, 120.0), (30, 140.0), (-1, 150.0))]
    assert context(end, *heart, baselines=baselines)["baseline_heart_rate_delta"] == 20.0


def test_an_old_baseline_is_none(vital: Any, end: datetime) -> None:
    heart = [vital(VitalKind.HEART_RATE, 160.0, age=age) for age in range(31)]
    assert "baseline_heart_rate_delta" not in context(end, *heart, baselines=[baseline(end, age=181, heart_rate=140.0)])


def test_beats_give_their_variability(vital: Any, end: datetime) -> None:
    beats = [vital(VitalKind.RR_INTERVAL, 400.0, age=index * 0.4) for index in range(75)]
    known = context(end, *beats)
    assert known == {"source_has_beats": 1.0, "rmssd_ms": 0.0, "sdnn_ms": 0.0}


def test_averaged_numerics_have_no_variability(vital: Any, end: datetime) -> None:
    heart = [vital(VitalKind.HEART_RATE, 140.0 + age % 2, age=age) for age in range(31)]
    assert context(end, *heart) == {"source_has_beats": 0.0}


def test_the_newest_blood_pressure_comes_with_its_age(vital: Any, end: datetime) -> None:
    pressures = [vital(VitalKind.BLOOD_PRESSURE_MEAN, value, age=age) for value, age in ((45.0, 100), (42.0, 40))]
    known = context(end, *pressures, vital(VitalKind.SPO2, 97.0, age=1))
    assert known == {"blood_pressure_mean": 42.0, "blood_pressure_age_seconds": 40.0, "source_has_beats": 0.0}


def test_a_cuff_without_a_monitor_says_nothing_since_physiology_is_absent(vital: Any, end: datetime) -> None:
    assert context(end, vital(VitalKind.BLOOD_PRESSURE_MEAN, 42.0, age=40)) == {}


def test_a_pressure_of_up_to_an_hour_comes_with_the_baseline(vital: Any, end: datetime) -> None:
    heart = vital(VitalKind.HEART_RATE, 140.0, age=1)
    for age, is_known in ((3000, True), (3601, False)):
        (old,) = vital(VitalKind.BLOOD_PRESSURE_MEAN, 42.0, age=age).samples
        known = context(end, heart, baselines=[Baseline(BED, end - timedelta(seconds=30), 600.0, {}, old)])
        expected = {"blood_pressure_mean": 42.0, "blood_pressure_age_seconds": 3000.0} if is_known else {}
        assert known == {"source_has_beats": 0.0, **expected}


@pytest.mark.parametrize(
    ("value", "options"),
    [
        (42.0, {"age": 3601}),
        (42.0, {"age": -1}),
        (42.0, {"age": 40, "validity": Validity.INVALID}),
        (42.0, {"age": 40, "quality": TimeQuality.UNUSABLE}),
        (500.0, {"age": 40}),
    ],
)
def test_a_blood_pressure_that_may_not_be_used_is_none(
    value: float, options: dict[str, Any], vital: Any, end: datetime
) -> None:
    known = context(end, vital(VitalKind.BLOOD_PRESSURE_MEAN, value, **options), vital(VitalKind.SPO2, 97.0, age=1))
    assert known == {"source_has_beats": 0.0}


def state(**changes: Any) -> BedState:
    """A bed with an infant of 30 weeks, born 14 days before the end."""
    infant = Infant((PatientId("4711"),), gestational_age_days=210, born=datetime(2025, 12, 19, 3, 4, 5, tzinfo=UTC))
    return BedState(**({"bed": BED, "since": infant.born, "infant": infant} | changes))


def test_the_census_gives_both_ages_in_weeks(end: datetime) -> None:
    assert context(end, bed_state=state()) == {"gestational_age_weeks": 30.0, "postmenstrual_age_weeks": 32.0}


def test_without_a_birth_date_there_is_no_postmenstrual_age(end: datetime) -> None:
    infant = Infant((PatientId("4711"),), gestational_age_days=210)
    assert context(end, bed_state=state(infant=infant)) == {"gestational_age_weeks": 30.0}


@pytest.mark.parametrize("changes", [{"infant": None}, {"held_reason": "two infants in one bed"}])
def test_of_an_empty_or_held_bed_no_age_is_known(changes: dict[str, Any], end: datetime) -> None:
    assert context(end, bed_state=state(**changes)) == {}
