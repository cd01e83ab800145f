"""How far predictions lie from labels: mean absolute and root mean square error, bias, correlation, regression.

For an interval over infants give the function to ``cluster_bootstrap``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neopain.training.statistics.sample import NAN, Floats, is_constant, is_usable, paired


def mae(predicted: Floats, labels: Floats) -> float:
    """Mean absolute error, in the labels' unit."""
    predicted, labels = paired(predicted, labels)
    return float(np.abs(predicted - labels).mean()) if is_usable(predicted, labels) else NAN


def rmse(predicted: Floats, labels: Floats) -> float:
    """Root mean square error, in the labels' unit."""
    predicted, labels = paired(predicted, labels)
    return float(np.sqrt(((predicted - labels) ** 2).mean())) if is_usable(predicted, labels) else NAN


def bias(predicted: Floats, labels: Floats) -> float:
    """Mean of predicted minus label: above 0 the predictions are too high."""
    predicted, labels = paired(predicted, labels)
    return float((predicted - labels).mean()) if is_usable(predicted, labels) else NAN


def pearson(predicted: Floats, labels: Floats) -> float:
    """Pearson's product-moment correlation; NaN when either side is constant."""
    predicted, labels = paired(predicted, labels)
    if not is_usable(predicted, labels) or is_constant(predicted) or is_constant(labels):
        return NAN
    x, y = predicted - predicted.mean(), labels - labels.mean()
    return float(np.clip(x @ y / (np.linalg.norm(x) * np.linalg.norm(y)), -1.0, 1.0))


@dataclass(frozen=True, slots=True)
class CalibrationLine:
    """How labels lie about predictions: ``in_the_large`` is mean label minus mean prediction (0 is perfect),
    ``intercept`` and ``slope`` are of the regression of labels on predictions (0 and 1 are perfect; a slope below 1
    means predictions too extreme)."""

    in_the_large: float
    intercept: float
    slope: float


def calibration_line(predicted: Floats, labels: Floats) -> CalibrationLine:
    """Calibration in the large and slope (Cox 1958, Biometrika 45:562-565; Steyerberg 2019, chapter 15).

    The line is NaN where predictions are constant.
    """
    predicted, labels = paired(predicted, labels)
    if not is_usable(predicted, labels):
        return CalibrationLine(NAN, NAN, NAN)
    in_the_large = float(labels.mean() - predicted.mean())
    if is_constant(predicted):
        return CalibrationLine(in_the_large, NAN, NAN)
    x = predicted - predicted.mean()
    slope = float(x @ (labels - labels.mean()) / (x @ x))
    return CalibrationLine(in_the_large, float(labels.mean() - slope * predicted.mean()), slope)
