"""From the model's outputs to what is said of a window: an estimate, or why there is none. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from neopain.domain.calibration import NOT_FINITE, Calibration, Floats, pattern_of
from neopain.domain.census import BedState
from neopain.domain.gestation import GA_UNKNOWN, ga_band
from neopain.domain.identity import PatientId
from neopain.domain.media import AudioChunk, FaceFrame, MovementSample
from neopain.domain.score import SCALE_MAX, Estimate, Modality, Outcome, Presence
from neopain.domain.vitals import Processing, VitalsBatch
from neopain.features.pack import Arrays
from neopain.features.signature import (
    ATTENTION,
    DISTANCE,
    OUTPUTS,
    QUANTILES,
    SCORE_BY_MODALITY,
    SCORE_QUANTILES,
    SEDATION,
)

SEDATION_MIN = -10.0

LOW, MEDIAN, HIGH = (QUANTILES.index(quantile) for quantile in (0.05, 0.5, 0.95))

# What is marked as training or debugging stays so, whatever else lies beside it in the window.
TRUST = (Processing.PRODUCTION, Processing.DEBUGGING, Processing.TRAINING)

Item = VitalsBatch | FaceFrame | AudioChunk | MovementSample

NOTHING_PRESENT = "no-modality-present"
TOO_LATE = "too-late"
TRITON_UNAVAILABLE = "triton-unavailable"
UNREADABLE_ITEMS = "unreadable-items"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a window: an estimate, or the reason for none; exactly one of them."""

    outcome: Outcome
    reason: str = ""
    estimate: Estimate | None = None


def abstained(reason: str) -> Verdict:
    """There was too little, or too strange, to score."""
    return Verdict(Outcome.ABSTAINED, reason)


def missed(reason: str) -> Verdict:
    """The window could not be scored."""
    return Verdict(Outcome.MISSED, reason)


def judge(outputs: Arrays, presences: Sequence[Presence], *, calibration: Calibration, band: str) -> Verdict:
    """The calibrated estimate of the outputs (arrays without batch axis), or an abstention.

    ``band`` is the infant's band of gestational age, one of ``GA_BAND_NAMES``.
    """
    if not all(np.isfinite(outputs[spec.name]).all() for spec in OUTPUTS):
        return abstained(NOT_FINITE)
    quantiles = calibration.applied(outputs[SCORE_QUANTILES.name], pattern=pattern_of(presences), band=band)
    estimate = _estimate(quantiles, outputs, presences)
    reason = calibration.limits.reason_for(distance=estimate.distance, width=estimate.high - estimate.low)
    return abstained(reason) if reason else Verdict(Outcome.SCORED, estimate=estimate)


def _estimate(quantiles: Floats, outputs: Arrays, presences: Sequence[Presence]) -> Estimate:
    encoders = encoder_modalities(presences)
    scores = np.clip(outputs[SCORE_BY_MODALITY.name].astype(np.float64), 0.0, SCALE_MAX)
    return Estimate(
        value=float(quantiles[MEDIAN]),
        low=float(quantiles[LOW]),
        high=float(quantiles[HIGH]),
        sedation=float(np.clip(outputs[SEDATION.name].astype(np.float64)[0], SEDATION_MIN, 0.0)),
        distance=float(outputs[DISTANCE.name].astype(np.float64)[0]),
        per_modality={modality: float(scores[index]) for index, modality in encoders.items()},
        attention={modality: float(outputs[ATTENTION.name][index]) for index, modality in encoders.items()},
    )


def encoder_modalities(presences: Iterable[Presence]) -> dict[int, Modality]:
    """Which modality the encoders' numbers are told of: index in ``PRESENT_FLAGS`` to modality, present ones only.

    The vitals encoder speaks for physiology; for movement when that is all it was given.
    """
    present = {presence.modality for presence in presences if presence.is_present}
    vitals = Modality.PHYSIOLOGY if Modality.PHYSIOLOGY in present else Modality.MOVEMENT
    encoders = (Modality.FACE, Modality.CRY, vitals)
    return {index: modality for index, modality in enumerate(encoders) if modality in present}


def ga_band_of(state: BedState | None) -> str:
    """The band of whoever lies there; unknown in a held bed, as in CONTEXT: nobody knows whose it would be."""
    if state is None or state.infant is None or state.is_held:
        return GA_UNKNOWN
    return ga_band(state.infant.gestational_age_days)


def least_trusted(items: Iterable[Item], state: BedState | None) -> Processing:
    """The least trustworthy MSH-11 of what went into a window: one training message makes all of it training."""
    found = {item.processing for item in items} | ({state.processing} if state else set())
    return max(found, key=TRUST.index, default=Processing.PRODUCTION)


def named_patients(batches: Iterable[VitalsBatch]) -> tuple[PatientId, ...]:
    """The infants that the sources named, each once, in a fixed order."""
    found = {batch.patient for batch in batches if batch.patient is not None}
    return tuple(sorted(found, key=lambda one: (one.assigning_authority, one.value, one.type_code)))
