"""The baselines as they are applied: from encoded windows to the same table that the fusion gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import nn

from neopain.features.signature import PRESENT_FLAGS, QUANTILES
from neopain.training.baselines.hand import without_letters
from neopain.training.baselines.linear import SCALE, Linear
from neopain.training.encoded import Encoded
from neopain.training.machine import Machine
from neopain.training.patterns import present_of
from neopain.training.pool import Flags
from neopain.training.predict import abstentions, answers, kept_letters
from neopain.training.predictions import Floats, ModelPredictions

MEDIAN = QUANTILES.index(0.5)

EARLY, LATE, RIDGE = "early", "late", "ridge"
LEARNED = (*PRESENT_FLAGS, EARLY)
"""Trained by gradients, like the fusion; the others are fitted at once."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What a model was given, so that a comparison is fair: trials, steps and seconds of all of them together."""

    trials: int
    steps: int
    seconds: float
    tune_mae: float


class Baseline(Protocol):
    """One model to compare with."""

    @property
    def name(self) -> str:
        """``face``, ``cry``, ``vitals``, ``early``, ``late`` or ``ridge``."""

    @property
    def effort(self) -> Effort: ...

    def predict(self, encoded: Encoded, pattern: str | None = None) -> ModelPredictions:
        """What it says of encoded windows, with all they have or with what ``pattern`` leaves.

        It knows no distance (0), no modalities and no attention (NaN); ``ridge`` and ``late`` no sedation (NaN).
        """


@dataclass(frozen=True, slots=True)
class LearnedBaseline:
    """A head that was trained on tokens."""

    name: str
    effort: Effort
    net: nn.Module

    def predict(self, encoded: Encoded, pattern: str | None = None) -> ModelPredictions:
        """See ``Baseline``."""
        keep = kept_letters(encoded, pattern)
        quantiles, sedation = self.outputs(encoded, keep)
        return as_predictions(quantiles, sedation, keep)

    def outputs(self, encoded: Encoded, keep: Flags) -> tuple[Floats, Floats]:
        """Quantiles [n, 9] and sedation [n]."""
        net, machine = self.net.eval(), Machine(torch.device("cpu"), None)
        quantiles, sedation = answers(lambda batch: net(batch)[:2], encoded, keep, machine)
        return quantiles, sedation


@dataclass(frozen=True, slots=True)
class RidgeBaseline:
    """Ridge regression on the ten features made by hand."""

    effort: Effort
    linear: Linear
    name: str = RIDGE

    def predict(self, encoded: Encoded, pattern: str | None = None) -> ModelPredictions:
        """See ``Baseline``."""
        keep = kept_letters(encoded, pattern)
        features = without_letters(encoded.hand, keep).astype(np.float64)
        return as_predictions(self.linear.quantiles(features), None, keep)


@dataclass(frozen=True, slots=True)
class LateBaseline:
    """Late fusion: the medians of the unimodal models, joined by a linear map for each combination that is present."""

    effort: Effort
    alone: Mapping[str, LearnedBaseline]
    linear: Mapping[str, Linear]
    """By the present modalities, such as ``face+vitals``; one that never occurred is not in it."""
    name: str = LATE

    def predict(self, encoded: Encoded, pattern: str | None = None) -> ModelPredictions:
        """See ``Baseline``; a combination that was never seen gets the mean of its models' quantiles."""
        keep = kept_letters(encoded, pattern)
        present = present_of(keep)
        each = np.stack([self.alone[flag].outputs(encoded, keep)[0] for flag in PRESENT_FLAGS], axis=1)
        quantiles = np.tile(SCALE * np.array(QUANTILES), (len(encoded), 1))
        for combination in np.unique(present, axis=0):
            rows = np.flatnonzero((present == combination).all(axis=1))
            if combination.any():
                quantiles[rows] = self._joined(each[rows][:, combination], combination_name(combination))
        return as_predictions(quantiles, None, keep)

    def _joined(self, quantiles: Floats, name: str) -> Floats:
        linear = self.linear.get(name)
        if linear is None:
            return np.asarray(quantiles.mean(axis=1))
        return linear.quantiles(quantiles[:, :, MEDIAN])


def combination_name(present: Flags) -> str:
    """Such as ``face+vitals``, of bool [3]."""
    return "+".join(flag for flag, is_there in zip(PRESENT_FLAGS, present, strict=True) if is_there)


def as_predictions(quantiles: Floats, sedation: Floats | None, keep: Flags) -> ModelPredictions:
    """A table that knows only a score."""
    count = len(keep)
    return ModelPredictions(
        quantiles=quantiles,
        sedation=np.full(count, np.nan) if sedation is None else sedation,
        distance=np.zeros(count),
        by_modality=np.full((count, len(PRESENT_FLAGS)), np.nan),
        attention=np.full((count, len(PRESENT_FLAGS)), np.nan),
        abstained=abstentions(keep),
    )
