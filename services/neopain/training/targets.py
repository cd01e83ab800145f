"""What a segment's ratings ask of a model: labels, items, facial codes; and the groups that figures are told for.

NaN stands for what nobody rated.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from neopain.domain.annotation import NIPS_ITEMS, Scale, Segment
from neopain.domain.calibration import PATTERN_LETTERS
from neopain.domain.gestation import ga_band
from neopain.domain.scales import NIPS_X10_7
from neopain.domain.score import Presence
from neopain.training.predictions import RatedWindow

CODES: Final = ("brow_bulge", "eye_squeeze", "nasolabial_furrow", "mouth_open")
"""The facial actions that are learned from, in the order of ``codes_of`` (NFCS; Grunau and Craig 1987)."""
UNKNOWN: Final = "unknown"

Row = npt.NDArray[np.float32]


def label_of(segment: Segment) -> float:
    """The mean of the raters' NIPS x10/7, 0..10."""
    return _mean(ratings_of(segment))


def ratings_of(segment: Segment) -> tuple[float, ...]:
    """Each rater's NIPS x10/7, by rater's name in alphabetical order."""
    scores = segment.scores(Scale.NIPS)
    return tuple(NIPS_X10_7.to_reported(scores[rater]) for rater in sorted(scores))


def sedation_of(segment: Segment) -> float:
    """The mean of the raters' N-PASS sedation, 0 to -10."""
    return _mean(segment.scores(Scale.NPASS_SEDATION).values())


def items_of(segment: Segment) -> Row:
    """Float32 [6]: the mean of each NIPS item in the order of ``NIPS_ITEMS``, over the raters who noted it."""
    noted = [rating.items for rating in segment.ratings if rating.scale is Scale.NIPS]
    return np.array([_mean(items[name] for items in noted if name in items) for name in NIPS_ITEMS], np.float32)


def codes_of(segment: Segment) -> Row:
    """Float32 [4]: the intensities 0..1 of ``CODES``."""
    return np.array([segment.codes.get(name, math.nan) for name in CODES], np.float32)


def pattern_of(presences: Iterable[Presence]) -> str:
    """The letters of the present modalities, in the order F C P M."""
    present = {one.modality for one in presences if one.is_present}
    return "".join(letter for modality, letter in PATTERN_LETTERS.items() if modality in present)


def rated_window(segment: Segment, pattern: str) -> RatedWindow:
    """The window that ends with the segment, as predictions carry it; the label is NaN where nobody rated NIPS."""
    sedation = sedation_of(segment)
    return RatedWindow(
        subject=segment.subject.id,
        session=segment.session,
        segment=segment.id,
        end_seconds=segment.end_seconds,
        pattern=pattern,
        label=label_of(segment),
        ratings=ratings_of(segment),
        sedation_label=None if math.isnan(sedation) else sedation,
        groups=groups_of(segment),
    )


def groups_of(segment: Segment) -> dict[str, str]:
    """The group of the segment in each way of grouping; ``unknown`` where the manifest says nothing."""
    subject = segment.subject
    words = {
        "ga_band": ga_band(subject.gestational_age_days),
        "sex": subject.sex,
        "skin_tone": subject.skin_tone,
        "illness": subject.illness,
        "site": subject.site,
        "procedure": segment.procedure,
        "sedation": segment.sedation,
        "support": segment.respiratory_support,
    }
    return {name: word or UNKNOWN for name, word in words.items()}


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else math.nan
