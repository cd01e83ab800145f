"""A window: which modalities are in it, whatever the order, and nothing from outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neopain.domain.census import BedState, Infant
from neopain.domain.identity import BedId, PatientId
from neopain.domain.score import Modality, Presence
from neopain.domain.time import TimeQuality
from neopain.domain.vitals import Baseline, Validity, VitalKind
from neopain.features.baseline import baseline_of
from neopain.features.pack import require_match
from neopain.features.window import Window, WindowItems, assemble, since_arrival

# The functions under test are pure, so that fixtures that make items may be shared between examples.
LAWS = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture
def full(vital: Any, frame: Any, chunk: Any, movement: Any, end: datetime) -> WindowItems:
    """Every modality, with clocks of different kinds, a gap, an invalid value and two sources of one kind."""
    return WindowItems(
        end=end,
        batches=(
            *(vital(VitalKind.HEART_RATE, 130.0 + age, age=age) for age in range(35) if age not in (7, 8, 9)),
            *(vital(VitalKind.HEART_RATE, 90.0, age=age, source="oximeter") for age in range(0, 35, 5)),
            *(vital(VitalKind.SPO2, 97.0, age=age) for age in (3, 63, 123)),
            *(vital(VitalKind.RR_INTERVAL, 400.0, age=index * 0.4) for index in range(75)),
            vital(VitalKind.RESPIRATION, 40.0, age=4, validity=Validity.INVALID),
            vital(VitalKind.HEART_RATE, 141.0, age=3),
        ),
        frames=tuple(frame(age=index * 0.11, shade=index) for index in range(24)),
        chunks=tuple(chunk(age=10.2 - index * 0.5, seconds=0.5, level=index * 100) for index in range(20)),
        movements=tuple(movement(0.01 * index, age=index * 0.25) for index in range(100)),
    )


def fingerprint(window: Window) -> tuple[Any, ...]:
    """Everything that a window says."""
    arrays = window.tensors.by_name()
    return (window.presences, *(arrays[name].tobytes() for name in sorted(arrays)))


@pytest.fixture
def joined(vital: Any, frame: Any, chunk: Any, movement: Any) -> Callable[[WindowItems, float], WindowItems]:
    """Adds one item of each kind, measured ``age`` seconds before the end."""

    def join(items: WindowItems, age: float) -> WindowItems:
        return replace(
            items,
            batches=(*items.batches, vital(VitalKind.HEART_RATE, 201.0, age=age)),
            frames=(*items.frames, frame(age=age, shade=99)),
            chunks=(*items.chunks, chunk(age=age, seconds=1, level=999)),
            movements=(*items.movements, movement(0.99, age=age)),
        )

    return join


@LAWS
@given(shuffle=st.randoms(use_true_random=False))
def test_any_order_of_arrival_gives_the_same_window(full: WindowItems, shuffle: Any) -> None:
    names = ("batches", "frames", "chunks", "movements")
    shuffled = {name: tuple(shuffle.sample(found, len(found))) for name in names if (found := getattr(full, name))}
    assert fingerprint(assemble(replace(full, **shuffled))) == fingerprint(assemble(full))


@LAWS
@given(ahead=st.floats(0.001, 100))
def test_what_is_measured_after_the_end_changes_nothing(full: WindowItems, joined: Any, ahead: float) -> None:
    assert fingerprint(assemble(joined(full, -ahead))) == fingerprint(assemble(full))


@LAWS
@given(before=st.floats(195, 1000))
def test_what_was_measured_before_the_look_back_changes_nothing(full: WindowItems, joined: Any, before: float) -> None:
    assert fingerprint(assemble(joined(full, before))) == fingerprint(assemble(full))


def test_what_is_measured_inside_changes_the_window(full: WindowItems, joined: Any) -> None:
    assert fingerprint(assemble(joined(full, 0.25))) != fingerprint(assemble(full))


def test_a_full_window_matches_the_signature(full: WindowItems) -> None:
    require_match(assemble(full).tensors.by_name())


def test_a_full_window_has_every_flag(full: WindowItems) -> None:
    assert assemble(full).tensors.present.tolist() == [True, True, True]


def test_an_empty_window_matches_the_signature_and_is_zeros(end: datetime) -> None:
    tensors = assemble(WindowItems(end)).tensors.by_name()
    require_match(tensors)
    assert not any(array.any() for array in tensors.values())


def test_an_empty_window_says_why(end: datetime) -> None:
    window = assemble(WindowItems(end))
    assert window.is_empty
    assert window.presences == (
        Presence(Modality.FACE, False, 0.0, "no-camera"),
        Presence(Modality.CRY, False, 0.0, "no-microphone"),
        Presence(Modality.PHYSIOLOGY, False, 0.0, "no-monitor"),
        Presence(Modality.MOVEMENT, False, 0.0, "no-camera"),
    )


def test_three_seconds_of_vitals_are_enough(vital: Any, end: datetime) -> None:
    batches = tuple(vital(VitalKind.HEART_RATE, 140.0, age=age) for age in (2.75, 1.75, 0.75))
    presence = assemble(WindowItems(end, batches=batches)).presences[2]
    assert presence == Presence(Modality.PHYSIOLOGY, True, 0.1)


def test_less_than_three_seconds_of_vitals_are_absent_and_empty(vital: Any, end: datetime) -> None:
    batches = tuple(vital(VitalKind.HEART_RATE, 140.0, age=age) for age in (2.5, 1.5, 0.5))
    window = assemble(WindowItems(end, batches=batches))
    assert window.presences[2] == Presence(Modality.PHYSIOLOGY, False, 11 / 120, "too-little-data")
    assert not window.tensors.vitals.any()
    assert not window.tensors.context.any()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"quality": TimeQuality.UNUSABLE}, "clock-unusable"),
        ({"validity": Validity.INVALID}, "invalid-values"),
    ],
)
def test_vitals_that_may_not_be_used_say_why(options: Any, reason: str, vital: Any, end: datetime) -> None:
    batches = tuple(vital(VitalKind.HEART_RATE, 140.0, age=age, **options) for age in range(30))
    assert assemble(WindowItems(end, batches=batches)).presences[2].reason == reason


def test_a_monitor_that_stopped_a_minute_ago_is_stale(vital: Any, end: datetime) -> None:
    batches = tuple(vital(VitalKind.HEART_RATE, 140.0, age=60 + age) for age in range(30))
    assert assemble(WindowItems(end, batches=batches)).presences[2].reason == "stale"


def test_movement_alone_sets_the_vitals_flag(movement: Any, end: datetime) -> None:
    movements = tuple(movement(0.5, age=index / 4) for index in range(120))
    window = assemble(WindowItems(end, movements=movements))
    assert window.tensors.present.tolist() == [False, False, True]
    assert [one.modality for one in window.presences if one.is_present] == [Modality.MOVEMENT]


def test_the_end_may_lie_off_the_grid_of_seconds(full: WindowItems) -> None:
    assert not assemble(replace(full, end=full.end + timedelta(seconds=0.123))).is_empty


def arrived(end: datetime, *, seconds_ago: float) -> BedState:
    """A bed whose infant came that long before the window's end."""
    return BedState(BedId("NICU/1/1"), end - timedelta(seconds=seconds_ago), Infant((PatientId("B"),)))


def test_what_was_measured_before_the_infant_came_is_not_in_its_window(full: WindowItems, end: datetime) -> None:
    state = arrived(end, seconds_ago=5)
    left = since_arrival(replace(full, bed_state=state))
    measured = [
        *(sample.timing.aligned for batch in left.batches for sample in batch.samples),
        *(item.timing.aligned for item in (*left.frames, *left.chunks, *left.movements)),
    ]
    assert min(measured) >= state.since


def test_an_infant_that_has_just_come_is_not_scored_on_the_one_before(full: WindowItems, end: datetime) -> None:
    state = arrived(end, seconds_ago=1)
    assert assemble(since_arrival(replace(full, bed_state=state))).is_empty


def test_the_infant_before_is_not_named_by_the_window(full: WindowItems, end: datetime) -> None:
    assert since_arrival(replace(full, bed_state=arrived(end, seconds_ago=-1))).batches == ()


@pytest.mark.parametrize(("seconds_ago", "is_own"), [(900, True), (300, False)])
def test_a_kept_pressure_of_the_infant_before_is_not_in_the_window(
    seconds_ago: float, is_own: bool, full: WindowItems, vital: Any, end: datetime
) -> None:
    (pressure,) = vital(VitalKind.BLOOD_PRESSURE_MEAN, 42.0, age=800).samples
    kept = Baseline(BedId("NICU/1/1"), end, 200.0, {VitalKind.SPO2: 96.0}, pressure)
    left = since_arrival(replace(full, baselines=(kept,), bed_state=arrived(end, seconds_ago=seconds_ago)))
    assert [one.pressure for one in left.baselines] == [pressure if is_own else None]
    assert [one.medians for one in left.baselines] == [{VitalKind.SPO2: 96.0}]


def test_an_infant_that_came_long_ago_keeps_its_whole_window(full: WindowItems, end: datetime) -> None:
    state = arrived(end, seconds_ago=3600)
    assert since_arrival(replace(full, bed_state=state)) == replace(full, bed_state=state)


@pytest.mark.parametrize(("seconds_ago", "is_own"), [(600, True), (500, False)])
def test_a_baseline_with_values_of_the_infant_before_is_not_in_the_window(
    seconds_ago: float, is_own: bool, full: WindowItems, vital: Any, end: datetime
) -> None:
    batches = [vital(VitalKind.HEART_RATE, 180.0, age=age) for age in (560, 540, 150, 140)]
    baseline = baseline_of(BedId("NICU/1/1"), [sample for batch in batches for sample in batch.samples], end)
    assert baseline is not None
    left = since_arrival(replace(full, baselines=(baseline,), bed_state=arrived(end, seconds_ago=seconds_ago)))
    assert [one.medians for one in left.baselines] == [{VitalKind.HEART_RATE: 180.0} if is_own else {}]
