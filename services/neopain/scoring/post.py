"""From the model's outputs to what is said of a window: an estimate, or why there is none. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from neopain.domain.census import BedState
from neopain.domain.identity import PatientId
from neopain.domain.media import AudioChunk, FaceFrame, MovementSample
from neopain.domain.score import Estimate, Modality, Outcome, Presence
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

SCALE_MAX = 10.0
SEDATION_MIN = -10.0

LOW, MEDIAN, HIGH = (QUANTILES.index(quantile) for quantile in (0.05, 0.5, 0.95))

# What is marked as training or debugging stays so, whatever else lies beside it in the window.
TRUST = (Processing.PRODUCTION, Processing.DEBUGGING, Processing.TRAINING)

Item = VitalsBatch | FaceFrame | AudioChunk | MovementSample

NOTHING_PRESENT = "no-modality-present"
NOT_FINITE = "model-output-not-finite"
UNLIKE_TRAINING = "unlike-training-data"
TOO_UNSURE = "interval-too-wide"
TOO_LATE = "too-late"
TRITON_UNAVAILABLE = "triton-unavailable"
UNREADABLE_ITEMS = "unreadable-items"


@dataclass(frozen=True, slots=True)
class AbstentionLimits:
    """When a site wants no number; None never abstains for that reason. ``widest`` is of the interval, on 0..10."""

    most_distance: float | None = None
    widest: float | None = None


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


def judge(outputs: Arrays, presences: Iterable[Presence], limits: AbstentionLimits) -> Verdict:
    """The estimate of the outputs (arrays without batch axis), clipped to its scales, or an abstention."""
    if not all(np.isfinite(outputs[spec.name]).all() for spec in OUTPUTS):
        return abstained(NOT_FINITE)
    estimate = _estimate(outputs, presences)
    if limits.most_distance is not None and estimate.distance > limits.most_distance:
        return abstained(UNLIKE_TRAINING)
    if limits.widest is not None and estimate.high - estimate.low > limits.widest:
        return abstained(TOO_UNSURE)
    return Verdict(Outcome.SCORED, estimate=estimate)


def _estimate(outputs: Arrays, presences: Iterable[Presence]) -> Estimate:
    # Quantiles that cross say nothing about which of them is wrong: the interval is what contains all three.
    quantiles = np.clip(outputs[SCORE_QUANTILES.name].astype(np.float64), 0.0, SCALE_MAX)
    encoders = encoder_modalities(presences)
    scores = np.clip(outputs[SCORE_BY_MODALITY.name].astype(np.float64), 0.0, SCALE_MAX)
    return Estimate(
        value=float(quantiles[MEDIAN]),
        low=float(quantiles.min()),
        high=float(quantiles.max()),
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


def least_trusted(items: Iterable[Item], state: BedState | None) -> Processing:
    """The least trustworthy MSH-11 of what went into a window: one training message makes all of it training."""
    found = {item.processing for item in items} | ({state.processing} if state else set())
    return max(found, key=TRUST.index, default=Processing.PRODUCTION)


def named_patients(batches: Iterable[VitalsBatch]) -> tuple[PatientId, ...]:
    """The infants that the sources named, each once, in a fixed order."""
    found = {batch.patient for batch in batches if batch.patient is not None}
    return tuple(sorted(found, key=lambda one: (one.assigning_authority, one.value, one.type_code)))
