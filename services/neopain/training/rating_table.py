"""Several raters' scores of the same segments on one scale, as a table; and when there is nothing to compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from neopain.domain.annotation import SCALE_RANGES, Scale, Segment
from neopain.errors import ConfigurationError
from neopain.training.statistics.sample import Floats

RESOLVED: Final = "resolved"
"""The rater's name under which a resolved label stands in a manifest."""


@dataclass(frozen=True, slots=True)
class RatingTable:
    """Segments with a rating on the scale; ``scores`` is [segments, raters] in points, NaN for not rated."""

    scale: Scale
    raters: tuple[str, ...]
    segments: tuple[Segment, ...]
    scores: Floats

    @property
    def subjects(self) -> tuple[str, ...]:
        """Whose segment each row is."""
        return tuple(segment.subject.id for segment in self.segments)


def scale_named(name: str) -> Scale:
    """The scale of that name in a manifest; ``ConfigurationError`` names the known ones."""
    try:
        return Scale(name)
    except ValueError as error:
        known = ", ".join(repr(scale.value) for scale in Scale)
        raise ConfigurationError(f"the scale {name!r} is not known; expected one of {known}") from error


def rating_table(segments: Sequence[Segment], scale: Scale) -> RatingTable:
    """The ratings on one scale, raters in alphabetical order.

    ``ConfigurationError`` when there is no agreement to speak of: no segments, fewer than two raters on the scale, no
    segment that two rated, or labels that are resolved already.
    """
    if not segments:
        raise ConfigurationError("the manifest has no segments: nothing to compare; name a manifest with ratings")
    rated = tuple(segment for segment in segments if segment.scores(scale))
    raters = tuple(sorted({rater for segment in rated for rater in segment.scores(scale)}))
    if RESOLVED in raters:
        raise ConfigurationError(
            f"the manifest has {scale.value} labels of {RESOLVED!r}: resolved already; name the manifest of the raters"
        )
    if len(raters) < 2:
        found = f"one rater only ({raters[0]})" if raters else f"none; it has {_scales_of(segments)}"
        raise ConfigurationError(f"agreement on {scale.value} needs two raters, the manifest has {found}")
    scores = np.array([[segment.scores(scale).get(rater, np.nan) for rater in raters] for segment in rated])
    if not (np.isfinite(scores).sum(axis=1) >= 2).any():
        raise ConfigurationError(
            f"no segment has {scale.value} ratings of two raters: {', '.join(raters)} rated different segments; "
            "let two of them rate the same ones"
        )
    return RatingTable(scale=scale, raters=raters, segments=rated, scores=scores)


def check_threshold(threshold: float, scale: Scale) -> None:
    """``ConfigurationError`` unless the threshold is within 0 and the width of the scale."""
    low, high = SCALE_RANGES[scale]
    if not 0.0 <= threshold <= high - low:
        raise ConfigurationError(
            f"the threshold is {threshold:g} points, expected 0 to {high - low:g} on {scale.value} ({low:g}..{high:g})"
        )


def _scales_of(segments: Sequence[Segment]) -> str:
    found = sorted({rating.scale.value for segment in segments for rating in segment.ratings})
    return f"ratings on {', '.join(found)}" if found else "no ratings at all"
