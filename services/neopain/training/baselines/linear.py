"""Ridge regression with an interval of constant width: late fusion, and ten features made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neopain.features.signature import QUANTILES
from neopain.training.pool import Flags
from neopain.training.predictions import Floats

SCALE = 10.0
LEAST_SPREAD = 1e-6
LEAST_RESIDUALS = 40
"""With fewer tune windows the residuals of the training windows count too."""


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear map of features [n, k] where NaN counts as the mean, with a weight more for each that is missing."""

    centre: Floats
    spread: Floats
    weights: Floats
    """[2 k]: of the standardised features, then of their absence."""
    intercept: float
    residuals: Floats
    """[9]: quantiles of label minus value."""

    def values(self, features: Floats) -> Floats:
        """[n], not clipped."""
        return np.asarray(design(features, self.centre, self.spread) @ self.weights + self.intercept)

    def quantiles(self, features: Floats) -> Floats:
        """[n, 9] at the levels of ``QUANTILES``, within 0..10."""
        return np.clip(self.values(features)[:, None] + self.residuals[None], 0.0, SCALE)


@dataclass(frozen=True, slots=True)
class Rated:
    """Features [n, k] and labels [n] to learn from, or to decide by."""

    features: Floats
    labels: Floats


def fit_linear(train: Rated, tune: Rated, penalties: Sequence[float]) -> Linear:
    """The ridge whose penalty gives the least MAE on the tune windows; without any, the middle penalty."""
    known = ~np.isnan(train.features)
    count = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, train.features, 0.0).sum(axis=0) / count
    spread = np.sqrt(np.where(known, (train.features - centre) ** 2, 0.0).sum(axis=0) / count)
    spread = np.where(spread > LEAST_SPREAD, spread, 1.0)
    tried = [_fitted(train, tune, centre, spread, penalty) for penalty in penalties]
    if len(tune.labels) == 0:
        return tried[len(tried) // 2]
    return min(tried, key=lambda one: mean_absolute_error(one, tune))


def mean_absolute_error(linear: Linear, rated: Rated) -> float:
    """Of the clipped values; NaN without windows."""
    if len(rated.labels) == 0:
        return float("nan")
    return float(np.abs(np.clip(linear.values(rated.features), 0, SCALE) - rated.labels).mean())


def design(features: Floats, centre: Floats, spread: Floats) -> Floats:
    """[n, k] -> [n, 2 k]: standardised features, 0 where missing, and which are missing."""
    missing: Flags = np.isnan(features)
    standard = np.where(missing, 0.0, (features - centre) / spread)
    return np.concatenate([standard, missing.astype(np.float64)], axis=1)


def _fitted(train: Rated, tune: Rated, centre: Floats, spread: Floats, penalty: float) -> Linear:
    weights, intercept = _ridge(design(train.features, centre, spread), train.labels, penalty)
    plain = Linear(centre, spread, weights, intercept, np.zeros(1))
    judged = [tune] if len(tune.labels) >= LEAST_RESIDUALS else [tune, train]
    errors = np.concatenate([one.labels - plain.values(one.features) for one in judged])
    return Linear(centre, spread, weights, intercept, np.quantile(errors, QUANTILES))


def _ridge(inputs: Floats, labels: Floats, penalty: float) -> tuple[Floats, float]:
    """Weights and intercept of the least squares with a penalty on the weights (Hoerl and Kennard 1970)."""
    middle, level = inputs.mean(axis=0), float(labels.mean())
    inner = inputs - middle
    gram = inner.T @ inner + penalty * np.eye(inputs.shape[1])
    weights = np.asarray(np.linalg.solve(gram, inner.T @ (labels - level)))
    return weights, level - float(middle @ weights)


def penalties(count: int) -> tuple[float, ...]:
    """So many trials: from 0.1 to 1000, evenly in their logarithm; one is 10."""
    if count == 1:
        return (10.0,)
    return tuple(float(one) for one in np.logspace(-1, 3, count))


def as_arrays(linear: Linear) -> dict[str, npt.NDArray[np.float64]]:
    """Its numbers by name, for a file."""
    return {
        "centre": linear.centre,
        "spread": linear.spread,
        "weights": linear.weights,
        "intercept": np.array([linear.intercept]),
        "residuals": linear.residuals,
    }


def from_arrays(arrays: dict[str, npt.NDArray[np.float64]]) -> Linear:
    """What ``as_arrays`` gave; KeyError where something is missing."""
    return Linear(
        arrays["centre"], arrays["spread"], arrays["weights"], float(arrays["intercept"][0]), arrays["residuals"]
    )
