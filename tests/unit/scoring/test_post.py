"""From outputs to what is said of a window."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from neopain.domain.calibration import POOLED, AbstentionLimits, Margins, identity
from neopain.domain.census import BedState, Infant
from neopain.domain.identity import BedId, PatientId, SourceId
from neopain.domain.media import AudioChunk, FaceFrame, MovementSample
from neopain.domain.score import Modality, Outcome, Presence
from neopain.domain.time import TimeQuality, Timing
from neopain.domain.vitals import Processing, VitalsBatch
from neopain.scoring.post import Verdict, ga_band_of, judge, least_trusted, named_patients

EVERYTHING = tuple(Presence(modality, True, 1.0) for modality in Modality)
BED = BedId("NICU/1/1")


def outputs(**changes: list[float]) -> dict[str, Any]:
    """What the model gives for one window, with the changes."""
    values = {
        "SCORE_QUANTILES": [2.5, 3.0, 3.25, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0],
        "SCORE_BY_MODALITY": [5.0, 4.0, 3.0],
        "ATTENTION": [0.5, 0.25, 0.25],
        "SEDATION": [-2.0],
        "DISTANCE": [0.5],
    }
    return {name: np.array(value, np.float32) for name, value in (values | changes).items()}


def judged(given: dict[str, Any], presences: tuple[Presence, ...] = EVERYTHING, **calibration: Any) -> Verdict:
    """The verdict on an infant at term, by the identity with those changes."""
    return judge(given, presences, calibration=replace(identity(), **calibration), band=">=37")


def estimate_of(presences: tuple[Presence, ...] = EVERYTHING, **changes: list[float]) -> Any:
    """The estimate of the outputs with the changes."""
    verdict = judged(outputs(**changes), presences)
    assert verdict.outcome is Outcome.SCORED
    return verdict.estimate


def test_the_value_is_the_median_and_the_interval_its_quantiles() -> None:
    estimate = estimate_of()
    assert (estimate.low, estimate.value, estimate.high) == (3.0, 4.0, 6.0)


def test_the_scale_ends_at_zero_and_ten() -> None:
    estimate = estimate_of(
        SCORE_QUANTILES=[-2.0, -1.0, 0.0, 5.0, 11.0, 11.5, 12.0, 12.0, 13.0], SCORE_BY_MODALITY=[-1.0, 4.0, 11.0]
    )
    assert (estimate.low, estimate.value, estimate.high) == (0.0, 10.0, 10.0)
    assert list(estimate.per_modality.values()) == [0.0, 4.0, 10.0]


def test_quantiles_that_cross_give_the_interval_that_holds_them() -> None:
    estimate = estimate_of(SCORE_QUANTILES=[3.0, 5.0, 4.5, 4.5, 4.0, 4.5, 4.5, 4.5, 8.0])
    assert (estimate.low, estimate.value, estimate.high) == (4.0, 4.0, 5.0)


def test_sedation_lies_between_minus_ten_and_zero() -> None:
    assert [estimate_of(SEDATION=[given]).sedation for given in (-12.0, -2.0, 1.0)] == [-10.0, -2.0, 0.0]


def test_each_encoder_speaks_for_its_modality() -> None:
    estimate = estimate_of()
    assert estimate.per_modality == {Modality.FACE: 5.0, Modality.CRY: 4.0, Modality.PHYSIOLOGY: 3.0}
    assert estimate.attention == {Modality.FACE: 0.5, Modality.CRY: 0.25, Modality.PHYSIOLOGY: 0.25}


def test_an_absent_modality_says_nothing() -> None:
    present = (Presence(Modality.FACE, False), Presence(Modality.CRY, True), Presence(Modality.PHYSIOLOGY, False))
    assert estimate_of(present).per_modality == {Modality.CRY: 4.0}


def test_the_vitals_encoder_speaks_for_movement_when_that_is_all_it_had() -> None:
    present = (Presence(Modality.PHYSIOLOGY, False), Presence(Modality.MOVEMENT, True))
    assert estimate_of(present).per_modality == {Modality.MOVEMENT: 3.0}


@pytest.mark.parametrize("name", ["SCORE_QUANTILES", "SCORE_BY_MODALITY", "ATTENTION", "SEDATION", "DISTANCE"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_output_that_is_not_finite_abstains(name: str, bad: float) -> None:
    broken = outputs()
    broken[name][0] = bad
    assert judged(broken) == Verdict(Outcome.ABSTAINED, "model-output-not-finite", None)


def test_a_window_beyond_the_limit_of_distance_abstains() -> None:
    limits = AbstentionLimits(most_distance=1.0)
    assert judged(outputs(DISTANCE=[1.01]), limits=limits).reason == "unlike-training-data"
    assert judged(outputs(DISTANCE=[1.0]), limits=limits).outcome is Outcome.SCORED


def test_an_interval_beyond_the_limit_of_width_abstains() -> None:
    limits = AbstentionLimits(widest=3.0)
    wide = outputs(SCORE_QUANTILES=[0.0, 1.0, 1.2, 1.5, 2.0, 3.0, 4.0, 4.5, 9.0])
    assert judged(wide, limits=limits).reason == "interval-too-wide"
    assert judged(outputs(), limits=limits).outcome is Outcome.SCORED


def test_what_counts_as_too_wide_is_the_calibrated_interval() -> None:
    margins = {POOLED: Margins((0.0, 0.0, 0.25, 0.25), infants=40)}
    verdict = judged(outputs(), limits=AbstentionLimits(widest=3.25), margins=margins)
    assert verdict.reason == "interval-too-wide"


def test_what_is_said_is_calibrated() -> None:
    """The map adds 1 up to 6, the margin 0.5 to both ends."""
    margins = {POOLED: Margins((0.0, 0.0, 0.5, 1.0), infants=40)}
    verdict = judged(outputs(), knots=((0.0, 1.0), (6.0, 7.0), (10.0, 10.0)), margins=margins)
    assert verdict.estimate is not None
    assert (verdict.estimate.low, verdict.estimate.value, verdict.estimate.high) == (3.5, 5.0, 7.5)


MARGINS = {
    POOLED: Margins((0.0, 0.0, 0.0, 0.0), infants=99),
    ("FC", ""): Margins((0.0, 0.0, 0.5, 0.5), infants=50),
    ("FC", "<28"): Margins((0.0, 0.0, 1.0, 1.0), infants=25),
}


@pytest.mark.parametrize(
    ("modalities", "band", "low"),
    [
        ({Modality.FACE, Modality.CRY}, "<28", 2.0),
        ({Modality.FACE, Modality.CRY}, "unknown", 2.5),
        ({Modality.FACE}, "<28", 3.0),
    ],
)
def test_the_margin_is_that_of_what_was_present_and_of_the_infants_age(
    modalities: set[Modality], band: str, low: float
) -> None:
    presences = tuple(Presence(modality, modality in modalities) for modality in Modality)
    verdict = judge(outputs(), presences, calibration=replace(identity(), margins=MARGINS), band=band)
    assert verdict.estimate is not None
    assert verdict.estimate.low == low


@pytest.mark.parametrize(
    ("state", "band"),
    [
        (None, "unknown"),
        (BedState(BED, datetime(2026, 1, 1, tzinfo=UTC)), "unknown"),
        (BedState(BED, datetime(2026, 1, 1, tzinfo=UTC), Infant((), gestational_age_days=195)), "<28"),
        (BedState(BED, datetime(2026, 1, 1, tzinfo=UTC), Infant(())), "unknown"),
        (BedState(BED, datetime(2026, 1, 1, tzinfo=UTC), Infant((), gestational_age_days=195), "held"), "unknown"),
    ],
    ids=["no census", "empty bed", "preterm", "age not known", "held bed"],
)
def test_the_band_is_that_of_the_one_infant_that_lies_there(state: BedState | None, band: str) -> None:
    assert ga_band_of(state) == band


MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def batch(processing: Processing, patient: PatientId | None = None) -> VitalsBatch:
    """A batch without values."""
    return VitalsBatch(BED, SourceId("hl7", "m"), (), processing, patient)


@pytest.mark.parametrize(
    ("batches", "census", "expected"),
    [
        ("", None, "P"),
        ("PP", None, "P"),
        ("PD", None, "D"),
        ("PTD", None, "T"),
        ("P", "T", "T"),
        ("T", "P", "T"),
    ],
)
def test_the_least_trusted_of_all_counts(batches: str, census: str | None, expected: str) -> None:
    state = BedState(BED, MOMENT, processing=Processing(census)) if census else None
    assert least_trusted([batch(Processing(one)) for one in batches], state) is Processing(expected)


def test_the_infants_are_named_once_and_in_order() -> None:
    one, other = PatientId("2", "A"), PatientId("1", "B")
    batches = [batch(Processing.PRODUCTION, patient) for patient in (other, one, None, other)]
    assert named_patients(batches) == (one, other)


TIMING = Timing(MOMENT, MOMENT, TimeQuality.SOURCE)
CAMERA = SourceId("device", "camera")


@pytest.mark.parametrize(
    "medium",
    [
        FaceFrame(BED, CAMERA, TIMING, b"", processing=Processing.TRAINING),
        AudioChunk(BED, CAMERA, TIMING, b"", processing=Processing.TRAINING),
        MovementSample(BED, CAMERA, TIMING, 0.5, processing=Processing.TRAINING),
    ],
)
def test_a_training_camera_or_microphone_makes_the_window_training(
    medium: FaceFrame | AudioChunk | MovementSample,
) -> None:
    assert least_trusted([batch(Processing.PRODUCTION), medium], None) is Processing.TRAINING
