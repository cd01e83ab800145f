"""ROC area against scikit-learn, shares at a cut-off, Wilson's interval against published values."""

from __future__ import annotations

import numpy as np
import pytest

from neopain.errors import ContractBroken
from neopain.training.statistics.discrimination import at_cut_off, auc, auc_by_subject, proportion, wilson

VALUES = np.array([0.5, 5.0, 4.0, 8.0, 3.0, 6.0])
POSITIVES = np.array([False, False, True, True, False, True])


@pytest.mark.parametrize("decimals", [0, 3])
def test_the_area_is_that_of_scikit_learn_ties_included(decimals: int) -> None:
    from sklearn.metrics import roc_auc_score

    random = np.random.default_rng(1)
    positives = random.random(80) < 0.4
    values = np.round(random.normal(0, 1, 80) + positives, decimals)
    assert auc(values, positives) == pytest.approx(roc_auc_score(positives, values))


@pytest.mark.parametrize("positives", [np.zeros(3, dtype=bool), np.ones(3, dtype=bool)])
def test_one_class_alone_has_no_area(positives: np.ndarray) -> None:
    assert np.isnan(auc(np.arange(3.0), positives))


def test_constant_values_have_the_area_of_chance() -> None:
    assert auc(np.ones(4), np.array([True, False, True, False])) == 0.5


def test_nan_leaves_no_area() -> None:
    assert np.isnan(auc(np.array([1.0, np.nan]), np.array([True, False])))


def test_the_areas_interval_over_infants_holds_it() -> None:
    random = np.random.default_rng(2)
    names = [str(infant) for infant in range(30) for _ in range(4)]
    positives = random.random(120) < 0.5
    found = auc_by_subject(random.normal(0, 1, 120) + positives, positives, names, seed=1, resamples=300)
    assert 0.5 < found.low < found.value < found.high < 1.0


def test_a_value_at_the_cut_off_is_not_above_it() -> None:
    found = at_cut_off(np.array([3.0, 3.1]), np.array([False, True]), 3.0)
    assert (found.true_positives, found.true_negatives, found.false_positives, found.false_negatives) == (1, 1, 0, 0)


def test_shares_are_of_all_of_the_positives_and_of_the_negatives() -> None:
    found = at_cut_off(VALUES, POSITIVES, 4.5)
    shares = (found.accuracy.value, found.sensitivity.value, found.specificity.value)
    assert shares == pytest.approx((4 / 6, 2 / 3, 2 / 3))


def test_without_positives_there_is_no_sensitivity() -> None:
    found = at_cut_off(VALUES, np.zeros(6, dtype=bool), 4.5)
    assert (np.isnan(found.sensitivity.value), found.specificity.value) == (True, 0.5)


def test_nan_leaves_no_accuracy() -> None:
    assert np.isnan(at_cut_off(np.array([np.nan]), np.array([True]), 3.0).accuracy.value)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"), [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)]
)
def test_wilsons_interval_is_the_published_one(hits: int, n: int, low: float, high: float) -> None:
    """Newcombe 1998, Stat Med 17:857-872, table I, method 3."""
    found = wilson(hits / n, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_windows_that_repeat_each_other_widen_the_interval() -> None:
    hits = np.array([True, True, False, True, False] * 4)
    names = [str(number) for number in range(5)] * 4
    independent, clustered = proportion(hits), proportion(hits, subjects=names)
    assert clustered.low < independent.low < independent.high < clustered.high


def test_hits_throughout_count_as_many_as_there_are_infants() -> None:
    found = proportion(np.ones(100, dtype=bool), subjects=list("abcde") * 20)
    assert found == wilson(1.0, 5.0)


def test_one_infant_gives_a_share_without_interval() -> None:
    found = proportion(np.array([True, False]), subjects=["a", "a"])
    assert (found.value, np.isnan(found.low)) == (0.5, True)


def test_a_share_of_nothing_is_nan() -> None:
    assert np.isnan(proportion(np.array([], dtype=bool)).value)


def test_numbers_in_the_place_of_booleans_break_the_contract() -> None:
    with pytest.raises(ContractBroken, match="booleans"):
        auc(np.zeros(2), np.array([0, 1]))  # type: ignore[arg-type]
