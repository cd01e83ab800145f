"""Weighted kappa against scikit-learn, and inputs that have none."""

from __future__ import annotations

import numpy as np
import pytest

from neopain.training.statistics.kappa import KappaWeights, kappa_by_subject, mean_pair_kappa, weighted_kappa

FIRST = np.array([0, 1, 2, 3, 7, 7, 4, 0], dtype=np.float64)
SECOND = np.array([0, 1, 3, 3, 6, 7, 2, 1], dtype=np.float64)


@pytest.mark.parametrize("weights", list(KappaWeights))
@pytest.mark.parametrize("seed", [1, 2])
def test_it_is_that_of_scikit_learn_over_all_steps_of_the_scale(weights: KappaWeights, seed: int) -> None:
    from sklearn.metrics import cohen_kappa_score

    random = np.random.default_rng(seed)
    first = random.integers(0, 8, 60)
    second = np.clip(first + random.integers(-2, 3, 60), 0, 7)
    theirs = cohen_kappa_score(first, second, labels=range(8), weights=weights.name.lower())
    assert weighted_kappa(first.astype(float), second.astype(float), weights) == pytest.approx(theirs)


def test_an_unused_step_of_the_scale_keeps_its_distance() -> None:
    near = weighted_kappa(np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0]), KappaWeights.QUADRATIC)
    far = weighted_kappa(np.array([0.0, 0.0, 7.0]), np.array([0.0, 1.0, 7.0]), KappaWeights.QUADRATIC)
    assert (near, far) == (pytest.approx(0.4), pytest.approx(1 - 3 / 185))


def test_the_same_scores_throughout_give_1_and_one_single_score_gives_nan() -> None:
    assert weighted_kappa(FIRST, FIRST, KappaWeights.LINEAR) == 1.0
    assert np.isnan(weighted_kappa(np.full(3, 0.1), np.full(3, 0.1), KappaWeights.QUADRATIC))


def test_two_raters_who_each_give_one_score_of_their_own_agree_as_by_chance() -> None:
    assert weighted_kappa(np.zeros(3), np.ones(3), KappaWeights.LINEAR) == 0.0


@pytest.mark.parametrize("second", [np.array([]), np.array([np.nan])])
def test_nothing_and_nan_give_nan(second: np.ndarray) -> None:
    assert np.isnan(weighted_kappa(second, second, KappaWeights.LINEAR))


def test_the_interval_over_infants_holds_the_value() -> None:
    subjects = list("aabbccdd")
    found = kappa_by_subject(FIRST, SECOND, subjects, weights=KappaWeights.QUADRATIC, seed=3)
    assert found.value == weighted_kappa(FIRST, SECOND, KappaWeights.QUADRATIC)
    assert found.low < found.value <= found.high <= 1.0


def test_several_raters_have_the_mean_kappa_of_their_pairs() -> None:
    third = np.array([0, 1, 2, 3, 6, 7, 4, 1], dtype=np.float64)
    pairs = [(FIRST, SECOND), (FIRST, third), (SECOND, third)]
    expected = np.mean([weighted_kappa(one, other, KappaWeights.LINEAR) for one, other in pairs])
    assert mean_pair_kappa(np.column_stack([FIRST, SECOND, third]), KappaWeights.LINEAR) == pytest.approx(expected)


def test_a_rater_who_shares_no_segment_with_others_does_not_count() -> None:
    alone = np.full(8, np.nan)
    ratings = np.column_stack([FIRST, SECOND, alone])
    assert mean_pair_kappa(ratings, KappaWeights.LINEAR) == weighted_kappa(FIRST, SECOND, KappaWeights.LINEAR)
