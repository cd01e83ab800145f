"""What the model says of its own doubt: intervals, CRPS, abstention; and the sedation axis beside pain."""

from __future__ import annotations

from collections import Counter

import numpy as np

from neopain.domain.scales import NIPS_X10_7
from neopain.domain.score import SCALE_MAX
from neopain.features.signature import QUANTILES
from neopain.training.figures.sample import Node, Resampling, Sample, estimate, finite_rows, number
from neopain.training.predictions import ModelPredictions, Predictions, RatedWindow
from neopain.training.statistics import deviation
from neopain.training.statistics.coverage import interval_figures
from neopain.training.statistics.crps import constant_width, crps

NINETY = 0.9


def intervals(sample: Sample, *, cutoff_nips: float) -> Node:
    """Coverage and width at each level, CRPS, and CRPS of the same scores with one width for all.

    That width is fitted to these very labels: the reference could not be better. ``with_pain`` is of the windows whose
    label is above so many NIPS points: the promise holds over all windows, and the easy ones must not hide the others.
    """
    same_width = constant_width(sample.scores, sample.labels, QUANTILES, bounds=(0.0, SCALE_MAX))
    painful = sample.where(sample.labels > NIPS_X10_7.to_reported(cutoff_nips))
    return {
        "levels": _levels(sample),
        "with_pain": {"windows": len(painful.windows), "levels": _levels(painful)},
        "crps": _mean(crps(sample.quantiles, QUANTILES, sample.labels)),
        "crps_constant_width": _mean(crps(same_width, QUANTILES, sample.labels)),
    }


def _levels(sample: Sample) -> Node:
    found = interval_figures(sample.quantiles, QUANTILES, sample.labels, subjects=sample.subjects)
    return {str(one.level): {"coverage": estimate(one.coverage), "width": number(one.mean_width)} for one in found}


def _mean(values: np.ndarray) -> float | None:
    return number(values.mean()) if len(values) else None


def abstention(predictions: Predictions, model: str, empty: Predictions | None, resampling: Resampling) -> Node:
    """How often, and why, the model gave no score; and what it said of windows that show no infant."""
    answers = predictions.models[model]
    silent = np.array([bool(reason) for reason in answers.abstained], dtype=np.bool_)
    sample, finite = Sample(predictions.windows, answers.quantiles), finite_rows(answers)
    return {
        **_silence(answers.abstained),
        "not_finite": int((~finite).sum()),
        "mae_answered": sample.where(finite & ~silent).estimated(deviation.mae, resampling),
        "mae_abstained": sample.where(finite & silent).estimated(deviation.mae, resampling),
        "without_infant": _silence(empty.models[model].abstained if empty else ()),
    }


def _silence(reasons: tuple[str, ...]) -> Node:
    counts = Counter(reason for reason in reasons if reason)
    total = sum(counts.values())
    return {
        "windows": len(reasons),
        "abstained": total,
        "share": number(total / len(reasons)) if reasons else None,
        "reasons": dict(sorted(counts.items(), key=lambda one: (-one[1], one[0]))),
    }


def sedation(windows: tuple[RatedWindow, ...], answers: ModelPredictions, resampling: Resampling) -> Node:
    """The sedation axis against the raters' N-PASS sedation, 0 to -10, where there is a rating."""
    labels = np.array([np.nan if one.sedation_label is None else one.sedation_label for one in windows], np.float64)
    rated = np.isfinite(labels) & np.isfinite(answers.sedation)
    sample = Sample(windows, answers.quantiles).where(rated)
    given, said = labels[rated], answers.sedation[rated]
    return {
        "infants": sample.infants,
        "windows": len(sample.windows),
        "mae": sample.over_rows(lambda rows: deviation.mae(said[rows], given[rows]), resampling),
        "pcc": sample.over_rows(lambda rows: deviation.pearson(said[rows], given[rows]), resampling),
    }
