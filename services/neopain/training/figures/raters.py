"""How well raters agree among themselves, and how well the model agrees with one of them: like with like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import combinations
from typing import Final

import numpy as np

from neopain.training.figures.accuracy import agreement, kappa_of_nips, whole_points
from neopain.training.figures.sample import Node, Resampling, Sample
from neopain.training.predictions import RatedWindow
from neopain.training.statistics import deviation
from neopain.training.statistics.icc import IccForm, icc_value
from neopain.training.statistics.kappa import KappaWeights, mean_pair_kappa
from neopain.training.statistics.sample import NAN, Floats

OfRaters = Callable[[Floats], float]
"""A figure of ratings [n windows, k raters], on 0..10."""
OfOne = Callable[[Floats, Floats], float]
"""A figure of the model's scores and one rater's, [n] each."""


def raters(sample: Sample, resampling: Resampling) -> Node:
    """Raters among themselves, and the model against one rater (the mean over raters).

    Of windows with as many raters as most have; NaN throughout, and so None, when that is fewer than two.
    """
    count = _usual_count(sample.windows)
    rated = sample.where(np.array([len(window.ratings) == count for window in sample.windows], dtype=np.bool_))
    ratings = np.array([window.ratings for window in rated.windows], dtype=np.float64).reshape(-1, max(count, 1))
    return {
        "count": count,
        "windows": len(rated.windows),
        "between": {name: _between(rated, ratings, of, resampling) for name, of in BETWEEN.items()},
        "model_to_one": {name: _to_one(rated, ratings, of, resampling) for name, of in TO_ONE.items()},
    }


def _between(rated: Sample, ratings: Floats, statistic: OfRaters, resampling: Resampling) -> Node:
    if ratings.shape[1] < 2:
        return rated.over_rows(lambda _: NAN, resampling)
    return rated.over_rows(lambda rows: statistic(ratings[rows]), resampling)


def _to_one(rated: Sample, ratings: Floats, statistic: OfOne, resampling: Resampling) -> Node:
    scores = rated.scores
    if ratings.shape[1] < 2:
        return rated.over_rows(lambda _: NAN, resampling)
    return rated.over_rows(
        lambda rows: float(np.mean([statistic(scores[rows], one[rows]) for one in ratings.T])), resampling
    )


def _usual_count(windows: tuple[RatedWindow, ...]) -> int:
    counts = Counter(len(window.ratings) for window in windows)
    return max(counts, key=lambda count: (counts[count], count), default=0)


def _icc(ratings: Floats) -> float:
    return icc_value(ratings, IccForm.AGREEMENT)


def _pair_mae(ratings: Floats) -> float:
    return float(np.mean([deviation.mae(one, other) for one, other in combinations(ratings.T, 2)]))


def _pair_kappa(ratings: Floats) -> float:
    return mean_pair_kappa(whole_points(ratings), KappaWeights.QUADRATIC)


BETWEEN: Final[dict[str, OfRaters]] = {"icc21": _icc, "mae": _pair_mae, "kappa": _pair_kappa}
TO_ONE: Final[dict[str, OfOne]] = {"icc21": agreement, "mae": deviation.mae, "kappa": kappa_of_nips}
