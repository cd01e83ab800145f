"""Prolonged pain: what the scores of the last hours say together, as its own output beside the score of a moment.

A window of 30 s sees a needle; the hours after an operation it sees as moments, some of them under a drug that hides
the signs. So the moments are remembered with a half-life, those that knew little count less, and how sedated the infant
was is carried along. Pure; ``training.prolonged`` fits the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

PROLONGED_MAX = 10.0
LEAST_MOMENTS = 4
SURE_WIDTH = 1.0
"""A 90 % interval this wide halves a moment's weight against one without any doubt."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One scored window: how long before now, the score 0..10, the width of its 90 % interval, sedation 0..-10."""

    age_seconds: float
    value: float
    width: float
    sedation: float


@dataclass(frozen=True, slots=True)
class ProlongedEstimate:
    """Prolonged pain 0..10 with a 90 % interval, and how many moments it rests on."""

    value: float
    low: float
    high: float
    moments: int


@dataclass(frozen=True, slots=True)
class ProlongedPain:
    """How moments become one number.

    ``value = offset + gain * mean + sedation_gain * mean sedation``, means weighted by age (``half_life_seconds``) and
    doubt. ``margin`` makes the 90 % interval. Nothing older than ``span_seconds`` counts.
    """

    half_life_seconds: float
    offset: float
    gain: float
    sedation_gain: float
    margin: float
    span_seconds: float = 3600.0
    least_moments: int = LEAST_MOMENTS
    oldest_newest_seconds: float = 900.0
    """The newest moment may be this old: an hour that ended long ago says nothing of now."""

    def estimate(self, moments: Iterable[Moment]) -> ProlongedEstimate | None:
        """The estimate; None where too few moments are known, or none of late."""
        known = [one for one in moments if 0.0 <= one.age_seconds <= self.span_seconds]
        if len(known) < self.least_moments or min(one.age_seconds for one in known) > self.oldest_newest_seconds:
            return None
        score, sedation = means(known, self.half_life_seconds)
        value = _clipped(self.offset + self.gain * score + self.sedation_gain * sedation)
        return ProlongedEstimate(value, _clipped(value - self.margin), _clipped(value + self.margin), len(known))


def means(moments: Iterable[Moment], half_life_seconds: float) -> tuple[float, float]:
    """Weighted means of score and sedation; NaN of no moments."""
    total = score = sedation = 0.0
    for one in moments:
        weight = 0.5 ** (one.age_seconds / half_life_seconds) / (1.0 + one.width / SURE_WIDTH)
        total += weight
        score += weight * one.value
        sedation += weight * one.sedation
    return (score / total, sedation / total) if total else (math.nan, math.nan)


def _clipped(value: float) -> float:
    return min(max(value, 0.0), PROLONGED_MAX)
