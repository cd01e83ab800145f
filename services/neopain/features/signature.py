"""The tensors that cross the border to Triton: the one table that scoring, the nets and the configurations share.

Physical units only (DESIGN D4). ``triton_models/*/config.pbtxt`` says the same in Triton's words; a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CLIP_FRAMES = 16
FACE_SIZE_PX = 224
CRY_SAMPLES = 160_000
VITALS_STEPS = 120
VITALS_RATE_HZ = 4

VITALS_CHANNELS = ("rr_interval", "heart_rate", "spo2", "respiration", "movement")
"""Rows 0..4 of VITALS, in ms, /min, %, /min and 0..1; rows 5..9 are their masks, 1 where the row may be read."""

CONTEXT_FIELDS = (
    "baseline_heart_rate_delta",
    "baseline_spo2_delta",
    "baseline_respiration_delta",
    "rmssd_ms",
    "sdnn_ms",
    "source_has_beats",
    "source_averaging_seconds",
    "blood_pressure_mean",
    "blood_pressure_age_seconds",
    "gestational_age_weeks",
    "postmenstrual_age_weeks",
)
"""The first half of CONTEXT, in the units of their names; the second half are their masks in the same order."""

PRESENT_FLAGS = ("face", "cry", "vitals")


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One tensor without its batch axis."""

    name: str
    shape: tuple[int, ...]
    dtype: type[np.generic]
    meaning: str


CLIP = TensorSpec(
    "CLIP", (CLIP_FRAMES, FACE_SIZE_PX, FACE_SIZE_PX, 3), np.uint8, "RGB face crops, oldest first, the last at T"
)
CRY = TensorSpec("CRY", (CRY_SAMPLES,), np.float32, "the last 10 s at 16 kHz mono, -1..1")
VITALS = TensorSpec(
    "VITALS", (2 * len(VITALS_CHANNELS), VITALS_STEPS), np.float32, "30 s at 4 Hz: five channels, then their masks"
)
CONTEXT = TensorSpec("CONTEXT", (2 * len(CONTEXT_FIELDS),), np.float32, "slow context, then its masks")
PRESENT = TensorSpec("PRESENT", (len(PRESENT_FLAGS),), np.bool_, "face, cry, vitals (any channel valid)")

INPUTS = (CLIP, CRY, VITALS, CONTEXT, PRESENT)

QUANTILES = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975)
"""Levels of SCORE_QUANTILES: the median, and both ends of the 50, 80, 90 and 95 % intervals."""

SCORE_QUANTILES = TensorSpec("SCORE_QUANTILES", (len(QUANTILES),), np.float32, "pain 0..10 at the levels of QUANTILES")
SCORE_BY_MODALITY = TensorSpec("SCORE_BY_MODALITY", (3,), np.float32, "pain 0..10 from each encoder alone")
ATTENTION = TensorSpec("ATTENTION", (3,), np.float32, "attention share of each encoder; absent ones are 0")
SEDATION = TensorSpec("SEDATION", (1,), np.float32, "sedation axis, 0 to -10")
DISTANCE = TensorSpec("DISTANCE", (1,), np.float32, "distance from the training data; above 1 is unlike them")

OUTPUTS = (SCORE_QUANTILES, SCORE_BY_MODALITY, ATTENTION, SEDATION, DISTANCE)
