"""Calibration: what is done to the model's quantiles before they are said, and when nothing is said.

A monotone map, then a margin for each interval, which depends on what was present and on the infant's gestational age.
``training.calibrate`` fits it; scoring and evaluation apply it with ``Calibration.applied``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from neopain.domain.score import SCALE_MAX, Modality, Presence

Floats = npt.NDArray[np.float64]

INTERVALS = (0.5, 0.8, 0.9, 0.95)
"""What the quantiles enclose: of the 9, the fifth is the median, and each interval ends one further to either side."""
MIDDLE = len(INTERVALS)
LEVELS = 2 * len(INTERVALS) + 1
NINETY = INTERVALS.index(0.9)

PATTERN_LETTERS = {Modality.FACE: "F", Modality.CRY: "C", Modality.PHYSIOLOGY: "P", Modality.MOVEMENT: "M"}
PATTERNS = tuple("".join(chosen) for count in (4, 3, 2, 1) for chosen in combinations(PATTERN_LETTERS.values(), count))
"""The 15 patterns in which something is present, the fullest first."""

NOT_FINITE = "model-output-not-finite"
UNLIKE_TRAINING = "unlike-training-data"
TOO_UNSURE = "interval-too-wide"

Group = tuple[str, str]
"""A presence pattern and a GA band; ``ANY`` in place of either stands for all of them."""
ANY = ""
POOLED: Group = (ANY, ANY)


def pattern_of(presences: Iterable[Presence]) -> str:
    """A letter for each present modality, in the order F C P M; empty when none is."""
    present = {presence.modality for presence in presences if presence.is_present}
    return "".join(letter for modality, letter in PATTERN_LETTERS.items() if modality in present)


def fallbacks(pattern: str, band: str) -> Iterator[Group]:
    """Groups whose margins a window may have, the closest first."""
    yield (pattern, band)
    yield (pattern, ANY)
    yield (ANY, band)
    yield POOLED


@dataclass(frozen=True, slots=True)
class AbstentionLimits:
    """When no number is wanted; None never abstains for that reason. ``widest`` is of the 90 % interval, on 0..10."""

    most_distance: float | None = None
    widest: float | None = None

    def tightened_by(self, other: AbstentionLimits) -> AbstentionLimits:
        """The stricter of both for each reason."""
        return AbstentionLimits(_smaller(self.most_distance, other.most_distance), _smaller(self.widest, other.widest))

    def reason_for(self, *, distance: float, width: float) -> str:
        """Why a window of that distance and width gets no number; empty when it gets one."""
        if self.most_distance is not None and distance > self.most_distance:
            return UNLIKE_TRAINING
        if self.widest is not None and width > self.widest:
            return TOO_UNSURE
        return ""


def _smaller(one: float | None, other: float | None) -> float | None:
    return min((limit for limit in (one, other) if limit is not None), default=None)


@dataclass(frozen=True, slots=True)
class Margins:
    """What is added to both ends of each interval of ``INTERVALS`` in one group, and how many infants say so."""

    widths: tuple[float, ...]
    infants: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """How one model's quantiles become what is said."""

    knots: tuple[tuple[float, float], ...]
    """The map: raw to calibrated score, straight between the knots; both rise from the first to the last."""
    margins: dict[Group, Margins]
    """By group; ``POOLED`` is always there."""
    edge: float = 0.0
    """An end of an interval that lies this near to an end of the scale is that end, and no margin moves it."""
    limits: AbstentionLimits = field(default_factory=AbstentionLimits)
    fitted_for: str = ""
    """Name of the model version."""
    seed: int = 0

    def tightened_by(self, limits: AbstentionLimits) -> Calibration:
        """The same calibration, abstaining also beyond those limits."""
        return replace(self, limits=self.limits.tightened_by(limits))

    def margins_for(self, *, pattern: str, band: str) -> tuple[float, ...]:
        """The margins of the closest group that has its own."""
        return next(self.margins[group].widths for group in fallbacks(pattern, band) if group in self.margins)

    def applied(self, quantiles: npt.ArrayLike, *, pattern: str, band: str) -> Floats:
        """Calibrated quantiles of windows of one group, [..., 9] to [..., 9] on 0..10.

        They rise: each interval holds the next narrower one, and all of them hold the median.
        """
        return self.with_margins(quantiles, self.margins_for(pattern=pattern, band=band))

    def with_margins(self, quantiles: npt.ArrayLike, margins: npt.ArrayLike) -> Floats:
        """The same with other margins, one for each of ``INTERVALS``."""
        median, low, high = ends_of(self.mapped(quantiles))
        wider = np.asarray(margins, np.float64)
        low = np.where(low <= 0, 0.0, low - wider)
        high = np.where(high >= SCALE_MAX, SCALE_MAX, high + wider)
        low, high = _nested(median, low, high)
        joined: Floats = np.concatenate([low[..., ::-1], median, high], axis=-1)
        return joined.clip(0.0, SCALE_MAX)

    def mapped(self, quantiles: npt.ArrayLike) -> Floats:
        """Quantiles [..., 9] before the margins: after the map, and what lies at an end of the scale put there.

        It lies there by the model or by the map: a map of the median pulls ends of intervals away from there.
        """
        given = np.asarray(quantiles, np.float64)
        x, y = zip(*self.knots, strict=True)
        mapped: Floats = np.interp(given, x, y)
        below, above = np.arange(LEVELS) < MIDDLE, np.arange(LEVELS) > MIDDLE
        mapped[below & (np.minimum(given, mapped) <= self.edge)] = 0.0
        mapped[above & (np.maximum(given, mapped) >= SCALE_MAX - self.edge)] = SCALE_MAX
        return mapped


def identity() -> Calibration:
    """Changes nothing but quantiles that cross or leave the scale: for weights that were never trained."""
    return Calibration(((0.0, 0.0), (SCALE_MAX, SCALE_MAX)), {POOLED: Margins((0.0,) * len(INTERVALS), infants=0)})


def ends_of(quantiles: Floats) -> tuple[Floats, Floats, Floats]:
    """Median [..., 1], lower and upper ends [..., 4] in the order of ``INTERVALS``, of quantiles [..., 9].

    Quantiles that cross say nothing about which of them is wrong: an interval is what holds all of them up to its own.
    """
    below, above = quantiles[..., MIDDLE - 1 :: -1], quantiles[..., MIDDLE + 1 :]
    median = quantiles[..., MIDDLE : MIDDLE + 1]
    return median, *_nested(median, np.minimum(below, above), np.maximum(below, above))


def _nested(median: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Each interval with the narrower ones and the median inside."""
    return (
        np.minimum(np.minimum.accumulate(low, axis=-1), median),
        np.maximum(np.maximum.accumulate(high, axis=-1), median),
    )
