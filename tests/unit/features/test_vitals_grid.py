"""VITALS: what is held how long, and what may not be read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pytest

from neopain.domain.time import TimeQuality
from neopain.domain.vitals import Validity, VitalKind
from neopain.features.vitals_grid import GRID_SECONDS, stack, vitals_channels

HEART_RATE, SPO2, RR = VitalKind.HEART_RATE, VitalKind.SPO2, VitalKind.RR_INTERVAL


def held_from(mask: Any) -> list[float]:
    """The grid's times, in seconds before the end, at which the channel may be read."""
    return [-float(one) for one in GRID_SECONDS[mask]]


def test_the_grid_is_four_a_second_and_ends_at_the_end() -> None:
    assert (GRID_SECONDS[0], GRID_SECONDS[1], GRID_SECONDS[-1], len(GRID_SECONDS)) == (-29.75, -29.5, 0.0, 120)


def test_a_source_of_one_value_a_second_fills_its_channel(vital: Any, end: datetime) -> None:
    channel = vitals_channels([vital(HEART_RATE, 140.0, age=age) for age in range(40)], [], end)["heart_rate"]
    assert channel.mask.all()
    assert (channel.values == 140.0).all()


def test_each_place_holds_the_newest_value_before_it(vital: Any, end: datetime) -> None:
    batches = [vital(HEART_RATE, 100.0 + age, age=age) for age in (0, 1, 2)]
    assert vitals_channels(batches, [], end)["heart_rate"].values[-9:].tolist() == [
        102.0, 102.0, 102.0, 102.0, 101.0, 101.0, 101.0, 101.0, 100.0,
    ]  # fmt: skip


def test_a_value_is_held_for_one_and_a_half_intervals(vital: Any, end: datetime) -> None:
    batches = [vital(HEART_RATE, 140.0, age=age) for age in (14, 12, 10)]
    mask = vitals_channels(batches, [], end)["heart_rate"].mask
    assert (max(held_from(mask)), min(held_from(mask))) == (14.0, 7.0)


def test_a_gap_longer_than_the_hold_masks_the_channel(vital: Any, end: datetime) -> None:
    batches = [vital(HEART_RATE, 140.0, age=age) for age in (*range(20, 32), *range(10))]
    mask = vitals_channels(batches, [], end)["heart_rate"].mask
    assert [age for age in np.arange(0, 30, 0.25) if age not in held_from(mask)] == list(np.arange(9.25, 18.5, 0.25))


def test_one_value_a_minute_is_held_for_ninety_seconds(vital: Any, end: datetime) -> None:
    channel = vitals_channels([vital(SPO2, 97.0, age=age) for age in (149, 89)], [], end)["spo2"]
    assert channel.mask.all()


def test_one_value_a_minute_that_stopped_empties_the_channel(vital: Any, end: datetime) -> None:
    mask = vitals_channels([vital(SPO2, 97.0, age=age) for age in (170, 110)], [], end)["spo2"].mask
    assert (max(held_from(mask)), min(held_from(mask))) == (29.75, 20.0)


def test_no_value_is_held_for_longer_than_ninety_seconds(vital: Any, end: datetime) -> None:
    mask = vitals_channels([vital(SPO2, 97.0, age=age) for age in (194, 100)], [], end)["spo2"].mask
    assert min(held_from(mask)) == 10.0


def test_a_single_value_is_held_for_five_seconds(vital: Any, end: datetime) -> None:
    mask = vitals_channels([vital(HEART_RATE, 140.0, age=20)], [], end)["heart_rate"].mask
    assert (max(held_from(mask)), min(held_from(mask))) == (20.0, 15.0)


@pytest.mark.parametrize(
    ("kind", "value"), [(HEART_RATE, 49.9), (HEART_RATE, 251.0), (SPO2, 0.0), (RR, 239.0), (HEART_RATE, float("nan"))]
)
def test_a_value_that_cannot_be_a_newborns_is_masked(kind: VitalKind, value: float, vital: Any, end: datetime) -> None:
    channel = vitals_channels([vital(kind, value, age=age) for age in range(30)], [], end)[kind.value]
    assert not channel.mask.any()
    assert not channel.values.any()


def test_an_invalid_value_is_masked(vital: Any, end: datetime) -> None:
    batches = [vital(HEART_RATE, 140.0, age=age, validity=Validity.INVALID) for age in range(30)]
    assert not vitals_channels(batches, [], end)["heart_rate"].mask.any()


def test_a_questionable_value_is_used(vital: Any, end: datetime) -> None:
    batches = [vital(HEART_RATE, 140.0, age=age, validity=Validity.QUESTIONABLE) for age in range(31)]
    assert vitals_channels(batches, [], end)["heart_rate"].mask.all()


def test_an_invalid_value_ends_the_hold_of_the_one_before(vital: Any, end: datetime) -> None:
    batches = [vital(HEART_RATE, 140.0, age=age) for age in (3, 2, 0)]
    batches.append(vital(HEART_RATE, 140.0, age=1, validity=Validity.INVALID))
    mask = vitals_channels(batches, [], end)["heart_rate"].mask
    assert held_from(mask) == [3.0, 2.75, 2.5, 2.25, 2.0, 1.75, 1.5, 1.25, 0.0]


def test_a_source_whose_clock_is_unusable_is_left_out(vital: Any, end: datetime) -> None:
    batches = [vital(HEART_RATE, 140.0, age=age, quality=TimeQuality.UNUSABLE) for age in range(30)]
    channel = vitals_channels(batches, [], end)["heart_rate"]
    assert not channel.mask.any()
    assert (channel.heard.items, channel.heard.clock_unusable) == (30, 30)


def test_two_sources_of_one_kind_are_not_mixed(vital: Any, end: datetime) -> None:
    whole = [vital(HEART_RATE, 140.0, age=age, source="b") for age in range(31)]
    partial = [vital(HEART_RATE, 90.0, age=age, source="a") for age in range(10)]
    assert set(vitals_channels([*partial, *whole], [], end)["heart_rate"].values) == {140.0}


def test_the_interval_of_each_source_is_its_own(vital: Any, end: datetime) -> None:
    slow = [vital(SPO2, 97.0, age=age, source="slow") for age in (75, 15)]
    fast = [vital(SPO2, 90.0, age=age, source="fast") for age in (20.5, 20, 19.5)]
    assert vitals_channels([*slow, *fast], [], end)["spo2"].mask.all()


def test_rr_intervals_do_not_come_from_heart_rates(vital: Any, end: datetime) -> None:
    channels = vitals_channels([vital(HEART_RATE, 140.0, age=age) for age in range(30)], [], end)
    assert not channels["rr_interval"].mask.any()


def test_movement_comes_from_the_camera(movement: Any, end: datetime) -> None:
    channel = vitals_channels([], [movement(0.5, age=index / 4) for index in range(120)], end)["movement"]
    assert channel.mask.all()
    assert (channel.values == 0.5).all()


def test_what_lies_after_the_end_changes_nothing(vital: Any, end: datetime) -> None:
    batches = [vital(HEART_RATE, 140.0, age=age) for age in range(30)]
    later = vital(HEART_RATE, 90.0, age=-0.001)
    assert (
        stack(vitals_channels([*batches, later], [], end)).tobytes()
        == stack(vitals_channels(batches, [], end)).tobytes()
    )


def test_rows_are_channels_then_their_masks(vital: Any, movement: Any, end: datetime) -> None:
    batches = [vital(SPO2, 97.0, age=age) for age in range(30)]
    rows = stack(vitals_channels(batches, [], end))
    assert (rows.shape, rows.dtype) == ((10, 120), np.float32)
    assert rows[:, -1].tolist() == [0, 0, 97, 0, 0, 0, 0, 1, 0, 0]
