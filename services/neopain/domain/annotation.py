"""Rated stretches of a recording: who was recorded, what there is of it, and what each rater saw.

One shape serves every data set, the simulator's and a hospital's; ``codecs.manifest`` writes and reads it.
Item names and numbers only: the wording of the scales is their authors'.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final


class Scale(Enum):
    """A scale that raters use; the value is its name in a manifest."""

    NIPS = "NIPS"
    NPASS_PAIN = "N-PASS pain"
    NPASS_SEDATION = "N-PASS sedation"


SCALE_RANGES: Final = MappingProxyType(
    {Scale.NIPS: (0.0, 7.0), Scale.NPASS_PAIN: (0.0, 11.0), Scale.NPASS_SEDATION: (-10.0, 0.0)}
)
"""Lowest and highest score. N-PASS pain is 0..10, and one more below 30 weeks (LOINC 95621-9)."""

NIPS_ITEMS: Final = MappingProxyType({"face": 1, "cry": 2, "breathing": 1, "arms": 1, "legs": 1, "arousal": 1})
"""The six items of NIPS and the highest score of each (Lawrence 1993)."""

NPASS_ITEMS: Final = ("crying", "behaviour", "face", "extremities", "vital_signs")
"""The five criteria of N-PASS: 0..2 each for pain, 0..-2 each for sedation (Hummel 2008)."""


class Recorded(Enum):
    """What can be recorded of a segment; the value is the column's name in a manifest."""

    VIDEO = "video"
    AUDIO = "audio"
    VITALS = "vitals"


@dataclass(frozen=True, slots=True)
class Availability:
    """A file relative to the manifest, or why there is none: exactly one of the two is not empty."""

    path: str = ""
    reason: str = ""

    @property
    def is_there(self) -> bool:
        """Whether there is a file."""
        return bool(self.path)


@dataclass(frozen=True, slots=True)
class Subject:
    """An infant of a data set, by a pseudonym. None and "" stand for what is not known.

    ``gestational_age_days`` is at birth, ``age_days`` since birth at the start of the session.
    """

    id: str
    site: str
    gestational_age_days: int | None = None
    age_days: int | None = None
    sex: str = ""
    skin_tone: str = ""
    weight_g: int | None = None
    illness: str = ""


@dataclass(frozen=True, slots=True)
class Rating:
    """One rater's score of a segment on one scale, in the scale's own points; ``items`` where they were noted."""

    scale: Scale
    rater: str
    score: float
    items: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Segment:
    """A rated stretch of one session of one infant. The window that is scored ends at ``end_seconds``.

    Times are seconds since the start of the session. ``face_box`` is left, top, width, height in pixels of the video;
    None: the video shows nothing but the face. ``codes`` are intensities 0..1 of facial actions where somebody coded
    them (NFCS names). ``procedure``, ``sedation`` and ``respiratory_support`` are words, "" for not known.
    """

    subject: Subject
    session: str
    id: str
    start_seconds: float
    end_seconds: float
    recorded: dict[Recorded, Availability]
    ratings: tuple[Rating, ...]
    face_box: tuple[int, int, int, int] | None = None
    procedure: str = ""
    sedation: str = ""
    respiratory_support: str = ""
    codes: dict[str, float] = field(default_factory=dict)
    has_infant: bool = True
    """False for a segment that shows no infant at all: there is nothing to score, and the model is to say so."""
    licence: str = ""

    def scores(self, scale: Scale) -> dict[str, float]:
        """Rater to score on that scale."""
        return {rating.rater: rating.score for rating in self.ratings if rating.scale is scale}
