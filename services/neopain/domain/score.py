"""What scoring says of one window: a score, or why there is none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from neopain.domain.drugs import DrugMark
from neopain.domain.identity import BedId, PatientId
from neopain.domain.vitals import Processing

SCALE_MAX = 10.0
"""The highest score; the lowest is 0."""


class Modality(Enum):
    """What the score can rest on (DESIGN: Modalities)."""

    FACE = "face"
    CRY = "cry"
    PHYSIOLOGY = "physiology"
    MOVEMENT = "movement"


class Outcome(Enum):
    """What became of a window: every tick ends in exactly one of these."""

    SCORED = "scored"
    ABSTAINED = "abstained"
    """There was too little, or too strange, to score: no number, a reason."""
    MISSED = "missed"
    """The window could not be scored in time: no number, a reason."""


class Weights(Enum):
    """What the weights behind a score are worth; shown wherever the score is."""

    UNTRAINED = "untrained"
    SIMULATOR = "trained on the simulator"
    SITE = "site"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """Which nets scored. ``name`` is unique to the exported files; it is part of the score's identity."""

    name: str
    weights: Weights


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a modality was in the window, and if not, why. ``coverage`` is the share of the window it filled."""

    modality: Modality
    is_present: bool
    coverage: float = 0.0
    reason: str = ""
    """For an absent one: a word such as ``no-camera`` or ``clock-unusable``; empty when present."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The number and its doubt, on the reported scale 0..10."""

    value: float
    low: float
    """5 % quantile."""
    high: float
    """95 % quantile."""
    sedation: float = 0.0
    """0 (awake) to -10, an axis of its own."""
    distance: float = 0.0
    """Distance from the training data in standard units; above 1 the window is unlike them."""
    per_modality: dict[Modality, float] = field(default_factory=dict)
    attention: dict[Modality, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Score:
    """One window of one bed, scored or not. ``estimate`` is there exactly when ``outcome`` is SCORED."""

    bed: BedId
    window_end: datetime
    outcome: Outcome
    model: ModelVersion
    presences: tuple[Presence, ...]
    produced: datetime
    estimate: Estimate | None = None
    reason: str = ""
    """Why there is no number; empty when scored."""
    scale_map: str = "nips-x10/7-v1"
    processing: Processing = Processing.PRODUCTION
    """The least trustworthy MSH-11 of what went in: one training message makes it training."""
    patients: tuple[PatientId, ...] = ()
    """The infants that the sources of the window named; the census decides, this can only contradict it."""
    latency_ms: float = 0.0
    """From the tick on the bus to this value, for the operator."""
    drugs: tuple[DrugMark, ...] = ()
    """What hides pain and was in effect in the window, of whoever may lie in the bed."""
    read_until: dict[str, str] = field(default_factory=dict)
    """The last id of each stream that the window was read up to, as its tick says; empty where that is not told."""
    occupied_since: datetime | None = None
    """Since when the bed is as it was then: what was measured before is in no window of it. None: never named."""

    @property
    def id(self) -> str:
        """The same window scored by the same model has the same id, however often it is repeated."""
        return score_id(self.bed, self.window_end, self.model)


def score_id(bed: BedId, window_end: datetime, model: ModelVersion) -> str:
    """Bed, window end and model version as 32 hexadecimal digits (SHA-256, cut)."""
    text = f"{bed}|{window_end.isoformat()}|{model.name}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]
