"""Predictions to be judged: raw ones of every window and presence pattern, then calibrated as served or fold by fold.

A fold's calibration is fitted to infants that are not in it; the nets are the same throughout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final, assert_never

import numpy as np

from neopain.domain.annotation import Segment
from neopain.domain.calibration import PATTERNS, Calibration
from neopain.errors import ConfigurationError
from neopain.training.baselines.models import Baseline
from neopain.training.calibrate import apply, calibrate
from neopain.training.encoded import Encoded
from neopain.training.figures.comparisons import UNCALIBRATED
from neopain.training.nets import Nets, rows_of
from neopain.training.patterns import letters_of, patterns_of
from neopain.training.pool import Indices
from neopain.training.predictions import FUSION, ModelPredictions, Predictions
from neopain.training.splits import Fold, grouped_k_fold, leave_one_site_out, leave_one_subject_out
from neopain.training.table_rows import joined, take
from neopain.training.targets import rated_window

FOLDS: Final = 10


class Split(Enum):
    """How infants are kept apart; the value is the word of the command line."""

    NONE = "none"
    """The calibration that came with the model, for all."""
    LOSO = "loso"
    KFOLD = "kfold"
    SITE = "site"


@dataclass(frozen=True, slots=True)
class Raw:
    """What nets say before calibration.

    ``recorded`` has a row for each of the segments, as it was recorded, with all models. ``patterns`` has, for each of
    the 15, the segments that have all of its letters (their numbers, ascending) and what the fusion says of them with
    only these.
    """

    segments: tuple[Segment, ...]
    recorded: Predictions
    patterns: dict[str, tuple[Indices, Predictions]]


@dataclass(frozen=True, slots=True)
class Judged:
    """What ``evaluate.figures`` takes."""

    predictions: Predictions
    patterns: dict[str, Predictions]
    without_infant: Predictions
    prolonged: dict[str, Any] | None = None
    """``prolonged.prolonged_figures`` of the courses of hours, if any."""


def judgeable(segments: Sequence[Segment], labels: np.ndarray) -> Indices:
    """The numbers of the segments with an infant and a NIPS rating, and of those without an infant."""
    asked = [bool(np.isfinite(label)) or not one.has_infant for one, label in zip(segments, labels, strict=True)]
    return np.flatnonzero(asked)


def raw_predictions(
    nets: Nets,
    encoded: Encoded,
    segments: Sequence[Segment],
    baselines: Mapping[str, Baseline],
    *,
    served: ModelPredictions | None = None,
) -> Raw:
    """What the nets and the baselines say of encoded segments.

    ``served`` is what a server said of them as recorded; without it the nets are asked for that too.
    """
    patterns = patterns_of(encoded.letters)
    windows = tuple(rated_window(segment, own) for segment, own in zip(segments, patterns, strict=True))
    models = {FUSION: served or nets.predict(encoded)}
    models |= {name: baseline.predict(encoded) for name, baseline in baselines.items()}
    found: dict[str, tuple[Indices, Predictions]] = {}
    for pattern in PATTERNS:
        rows = np.flatnonzero((encoded.letters | ~letters_of([pattern])).all(axis=1))
        if len(rows):
            less = tuple(replace(windows[row], pattern=pattern) for row in rows.tolist())
            found[pattern] = rows, Predictions(less, {FUSION: nets.predict(rows_of(encoded, rows), pattern)})
    return Raw(tuple(segments), Predictions(windows, models), found)


def judge(raw: Raw, split: Split, *, own: Calibration, seed: int) -> Judged:
    """The raw predictions, calibrated. ``own`` is the calibration that came with the model.

    ``ConfigurationError`` when there are too few infants or sites for the split.
    """
    rows = np.arange(len(raw.segments))
    parts = [(rows, own)] if split is Split.NONE else _crossed(raw, folds_of(raw.segments, split, seed=seed), seed)
    order = np.argsort(np.concatenate([some for some, _ in parts]), kind="stable")
    done = take(joined([apply(calibration, take(raw.recorded, some)) for some, calibration in parts]), order)
    done = replace(done, models=done.models | {UNCALIBRATED: raw.recorded.models[FUSION]})
    infants = np.array([segment.has_infant for segment in raw.segments], np.bool_)
    return Judged(
        predictions=take(done, np.flatnonzero(infants)),
        patterns={pattern: _in_pattern(raw, pattern, parts, infants) for pattern in raw.patterns},
        without_infant=take(done, np.flatnonzero(~infants)),
    )


def folds_of(segments: Sequence[Segment], split: Split, *, seed: int) -> tuple[Fold, ...]:
    """The folds of a split: in none of them is an infant on both sides."""
    match split:
        case Split.LOSO:
            return leave_one_subject_out(segments)
        case Split.KFOLD:
            infants = len({segment.subject.id for segment in segments})
            return grouped_k_fold(segments, min(FOLDS, infants), seed=seed)
        case Split.SITE:
            return leave_one_site_out(segments)
        case Split.NONE:
            raise ConfigurationError("the split 'none' has no folds: give loso, kfold or site")
        case _:
            assert_never(split)


def _crossed(raw: Raw, folds: Sequence[Fold], seed: int) -> list[tuple[Indices, Calibration]]:
    """The rows of each fold, and a calibration that was fitted to the infants of the others."""
    return [(fold.test, calibrate(calibration_set(raw, fold.train), seed=seed)) for fold in folds]


def calibration_set(raw: Raw, rows: Indices) -> Predictions:
    """What a calibration is fitted to: these segments in all patterns that they have, those without an infant left out.

    ``ConfigurationError`` when nothing is left.
    """
    with_infant = rows[[raw.segments[row].has_infant for row in rows.tolist()]]
    parts = [take(found, np.flatnonzero(np.isin(own, with_infant))) for own, found in raw.patterns.values()]
    if not any(part.windows for part in parts):
        raise ConfigurationError("no rated window is left to calibrate with: give more infants, or --split none")
    return joined(parts)


def _in_pattern(
    raw: Raw, pattern: str, parts: Sequence[tuple[Indices, Calibration]], infants: np.ndarray
) -> Predictions:
    rows, found = raw.patterns[pattern]
    done = []
    for some, calibration in parts:
        own = np.flatnonzero(np.isin(rows, some) & infants[rows])
        done.append(apply(calibration, take(found, own)))
    return joined(done)
