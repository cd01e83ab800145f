"""Fusion against simpler models on the same windows, infant by infant."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neopain.training.figures.accuracy import agreement
from neopain.training.figures.sample import Node, Resampling, Sample, number
from neopain.training.predictions import FUSION, Predictions
from neopain.training.statistics import deviation
from neopain.training.statistics.comparison import compare, mean_per_subject

UNCALIBRATED = "fusion-uncalibrated"
"""The served model's raw answers in ``Predictions.models``: what is compared, as baselines have no calibration."""


def comparisons(predictions: Predictions, effort: Mapping[str, Mapping[str, object]], resampling: Resampling) -> Node:
    """Each baseline's error, and whether fusion is better by Wilcoxon's test; ``effort``: trials and budget of each."""
    reference = UNCALIBRATED if UNCALIBRATED in predictions.models else FUSION
    names = [name for name in predictions.models if name not in {FUSION, UNCALIBRATED}]
    errors = {name: _per_infant(predictions, name) for name in (reference, *names)}
    found = {one.model: one for one in compare(errors, reference=reference)}
    return {
        "reference": reference,
        "fusion": _error(predictions, reference, resampling),
        "p_max": _p(max((one.p_better_holm for one in found.values()), default=np.nan)),
        "baselines": {
            name: {
                **_error(predictions, name, resampling),
                "median_difference": number(found[name].median_difference),
                "share_better": number(found[name].share_better),
                "rank_sum": number(found[name].rank_sum),
                "p": _p(found[name].p_better),
                "p_holm": _p(found[name].p_better_holm),
                "p_two_sided": _p(found[name].p_differs),
                "p_two_sided_holm": _p(found[name].p_differs_holm),
                "trials": effort.get(name, {}).get("trials"),
                "budget": effort.get(name, {}).get("budget"),
            }
            for name in names
        },
    }


def _error(predictions: Predictions, model: str, resampling: Resampling) -> Node:
    sample = Sample(predictions.windows, predictions.models[model].quantiles)
    return {
        "infants": sample.infants,
        "windows": len(sample.windows),
        "mae": sample.estimated(deviation.mae, resampling),
        "icc21": sample.estimated(agreement, resampling),
    }


def _per_infant(predictions: Predictions, model: str) -> np.ndarray:
    sample = Sample(predictions.windows, predictions.models[model].quantiles)
    return mean_per_subject(np.abs(sample.scores - sample.labels), sample.subjects)[1]


def _p(value: float) -> float | None:
    return float(f"{value:.3g}") if np.isfinite(value) else None
