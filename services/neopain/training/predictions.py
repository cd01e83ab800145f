"""What models say of rated windows: the table that calibration, evaluation and the report share."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from neopain.domain.calibration import PATTERN_LETTERS
from neopain.domain.gestation import GA_BANDS, GA_UNKNOWN, TERM, ga_band

__all__ = [
    "FUSION", "GA_BANDS", "GA_UNKNOWN", "PATTERN_LETTERS", "TERM", "Floats", "ModelPredictions", "Predictions",
    "RatedWindow", "ga_band",
]  # fmt: skip

FUSION = "fusion"
"""The name of the model that is served, in ``Predictions.models``."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RatedWindow:
    """One window with an infant and what raters said of it; pain on the reported scale 0..10.

    ``pattern`` has a letter for each present modality, in the order F C P M (face, cry, physiology, movement).
    """

    subject: str
    session: str
    segment: str
    end_seconds: float
    pattern: str
    label: float
    """Mean of the raters' NIPS x10/7."""
    ratings: tuple[float, ...]
    """Each rater's NIPS x10/7, by rater's name in alphabetical order."""
    sedation_label: float | None = None
    """Mean of the raters' N-PASS sedation, 0 to -10."""
    groups: dict[str, str] = field(default_factory=dict)
    """``ga_band``, ``sex``, ``skin_tone``, ``illness``, ``site``, ``procedure``, ``sedation``, ``support`` to value."""


@dataclass(frozen=True, slots=True)
class ModelPredictions:
    """One model's outputs for n windows.

    ``quantiles`` is [n, q] at the levels of ``features.signature.QUANTILES``, on 0..10; ``sedation`` [n];
    ``distance`` [n]; ``abstained`` n reasons, "" where the model answered; an abstained window keeps its quantiles,
    which count in "all windows with an infant". ``by_modality`` and ``attention`` are [n, 3], NaN where absent.
    """

    quantiles: Floats
    sedation: Floats
    distance: Floats
    by_modality: Floats
    attention: Floats
    abstained: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Predictions:
    """Windows, and what each model says of them in the same order."""

    windows: tuple[RatedWindow, ...]
    models: dict[str, ModelPredictions]
