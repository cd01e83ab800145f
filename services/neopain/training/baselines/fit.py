"""Fits the baselines that need no gradients, on the windows and labels that the fusion learnt from."""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import product

import numpy as np

from neopain.features.signature import PRESENT_FLAGS
from neopain.training.baselines.linear import Linear, Rated, fit_linear, mean_absolute_error, penalties
from neopain.training.baselines.models import (
    MEDIAN,
    Effort,
    LateBaseline,
    LearnedBaseline,
    RidgeBaseline,
    combination_name,
)
from neopain.training.encoded import Encoded
from neopain.training.patterns import present_of
from neopain.training.pool import Indices
from neopain.training.predictions import Floats

LEAST_WINDOWS = 10
"""A combination of modalities with fewer training windows gets no map of its own."""


def fit_ridge(encoded: Encoded, labels: Floats, *, train: Indices, tune: Indices, trials: int) -> RidgeBaseline:
    """Ridge on the ten features made by hand; so many penalties are tried."""
    began = time.monotonic()
    features = encoded.hand.astype(np.float64)
    linear, mae = _fitted(features, labels, train, tune, trials)
    return RidgeBaseline(Effort(trials, 0, time.monotonic() - began, mae), linear)


def fit_late(
    alone: Mapping[str, LearnedBaseline],
    encoded: Encoded,
    labels: Floats,
    *,
    train: Indices,
    tune: Indices,
    trials: int,
) -> LateBaseline:
    """A map for each combination, from the windows that have all of it."""
    began = time.monotonic()
    present = present_of(encoded.letters)
    medians = np.stack([alone[flag].outputs(encoded, encoded.letters)[0][:, MEDIAN] for flag in PRESENT_FLAGS], axis=1)
    linears: dict[str, Linear] = {}
    for chosen in product([False, True], repeat=len(PRESENT_FLAGS)):
        combination = np.array(chosen)
        has = np.flatnonzero((present | ~combination).all(axis=1) & combination.any())
        own_train, own_tune = np.intersect1d(train, has), np.intersect1d(tune, has)
        if len(own_train) >= LEAST_WINDOWS:
            features = medians[:, combination]
            linears[combination_name(combination)], _ = _fitted(features, labels, own_train, own_tune, trials)
    spent = Effort(trials, 0, time.monotonic() - began, float("nan"))
    late = LateBaseline(spent, alone, linears)
    found = late.predict(encoded).quantiles[tune, MEDIAN]
    mae = float(np.abs(found - labels[tune]).mean()) if len(tune) else float("nan")
    return LateBaseline(Effort(trials, 0, time.monotonic() - began, mae), alone, linears)


def _fitted(features: Floats, labels: Floats, train: Indices, tune: Indices, trials: int) -> tuple[Linear, float]:
    on_tune = Rated(features[tune], labels[tune])
    linear = fit_linear(Rated(features[train], labels[train]), on_tune, penalties(trials))
    return linear, mean_absolute_error(linear, on_tune)
