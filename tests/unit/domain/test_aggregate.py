"""Ten seconds of a bed summed up: what counts, what does not, and that order and repeats change nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neopain.domain.aggregate import age_of, aggregate_scores, aggregate_vitals, owner_of, slot_of, slots_between
from neopain.domain.assignment import CHANGED, Assignment
from neopain.domain.identity import BedId, PatientId, SourceId
from neopain.domain.media import MovementSample
from neopain.domain.policy import ChartingPolicy
from neopain.domain.score import Estimate, Modality, ModelVersion, Outcome, Presence, Score, Weights
from neopain.domain.time import TimeQuality, Timing
from neopain.domain.vitals import Processing, Validity, VitalKind, VitalSample, VitalsBatch

NOON = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
BED = BedId("NICU/1/1")
POLICY = ChartingPolicy()
MONITOR = SourceId("hl7", "monitor")


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


def score(second: float, value: float | None = 2.0, *, reason: str = "no-modality-present", **changes: object) -> Score:
    made = Score(
        bed=BED,
        window_end=at(second),
        outcome=Outcome.ABSTAINED if value is None else Outcome.SCORED,
        model=ModelVersion("m1", Weights.SITE),
        presences=(Presence(Modality.FACE, is_present=value is not None, reason="" if value else "no-camera"),),
        produced=at(second),
        estimate=None if value is None else Estimate(value, value - 1, value + 2),
        reason="" if value is not None else reason,
    )
    return replace(made, **changes)


def batch(*values: tuple[float, float], kind: VitalKind = VitalKind.HEART_RATE, **changes: object) -> VitalsBatch:
    samples = tuple(VitalSample(kind, value, timing(second)) for second, value in values)
    return replace(VitalsBatch(BED, MONITOR, samples, Processing.PRODUCTION), **changes)


def timing(second: float, quality: TimeQuality = TimeQuality.SOURCE) -> Timing:
    return Timing(at(second), at(second), quality)


@pytest.mark.parametrize(("second", "begin"), [(0.001, 0), (9.9, 0), (10, 0), (10.001, 10), (0, -10)])
def test_a_moment_on_a_boundary_is_in_the_slot_that_it_closes(second: float, begin: float) -> None:
    assert slot_of(at(second)) == at(begin)


def test_slots_are_those_that_have_ended() -> None:
    assert slots_between(at(5), at(29)) == [at(0), at(10)]
    assert slots_between(at(5), at(30)) == [at(0), at(10), at(20)]
    assert slots_between(at(5), at(9)) == []


def test_scores_are_summed_up_by_their_medians_their_peak_and_why_some_have_no_number() -> None:
    windows = [score(1, 2.0), score(2, 4.0), score(3, 9.0), score(4, None), score(5, None, reason="too-late")]

    summed = aggregate_scores(NOON, windows, POLICY)

    told = summed.draft
    assert (told.value, told.low, told.high, told.peak) == (4.0, 3.0, 6.0, 9.0)
    assert (told.windows, told.windows_scored, told.present) == (5, 3, {Modality.FACE: 3})
    assert summed.reasons == {"no-modality-present": 1, "too-late": 1}


def test_without_a_number_there_is_none_and_the_reason() -> None:
    told = aggregate_scores(NOON, [score(1, None)], POLICY).draft

    assert (told.value, told.low, told.high, told.peak) == (None, None, None, None)
    assert (told.absent_reason, told.absences) == ("no-modality-present", {Modality.FACE: "no-camera"})


def test_what_withholds_an_entry_withholds_an_aggregate() -> None:
    asleep = replace(score(1, 1.0), estimate=Estimate(1.0, 0.0, 2.0, sedation=-8.0))

    told = aggregate_scores(NOON, [asleep], POLICY).draft

    assert (told.value, told.absent_reason) == (None, "deep-sedation")


@given(st.permutations([score(1, 2.0), score(2, 4.0), score(2, 4.0), score(3, None), score(4, 9.0), score(3, None)]))
def test_any_order_and_any_repeat_of_scores_gives_the_same(windows: list[Score]) -> None:
    once = aggregate_scores(NOON, [score(1, 2.0), score(2, 4.0), score(3, None), score(4, 9.0)], POLICY)

    assert aggregate_scores(NOON, windows, POLICY) == once


def test_vitals_are_summed_up_by_slot_and_kind() -> None:
    found = aggregate_vitals([batch((1, 140), (2, 150), (9, 190)), batch((12, 160))], [])

    first, second = found[NOON, VitalKind.HEART_RATE], found[at(10), VitalKind.HEART_RATE]
    assert (first.value, first.low, first.high, first.count) == (150, 140, 190, 3)
    assert (second.value, second.count) == (160, 1)
    assert len(found) == 2


def test_a_value_that_may_not_be_used_is_counted_by_its_reason_and_gives_no_number() -> None:
    unusable = VitalSample(VitalKind.SPO2, 97.0, timing(1, TimeQuality.UNUSABLE))
    invalid = VitalSample(VitalKind.SPO2, 97.0, timing(2), Validity.INVALID)
    impossible = VitalSample(VitalKind.SPO2, 9.0, timing(3))

    found = aggregate_vitals([batch(samples=(unusable, invalid, impossible))], [])[NOON, VitalKind.SPO2]

    assert (found.value, found.low, found.high, found.count) == (None, None, None, 0)
    assert found.reasons == {"clock-unusable": 1, "invalid-values": 2}


def test_two_sources_of_one_kind_are_never_mixed() -> None:
    other = batch((1, 60), source=SourceId("device", "gateway"))

    found = aggregate_vitals([other, batch((1, 140), (2, 142))], [])[NOON, VitalKind.HEART_RATE]

    assert (found.value, found.low, found.count) == (141, 140, 2)


def test_movement_of_the_camera_counts_and_other_kinds_have_no_aggregate() -> None:
    moved = MovementSample(BED, SourceId("camera", "one"), timing(1), 0.5)

    found = aggregate_vitals([batch((1, 40.0), kind=VitalKind.BLOOD_PRESSURE_MEAN)], [moved])

    assert {(kind, one.value) for (_, kind), one in found.items()} == {(VitalKind.MOVEMENT, 0.5)}


def test_one_training_message_makes_an_aggregate_one_of_training_and_says_whom_the_sources_named() -> None:
    infant = PatientId("1", "HOSP")
    found = aggregate_vitals([batch((1, 140)), batch((2, 140), processing=Processing.TRAINING, patient=infant)], [])

    one = found[NOON, VitalKind.HEART_RATE]
    assert (one.processing, one.named) == (Processing.TRAINING, (infant,))


@given(st.permutations([batch((1, 140)), batch((2, 150)), batch((3, 160), (12, 90))]))
def test_any_order_of_batches_gives_the_same(batches: list[VitalsBatch]) -> None:
    assert aggregate_vitals(batches, []) == aggregate_vitals(
        [batch((1, 140)), batch((2, 150)), batch((3, 160), (12, 90))], []
    )


def test_two_infants_are_never_summed_up_as_one() -> None:
    one, other = Assignment(PatientId("1", "HOSP")), Assignment(PatientId("2", "HOSP"))

    assert owner_of([one, one]) == one
    assert owner_of([one, other]) == Assignment(held_reason=CHANGED)


def test_a_clock_that_runs_ahead_makes_no_number_younger_than_it_is() -> None:
    assert age_of(at(0), at(1), now=at(5)) == timedelta(seconds=5)
    assert age_of(at(600), at(1), now=at(61)) == timedelta(seconds=60)
    assert age_of(at(2), at(2), now=at(0)) == timedelta(0)
