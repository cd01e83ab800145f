"""Margins against literal ranks, against MAPIE, and by simulation on infants that are not alike."""

from __future__ import annotations

import numpy as np
import pytest
from mapie.regression import ConformalizedQuantileRegressor
from scipy.stats import binom
from sklearn.linear_model import QuantileRegressor

from neopain.domain.calibration import Floats
from neopain.training.conformal import margin, nonconformity


def numbers(*values: float) -> Floats:
    """The values as an array."""
    return np.array(values, np.float64)


def test_nonconformity_is_the_distance_outside_of_the_interval() -> None:
    low, high = numbers(2, 2, 2, 2), numbers(4, 4, 4, 4)
    assert nonconformity(low, high, numbers(1, 2.5, 4, 7)).tolist() == [1.0, -0.5, 0.0, 3.0]


def test_no_label_lies_beyond_an_open_end() -> None:
    infinity = float("inf")
    assert nonconformity(numbers(-infinity), numbers(4), numbers(1)).tolist() == [-3.0]
    assert nonconformity(numbers(-infinity), numbers(infinity), numbers(1)).tolist() == [-infinity]


@pytest.mark.parametrize(("level", "least"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19)])
def test_fewer_infants_than_the_level_needs_say_nothing(level: float, least: int) -> None:
    scores = np.arange(least, dtype=np.float64)
    assert margin(scores, np.arange(least), level=level) == least - 1
    assert margin(scores[1:], np.arange(least - 1), level=level) == float("inf")


def test_no_window_at_all_says_nothing() -> None:
    assert margin(numbers(), np.arange(0), level=0.5) == float("inf")


def test_with_one_window_per_infant_it_is_the_split_conformal_rank() -> None:
    # ceil(0.8 * 20) = the 16th of 19
    assert margin(np.arange(1.0, 20.0), np.arange(19), level=0.8) == 16.0


def test_an_infant_with_many_windows_has_one_vote() -> None:
    scores = np.array([10.0] * 90 + [1.0] * 9)
    infants = np.array([0] * 90 + list(range(1, 10)))
    assert margin(scores, infants, level=0.8) == 1.0


def test_windows_that_are_all_alike_count_as_one() -> None:
    # ceil(0.9 * 36) = the 33rd of 35 infants
    assert margin(np.repeat(np.arange(1.0, 36.0), 30), np.repeat(np.arange(35), 30), level=0.9) == 33.0


def test_the_order_of_the_windows_does_not_matter() -> None:
    generator = np.random.default_rng(3)
    scores, infants = generator.normal(size=200), generator.integers(0, 40, 200)
    turned = generator.permutation(200)
    assert margin(scores[turned], infants[turned], level=0.9) == margin(scores, infants, level=0.9)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
def test_exchangeable_windows_get_the_margin_of_mapie(level: float) -> None:
    generator = np.random.default_rng(5)
    feature = generator.uniform(0, 4, (300, 1))
    label = feature[:, 0] + generator.normal(0, 1 + feature[:, 0])
    learned, held_out = slice(0, 100), slice(100, 300)
    levels = ((1 - level) / 2, (1 + level) / 2, 0.5)
    low, high, middle = (
        QuantileRegressor(quantile=quantile, alpha=0, solver="highs").fit(feature[learned], label[learned])
        for quantile in levels
    )
    theirs = ConformalizedQuantileRegressor([low, high, middle], confidence_level=level, prefit=True)
    theirs.conformalize(feature[held_out], label[held_out])
    _, intervals = theirs.predict_interval(np.array([[2.0]]), symmetric_correction=True)
    scores = nonconformity(low.predict(feature[held_out]), high.predict(feature[held_out]), label[held_out])
    ours = margin(scores, np.arange(200), level=level)
    assert low.predict([[2.0]])[0] - ours == pytest.approx(intervals[0, 0, 0])
    assert high.predict([[2.0]])[0] + ours == pytest.approx(intervals[0, 1, 0])


def draw(generator: np.random.Generator, infants: int, *, alike: float) -> Floats:
    """How far off the labels are of 30 windows of each infant, [infants, 30]; ``alike``: the infant's own share."""
    own = generator.normal(0, alike**0.5, (infants, 1))
    return np.abs(own + generator.normal(0, (1 - alike) ** 0.5, (infants, 30)))


@pytest.mark.parametrize("alike", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("infants", [20, 60])
def test_new_infants_are_covered_as_promised_however_alike_the_windows_of_one_are(infants: int, alike: float) -> None:
    generator = np.random.default_rng(11)
    new = np.sort(draw(generator, 20_000, alike=alike)[:, 0])
    names = np.repeat(np.arange(infants), 30)
    found = [margin(draw(generator, infants, alike=alike).ravel(), names, level=0.9) for _ in range(300)]
    covered = np.searchsorted(new, found, side="right") / len(new)
    assert covered.mean() == pytest.approx(0.9, abs=0.012)


@pytest.mark.parametrize("alike", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("sure", [0.5, 5 / 6, 0.95])
def test_so_many_calibrations_hold_what_is_said(sure: float, alike: float) -> None:
    generator = np.random.default_rng(11)
    new = np.sort(draw(generator, 20_000, alike=alike)[:, 0])
    names = np.repeat(np.arange(60), 30)
    drawn = (draw(generator, 60, alike=alike).ravel() for _ in range(400))
    found = [margin(scores, names, level=0.9, sure=sure) for scores in drawn]
    held = np.searchsorted(new, found, side="right") / len(new) >= 0.9
    # Where infants count as one window each, a margin is one of 60 values: the next one holds somewhat more.
    assert sure - 0.06 < held.mean() < sure + 0.12


@pytest.mark.parametrize("sure", [0.99, 1.0])
def test_to_be_sure_asks_for_no_more_than_the_infants_can_say(sure: float) -> None:
    assert margin(np.arange(1.0, 10.0), np.arange(9), level=0.9, sure=sure) == 9.0
    assert margin(np.arange(1.0, 9.0), np.arange(8), level=0.9, sure=sure) == float("inf")


@pytest.mark.parametrize("infants", [30, 59, 200])
def test_to_be_sure_of_strangers_is_what_the_binomial_says(infants: int) -> None:
    """One window each: the k-th of n holds the level in the share of calibrations in which fewer than k of n lie below
    its quantile (Wilks 1941)."""
    k = int(margin(np.arange(1.0, infants + 1), np.arange(infants), level=0.9, sure=0.8))
    assert binom.cdf(k - 1, infants, 0.9) >= 0.8 > binom.cdf(k - 2, infants, 0.9)


def test_infants_of_whom_few_windows_are_rated_are_covered_as_often() -> None:
    """Every fourth is unlike the others and soon left alone: 3 of its windows are rated in place of 30."""
    generator = np.random.default_rng(11)
    found, naive = [], []
    for _ in range(200):
        is_odd = generator.random(60) < 0.25
        off = draw(generator, 60, alike=0.5) * np.where(is_odd, 4, 1)[:, None]
        kept = np.arange(30) < np.where(is_odd, 3, 30)[:, None]
        scores, infants = off[kept], np.nonzero(kept)[0]
        found.append(margin(scores, infants, level=0.9))
        naive.append(margin(scores, np.arange(len(scores)), level=0.9))
    new = np.abs(generator.normal(0, 1, 40_000)) * np.where(generator.random(40_000) < 0.25, 4, 1)
    assert (new <= np.mean(found)).mean() == pytest.approx(0.9, abs=0.015)
    assert (new <= np.mean(naive)).mean() < 0.85
