"""What each modality is worth: the fifteen presence patterns, one modality gone, attention, each encoder alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neopain.domain.calibration import PATTERNS
from neopain.domain.scales import NIPS_X10_7
from neopain.features.signature import PRESENT_FLAGS, QUANTILES
from neopain.training.figures.doubt import NINETY
from neopain.training.figures.groups import group
from neopain.training.figures.sample import Node, Resampling, Sample, estimate, finite_rows, number, sample_of
from neopain.training.predictions import FUSION, ModelPredictions, Predictions, RatedWindow
from neopain.training.statistics import deviation
from neopain.training.statistics.bootstrap import cluster_bootstrap
from neopain.training.statistics.coverage import central_interval, mean_width

LETTERS = PATTERNS[0]
MODALITY_NAMES = {"F": "face", "C": "cry", "P": "physiology", "M": "movement"}
PAIN_LEVELS = {"low": (0.0, 2.0), "middle": (2.0, 4.0), "high": (4.0, 7.0)}
"""NIPS points above which, and up to which, pain counts as of a level; 0 is low."""

Key = tuple[str, str, str]


def patterns(by_pattern: Mapping[str, Predictions], resampling: Resampling) -> dict[str, Node]:
    """Each pattern's figures; ``not_finite`` counts answers that are no numbers. A pattern not asked is left out."""
    return {
        pattern: {
            **group(sample_of(by_pattern[pattern], FUSION), resampling),
            "not_finite": int((~finite_rows(by_pattern[pattern].models[FUSION])).sum()),
        }
        for pattern in PATTERNS
        if pattern in by_pattern
    }


def missing(by_pattern: Mapping[str, Predictions]) -> dict[str, Node]:
    """With all modalities, and with one gone, over the same windows."""
    found = {}
    for letter in LETTERS:
        rest = LETTERS.replace(letter, "")
        if LETTERS in by_pattern and rest in by_pattern:
            found[MODALITY_NAMES[letter]] = _without(by_pattern[LETTERS], by_pattern[rest])
    return found


def _without(whole: Predictions, less: Predictions) -> Node:
    with_all, without = sample_of(whole, FUSION), sample_of(less, FUSION)
    shared = {_key(window) for window in with_all.windows} & {_key(window) for window in without.windows}
    with_all, without = _only(with_all, shared), _only(without, shared)
    mae_with, mae_without = (deviation.mae(side.scores, side.labels) for side in (with_all, without))
    return {
        "windows": len(with_all.windows),
        "mae_with": number(mae_with),
        "mae_without": number(mae_without),
        "rise": number(mae_without / mae_with - 1.0) if mae_with > 0 else None,
        "width_with": number(_width(with_all)),
        "width_without": number(_width(without)),
    }


def _only(sample: Sample, keys: set[Key]) -> Sample:
    return sample.where(np.array([_key(window) in keys for window in sample.windows], dtype=np.bool_))


def _key(window: RatedWindow) -> Key:
    return window.subject, window.session, window.segment


def _width(sample: Sample) -> float:
    return mean_width(*central_interval(sample.quantiles, QUANTILES, NINETY))


def modalities(windows: tuple[RatedWindow, ...], answers: ModelPredictions, resampling: Resampling) -> Node:
    """Mean attention by level of pain where all three encoders had something, and the error of each one's own score."""
    everything = np.isfinite(answers.attention).all(axis=1) & np.isfinite(answers.by_modality).all(axis=1)
    points = np.array([NIPS_X10_7.to_raw(window.label) for window in windows], dtype=np.float64)
    return {
        "attention": {
            level: _attention(answers, everything & (points > low - (low == 0)) & (points <= high))
            for level, (low, high) in PAIN_LEVELS.items()
        },
        "alone": {
            name: _alone(windows, answers.by_modality[:, column], resampling)
            for column, name in enumerate(PRESENT_FLAGS)
        },
    }


def _attention(answers: ModelPredictions, rows: np.ndarray) -> Node:
    shares = answers.attention[rows].mean(axis=0) if rows.any() else [np.nan] * len(PRESENT_FLAGS)
    return {"windows": int(rows.sum()), **{name: number(s) for name, s in zip(PRESENT_FLAGS, shares, strict=True)}}


def _alone(windows: tuple[RatedWindow, ...], scores: np.ndarray, resampling: Resampling) -> Node:
    there = np.isfinite(scores)
    labels = np.array([window.label for window in windows], dtype=np.float64)[there]
    said = scores[there]
    subjects = [window.subject for window, is_there in zip(windows, there, strict=True) if is_there]
    return estimate(
        cluster_bootstrap(
            lambda rows: deviation.mae(said[rows], labels[rows]),
            subjects,
            seed=resampling.seed,
            resamples=resampling.resamples,
        )
    )
