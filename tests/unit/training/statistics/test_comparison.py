"""Signed-rank tests against scipy, Holm's correction against a worked example."""

from __future__ import annotations

import numpy as np
import pytest

from neopain.errors import ContractBroken
from neopain.training.statistics.comparison import compare, holm, mean_per_subject

FUSION = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 0.4, 0.3])
FACE = FUSION + np.array([0.31, 0.22, 0.13, 0.44, -0.05, 0.26, 0.37, 0.18])


def test_p_values_are_those_of_scipy_and_say_on_which_side() -> None:
    from scipy.stats import wilcoxon

    found = compare({"fusion": FUSION, "face": FACE}, reference="fusion")[0]
    assert found.p_better == pytest.approx(wilcoxon(FACE, FUSION, alternative="greater").pvalue)
    assert found.p_differs == pytest.approx(wilcoxon(FACE, FUSION).pvalue)


def test_eight_infants_of_whom_only_the_least_changed_is_worse() -> None:
    found = compare({"face": FACE, "fusion": FUSION}, reference="fusion")[0]
    assert (found.rank_sum, found.p_better, found.p_differs) == (35.0, pytest.approx(2 / 256), pytest.approx(4 / 256))
    assert (found.n_infants, found.median_difference, found.share_better) == (8, pytest.approx(0.24), 0.875)


def test_a_model_that_is_better_than_the_reference_has_a_p_near_1_on_that_side() -> None:
    found = compare({"fusion": FACE, "face": FUSION}, reference="fusion")[0]
    assert (found.p_better > 0.98, found.median_difference < 0) == (True, True)


def test_several_models_are_corrected_for_their_number_in_the_order_given() -> None:
    errors = {"fusion": FUSION, "face": FACE, "cry": FUSION + 0.5 + FACE, "same": FUSION}
    found = compare(errors, reference="fusion")
    assert [one.model for one in found] == ["face", "cry", "same"]
    assert [one.p_better_holm for one in found] == pytest.approx([2 * 2 / 256, 3 / 256, 1.0])


def test_equal_errors_throughout_show_no_difference() -> None:
    found = compare({"fusion": FUSION, "same": FUSION}, reference="fusion")[0]
    assert (found.p_better, found.p_differs, found.rank_sum) == (1.0, 1.0, 0.0)


def test_infants_without_a_difference_do_not_count_in_the_test() -> None:
    with_ties = compare({"fusion": np.append(FUSION, 1.0), "face": np.append(FACE, 1.0)}, reference="fusion")[0]
    assert with_ties.p_better == pytest.approx(2 / 256)


@pytest.mark.parametrize("n", [1, 5, 14, 60])
def test_errors_with_ties_give_a_p_value_at_any_number_of_infants(n: int) -> None:
    found = compare({"fusion": np.zeros(n), "face": np.ones(n)}, reference="fusion")[0]
    assert 0.0 < found.p_better <= 0.5


def test_a_model_with_nan_has_no_p_value_and_still_counts() -> None:
    spoilt = np.where(np.arange(8) == 3, np.nan, FACE)
    broken, sound = compare({"fusion": FUSION, "broken": spoilt, "face": FACE}, reference="fusion")
    assert np.isnan([broken.p_better, broken.p_better_holm, broken.median_difference]).all()
    assert sound.p_better_holm == pytest.approx(2 * 2 / 256)


def test_no_infants_give_no_p_value() -> None:
    assert np.isnan(compare({"fusion": np.array([]), "face": np.array([])}, reference="fusion")[0].p_better)


def test_a_reference_alone_is_compared_with_nothing() -> None:
    assert compare({"fusion": FUSION}, reference="fusion") == ()


@pytest.mark.parametrize(
    ("errors", "word"), [({"face": FACE}, "'fusion'"), ({"fusion": FUSION, "face": FACE[:3]}, "'face'")]
)
def test_what_cannot_be_compared_breaks_the_contract(errors: dict[str, np.ndarray], word: str) -> None:
    with pytest.raises(ContractBroken, match=word):
        compare(errors, reference="fusion")


def test_holm_multiplies_the_smallest_by_most_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_stops_at_1() -> None:
    assert holm([0.6, 0.7]).tolist() == [1.0, 1.0]


def test_a_test_without_a_p_value_counts_in_the_correction() -> None:
    adjusted = holm([np.nan, 0.02])
    assert (np.isnan(adjusted[0]), adjusted[1]) == (True, 0.04)


def test_one_infants_windows_are_averaged_first() -> None:
    names, means = mean_per_subject(np.array([1.0, 2.0, 3.0]), ["b", "a", "b"])
    assert (names, means.tolist()) == (("a", "b"), [2.0, 2.0])


def test_windows_without_an_infant_break_the_contract() -> None:
    with pytest.raises(ContractBroken, match="2 windows"):
        mean_per_subject(np.zeros(3), ["a", "b"])
