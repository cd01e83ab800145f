"""Who is trained on and who is judged: infants are never on both sides, whatever the split.

Everything is drawn from a seed and from the infants' names, not from the order of the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neopain.domain.annotation import Segment, Subject
from neopain.domain.gestation import ga_band
from neopain.errors import ConfigurationError

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Fold:
    """Indices into the segments that were split, ascending; ``name`` says what is left out."""

    name: str
    train: Indices
    test: Indices


def leave_one_subject_out(segments: Sequence[Segment]) -> tuple[Fold, ...]:
    """One fold for each infant, in the order of their names; ``ConfigurationError`` for fewer than two infants."""
    subjects = sorted(_by_id(segment.subject for segment in segments))
    _require_two(subjects, "infants")
    return tuple(_fold(segments, subject, {subject}) for subject in subjects)


def leave_one_site_out(segments: Sequence[Segment]) -> tuple[Fold, ...]:
    """One fold for each site, in the order of their names; the stand-in for an external validation.

    ``ConfigurationError`` for fewer than two sites, and for an infant that was at two: it would be on both sides.
    """
    sites: dict[str, set[str]] = {}
    for segment in segments:
        sites.setdefault(segment.subject.site, set()).add(segment.subject.id)
    _require_two(sites, "sites")
    seen: dict[str, str] = {}
    for site, subjects in sites.items():
        for subject in subjects:
            if seen.setdefault(subject, site) != site:
                raise ConfigurationError(
                    f"infant {subject!r} is at the sites {seen[subject]!r} and {site!r}: give it one of them"
                )
    return tuple(_fold(segments, site, sites[site]) for site in sorted(sites))


def grouped_k_fold(segments: Sequence[Segment], k: int, *, seed: int) -> tuple[Fold, ...]:
    """``k`` folds of whole infants, alike in size and in gestational age.

    ``ConfigurationError`` for fewer than two folds, or fewer infants than folds.
    """
    subjects = _by_id(segment.subject for segment in segments)
    if not 2 <= k <= len(subjects):
        raise ConfigurationError(f"{k} folds of {len(subjects)} infants: give 2 folds or more, and an infant for each")
    ordered = _in_bands(subjects, seed)
    return tuple(_fold(segments, f"fold {one + 1} of {k}", set(ordered[one::k])) for one in range(k))


def hold_out(subjects: Iterable[Subject], shares: Mapping[str, float], *, seed: int) -> dict[str, frozenset[str]]:
    """The ids of the infants of each part, such as train, tune, calibrate and test; every infant is in exactly one.

    ``shares`` are the parts' shares of the infants and sum to 1; each part is alike in gestational age. A part with a
    share above 0 has an infant at least. ``ConfigurationError`` for other shares, and for fewer infants than parts.
    """
    if any(share < 0 for share in shares.values()) or abs(sum(shares.values()) - 1) > 1e-6:
        raise ConfigurationError(f"shares {dict(shares)} must not be negative and must sum to 1")
    ordered = _in_bands(_by_id(subjects), seed)
    wanted = [part for part, share in shares.items() if share > 0]
    if len(ordered) < len(wanted):
        raise ConfigurationError(
            f"{len(ordered)} infants for the parts {', '.join(wanted)}: give one at least for each"
        )
    sizes = _sizes({part: shares[part] for part in wanted}, len(ordered))
    parts: dict[str, set[str]] = {part: set() for part in shares}
    for place, subject in enumerate(ordered, 1):
        # The part that lags furthest behind its share so far: parts fill evenly over the bands.
        open_parts = [part for part in wanted if len(parts[part]) < sizes[part]]
        behind = {part: sizes[part] * place / len(ordered) - len(parts[part]) for part in open_parts}
        parts[max(behind, key=behind.__getitem__)].add(subject)
    return {part: frozenset(members) for part, members in parts.items()}


def indices_of(segments: Sequence[Segment], subjects: Iterable[str]) -> Indices:
    """The indices of the segments of these infants, ascending."""
    members = frozenset(subjects)
    return np.flatnonzero([segment.subject.id in members for segment in segments])


def _fold(segments: Sequence[Segment], name: str, left_out: set[str]) -> Fold:
    is_test = np.array([segment.subject.id in left_out for segment in segments])
    return Fold(name, np.flatnonzero(~is_test), np.flatnonzero(is_test))


def _by_id(subjects: Iterable[Subject]) -> dict[str, Subject]:
    return {subject.id: subject for subject in subjects}


def _in_bands(subjects: Mapping[str, Subject], seed: int) -> list[str]:
    """The ids band by band of gestational age, in random order within each."""
    names = sorted(subjects)
    drawn = np.random.default_rng(seed).permutation(len(names))
    return sorted(
        (names[place] for place in drawn),
        key=lambda name: ga_band(subjects[name].gestational_age_days),
    )


def _sizes(shares: Mapping[str, float], count: int) -> dict[str, int]:
    """Whole numbers that sum to ``count``, near their shares (largest remainders) and at least 1."""
    exact = {part: share * count / sum(shares.values()) for part, share in shares.items()}
    sizes = {part: max(int(size), 1) for part, size in exact.items()}
    while (difference := count - sum(sizes.values())) != 0:
        step = 1 if difference > 0 else -1
        movable = [part for part in sizes if sizes[part] + step >= 1]
        sizes[max(movable, key=lambda part: step * (exact[part] - sizes[part]))] += step
    return sizes


def _require_two(groups: Iterable[str], word: str) -> None:
    names = list(groups)
    if len(names) < 2:
        raise ConfigurationError(f"{len(names)} {word} in the data: leaving one out needs two at least")
