"""What every figure starts from: rated windows with one model's answers, and how a figure is written down."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neopain.features.signature import QUANTILES
from neopain.training.predictions import ModelPredictions, Predictions, RatedWindow
from neopain.training.statistics.bootstrap import RESAMPLES, cluster_bootstrap
from neopain.training.statistics.sample import Estimated, Floats, Indices

MEDIAN = QUANTILES.index(0.5)
DIGITS = 5
"""After the point, of every figure that is written down."""

Node = dict[str, Any]
"""A part of the figures as JSON has it."""


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals over infants are drawn."""

    seed: int = 0
    resamples: int = RESAMPLES


@dataclass(frozen=True, slots=True)
class Sample:
    """Windows and one model's quantiles [n, q] for them, on 0..10."""

    windows: tuple[RatedWindow, ...]
    quantiles: Floats

    @property
    def labels(self) -> Floats:
        """Mean of the raters, [n] on 0..10."""
        return np.array([window.label for window in self.windows], dtype=np.float64)

    @property
    def scores(self) -> Floats:
        """The medians [n]."""
        scores: Floats = self.quantiles[:, MEDIAN]
        return scores

    @property
    def subjects(self) -> tuple[str, ...]:
        """Each window's infant."""
        return tuple(window.subject for window in self.windows)

    @property
    def infants(self) -> int:
        """Number of infants."""
        return len(set(self.subjects))

    def where(self, chosen: npt.NDArray[np.bool_]) -> Sample:
        """The windows that are chosen [n]."""
        kept = tuple(window for window, is_chosen in zip(self.windows, chosen, strict=True) if is_chosen)
        return Sample(kept, self.quantiles[chosen])

    def estimated(self, statistic: Callable[[Floats, Floats], float], resampling: Resampling) -> Node:
        """A figure of scores and labels with its interval over infants."""
        scores, labels = self.scores, self.labels
        return self.over_rows(lambda rows: statistic(scores[rows], labels[rows]), resampling)

    def over_rows(self, statistic: Callable[[Indices], float], resampling: Resampling) -> Node:
        """A figure of chosen rows with its interval over infants."""
        return estimate(
            cluster_bootstrap(statistic, self.subjects, seed=resampling.seed, resamples=resampling.resamples)
        )


def sample_of(predictions: Predictions, model: str) -> Sample:
    """One model's answers for all windows for which they are finite."""
    answers = predictions.models[model]
    return Sample(predictions.windows, answers.quantiles).where(finite_rows(answers))


def finite_rows(answers: ModelPredictions) -> npt.NDArray[np.bool_]:
    """Which windows [n] have finite quantiles."""
    return np.asarray(np.isfinite(answers.quantiles).all(axis=1), dtype=np.bool_)


def estimate(found: Estimated) -> Node:
    """An estimate as JSON."""
    return {"value": number(found.value), "low": number(found.low), "high": number(found.high)}


def number(value: float) -> float | None:
    """A finite number, rounded; None for what is not finite, which JSON cannot say."""
    return round(float(value), DIGITS) if math.isfinite(value) else None
