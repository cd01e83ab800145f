"""Calibration of a model from rated windows of infants that it was neither trained nor tuned on.

A monotone map of the score, margins of the intervals by what was present and by gestational age, and the distance
beyond which the model abstains. Errors that decide are those of maps that were fitted to other infants.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np

from neopain.domain.calibration import (
    MIDDLE,
    NINETY,
    NOT_FINITE,
    AbstentionLimits,
    Calibration,
    Floats,
    Group,
    identity,
)
from neopain.errors import ConfigurationError
from neopain.training.conformal import Ints
from neopain.training.margins import group_margins
from neopain.training.monotone import Knots, fit_map, weights_of
from neopain.training.predictions import FUSION, ModelPredictions, Predictions
from neopain.training.rated import Bools, Rated, band_of, rated_windows

FOLDS = 10
EDGE = 0.35
"""Two raters' mean NIPS x10/7 moves in steps of 0.71: what lies within half a step of an end of the scale is there."""
MOST_ABSTAINED = 0.02
"""Share of the windows that may be too far from the training data."""
TRAINING_EDGE = 1.0
"""DISTANCE above which a window is unlike the training data: nothing nearer is too far."""


def calibrate(
    predictions: Predictions, *, model: str = FUSION, seed: int, most_abstained: float = MOST_ABSTAINED
) -> Calibration:
    """The calibration of a model; the same windows in any order and the same seed give the same.

    A window may be there in several presence patterns: each pattern gets margins of its own; the map is fitted to the
    windows as they were. The infants must be unknown to the model. ``ConfigurationError`` when fewer than two infants
    have rated windows.
    """
    rated = rated_windows(predictions, model)
    infants = len(np.unique(rated.infants))
    if infants < 2:
        raise ConfigurationError(
            f"rated windows of {infants} infant(s) were given to calibrate '{model}', expected at least 2: give more"
        )
    knots, mapped = _crossed_map(rated, seed)
    return Calibration(
        knots=knots,
        margins=group_margins(rated, mapped),
        edge=EDGE,
        limits=AbstentionLimits(most_distance=_most_distance(rated, most_abstained)),
        seed=seed,
    )


def apply(calibration: Calibration, predictions: Predictions, *, model: str = FUSION) -> Predictions:
    """The predictions with that model's quantiles calibrated and its abstentions told; those of others stay.

    An abstained window keeps its quantiles, and an earlier reason stays. A model without distances (NaN) abstains for
    none.
    """
    found = predictions.models[model]
    quantiles = _calibrated(calibration, predictions, found)
    width = quantiles[:, MIDDLE + 1 + NINETY] - quantiles[:, MIDDLE - 1 - NINETY]
    abstained = tuple(
        earlier or _reason(calibration, row, distance=found.distance[place], width=width[place])
        for place, (earlier, row) in enumerate(zip(found.abstained, quantiles, strict=True))
    )
    done = replace(found, quantiles=quantiles, abstained=abstained)
    return replace(predictions, models={**predictions.models, model: done})


def _calibrated(calibration: Calibration, predictions: Predictions, found: ModelPredictions) -> Floats:
    rows_of: dict[Group, list[int]] = defaultdict(list)
    for row, window in enumerate(predictions.windows):
        rows_of[window.pattern, band_of(window)].append(row)
    quantiles = np.empty(found.quantiles.shape, np.float64)
    for (pattern, band), rows in rows_of.items():
        quantiles[rows] = calibration.applied(found.quantiles[rows], pattern=pattern, band=band)
    return quantiles


def _reason(calibration: Calibration, quantiles: Floats, *, distance: float, width: float) -> str:
    if not np.isfinite(quantiles).all():
        return NOT_FINITE
    return calibration.limits.reason_for(distance=float(distance), width=float(width))


def _crossed_map(rated: Rated, seed: int) -> tuple[Knots, Floats]:
    """The map, and each row's quantiles [n, 9] after a map fitted to other infants.

    It is the identity where maps of other infants bring the medians no nearer to the labels. Only windows as they were
    decide: copies with less evidence would pull the score of those with all of it.
    """
    full = rated.fullest
    weights = weights_of(rated.infants[full])
    plain = replace(identity(), edge=EDGE)
    mapped = plain.mapped(rated.quantiles)
    crossed = np.empty_like(mapped)
    for other in _folds(rated.infants, seed):
        learned = full & ~np.isin(rated.infants, other)
        rows = np.isin(rated.infants, other)
        crossed[rows] = replace(plain, knots=_fit(rated, learned)).mapped(rated.quantiles[rows])
    errors = np.abs(np.stack([mapped, crossed])[:, full, MIDDLE] - rated.label[full])
    before, after = np.average(errors, axis=1, weights=weights)
    if after < before:
        return _fit(rated, full), crossed
    return plain.knots, mapped


def _fit(rated: Rated, rows: Bools) -> Knots:
    weights = weights_of(rated.infants[rows])
    return fit_map(rated.quantiles[rows, MIDDLE], rated.label[rows], weights)


def _folds(infants: Ints, seed: int) -> list[Ints]:
    """The infants in folds of about the same size."""
    shuffled = np.random.default_rng(seed).permutation(np.unique(infants))
    return np.array_split(shuffled, min(FOLDS, len(shuffled)))


def _most_distance(rated: Rated, most_abstained: float) -> float | None:
    """The limit that no more than that share passes, of all rows and of the windows as they were."""
    known = np.isfinite(rated.distance)
    asked = [rated.distance[rows] for rows in (known, known & rated.fullest) if rows.any()]
    reached = [float(np.quantile(distances, 1 - most_abstained, method="higher")) for distances in asked]
    return max(*reached, TRAINING_EDGE) if reached else None
