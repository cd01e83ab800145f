"""Which label a segment gets from several raters, and which segments need a third one.

The rule: the mean of the scores where all lie within the threshold; else, with three raters or more, the median; else
none, until a third rater has scored the segment. A label is never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean, median

from neopain.codecs.manifest import Key
from neopain.domain.annotation import Rating, Scale, Segment
from neopain.errors import ConfigurationError
from neopain.training.rating_table import RESOLVED, check_threshold


@dataclass(frozen=True, slots=True)
class Resolved:
    """A segment with its label (rater ``resolved``) in the place of the raters' scores on the scale.

    ``by_median``: the scores lay too far apart for their mean. ``stands_alone``: no two of them lie within the
    threshold, so nobody supports the median.
    """

    segment: Segment
    by_median: bool
    scores: dict[str, float]
    stands_alone: bool


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A segment that gets no label, its scores and why."""

    segment: Segment
    scores: dict[str, float]
    reason: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """What became of every segment. ``unrated`` have no rating on the scale: there is nothing to resolve in them."""

    resolved: tuple[Resolved, ...]
    unresolved: tuple[Unresolved, ...]
    unrated: tuple[Segment, ...]
    kept: tuple[Segment, ...]
    """What a manifest of resolved labels holds, in the order given: the resolved and, unchanged, the unrated."""
    third_not_needed: tuple[Key, ...]
    """Segments that a third rater scored although the others agree; that score is not used."""


def key_of(segment: Segment) -> Key:
    """Subject, session and segment: what names a segment within a data set."""
    return segment.subject.id, segment.session, segment.id


def disagreements(segments: Sequence[Segment], scale: Scale, *, threshold: float) -> tuple[Segment, ...]:
    """Segments whose scores lie further apart than ``threshold`` points, furthest first."""
    check_threshold(threshold, scale)
    apart = [segment for segment in segments if _spread(segment.scores(scale)) > threshold]
    return tuple(sorted(apart, key=lambda segment: (-_spread(segment.scores(scale)), key_of(segment))))


def resolve(
    segments: Sequence[Segment], scale: Scale, *, threshold: float, third: Mapping[Key, Rating] | None = None
) -> Resolution:
    """Applies the rule to every segment; ``third`` holds a third rater's ratings.

    ``ConfigurationError`` for a third rating of a segment that is not there, or by a rater who scored it already.
    """
    check_threshold(threshold, scale)
    extra = dict(third or {})
    _check_third(segments, scale, extra)
    resolved, unresolved, unrated, kept, not_needed = [], [], [], [], []
    for segment in segments:
        ratings = [rating for rating in segment.ratings if rating.scale is scale]
        rating = extra.get(key_of(segment))
        if rating is not None and (len(ratings) < 2 or _spread(segment.scores(scale)) > threshold):
            ratings.append(rating)
        elif rating is not None:
            not_needed.append(key_of(segment))
        match _outcome(segment, ratings, threshold):
            case None:
                unrated.append(segment)
                kept.append(segment)
            case Resolved() as found:
                resolved.append(found)
                kept.append(found.segment)
            case Unresolved() as found:
                unresolved.append(found)
    return Resolution(
        resolved=tuple(resolved),
        unresolved=tuple(unresolved),
        unrated=tuple(unrated),
        kept=tuple(kept),
        third_not_needed=tuple(not_needed),
    )


def _check_third(segments: Sequence[Segment], scale: Scale, third: Mapping[Key, Rating]) -> None:
    known = {key_of(segment): segment for segment in segments}
    for key, rating in third.items():
        name = " / ".join(key)
        if key not in known:
            raise ConfigurationError(f"the third rater scored {name}, which is not in the manifest; remove the row")
        if rating.rater in known[key].scores(scale) or rating.rater == RESOLVED:
            raise ConfigurationError(
                f"{rating.rater!r} cannot be the third rater of {name}: scored it already, or the name is reserved"
            )


def _outcome(segment: Segment, ratings: Sequence[Rating], threshold: float) -> Resolved | Unresolved | None:
    scores = {rating.rater: rating.score for rating in ratings}
    if not scores:
        return None
    if len(scores) == 1:
        return Unresolved(segment, scores, "one rater only")
    if _spread(scores) <= threshold:
        return _resolved(segment, ratings, by_median=False, stands_alone=False)
    if len(scores) == 2:
        return Unresolved(segment, scores, f"two raters differ by more than {threshold:g}, no third rater")
    nearest = min(after - before for before, after in pairwise(sorted(scores.values())))
    return _resolved(segment, ratings, by_median=True, stands_alone=nearest > threshold)


def _resolved(segment: Segment, ratings: Sequence[Rating], *, by_median: bool, stands_alone: bool) -> Resolved:
    scores = {rating.rater: rating.score for rating in ratings}
    label = median(scores.values()) if by_median else fmean(scores.values())
    behind = [rating for rating in ratings if rating.score == label] if by_median else list(ratings)
    scale = ratings[0].scale
    others = tuple(rating for rating in segment.ratings if rating.scale is not scale)
    resolved = Rating(scale=scale, rater=RESOLVED, score=label, items=_items(behind))
    return Resolved(replace(segment, ratings=(resolved, *others)), by_median, scores, stands_alone)


def _items(behind: Sequence[Rating]) -> dict[str, float]:
    """Mean of each item over the ratings behind the label; none unless all of them noted the same items."""
    if not behind or any(rating.items.keys() != behind[0].items.keys() for rating in behind):
        return {}
    return {item: fmean(rating.items[item] for rating in behind) for item in behind[0].items}


def _spread(scores: Mapping[str, float]) -> float:
    return max(scores.values()) - min(scores.values()) if scores else 0.0
