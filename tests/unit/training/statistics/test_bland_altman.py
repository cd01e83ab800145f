"""Limits of agreement with several differences per infant."""

from __future__ import annotations

import numpy as np
import pytest

from neopain.errors import ContractBroken
from neopain.training.statistics.bland_altman import bland_altman, bland_altman_intervals


def test_the_variance_of_a_difference_is_that_between_infants_plus_that_within() -> None:
    # Mean squares 16 between and 2 within, two each: (16 - 2) / 2 + 2 = 9.
    found = bland_altman(np.array([0.0, 2.0, 4.0, 6.0]), list("aabb"))
    assert (found.bias, found.sd, found.sd_between**2, found.sd_within**2) == pytest.approx((3.0, 3.0, 7.0, 2.0))
    assert (found.lower, found.upper) == pytest.approx((3.0 - 5.88, 3.0 + 5.88))


def test_unequal_numbers_of_windows_are_weighed() -> None:
    # Means 1 and 6, mean squares 30 and 10/3, mean size (5 - 13/5) / 1 = 2.4.
    found = bland_altman(np.array([0.0, 2.0, 4.0, 6.0, 8.0]), list("aabbb"))
    assert found.sd_between**2 == pytest.approx((30 - 10 / 3) / 2.4)


def test_one_difference_per_infant_gives_the_plain_limits() -> None:
    differences = np.array([1.0, 2.0, 4.0])
    found = bland_altman(differences, list("abc"))
    assert (found.sd, np.isnan(found.sd_within)) == (pytest.approx(differences.std(ddof=1)), True)


def test_infants_who_differ_less_than_chance_have_no_variance_between() -> None:
    found = bland_altman(np.array([-1.0, 1.0, -1.0, 1.0]), list("aabb"))
    assert (found.sd_between, found.sd_within) == (0.0, pytest.approx(2.0**0.5))


def test_limits_that_ignore_infants_would_be_too_narrow() -> None:
    random = np.random.default_rng(2)
    differences = np.repeat(random.normal(0, 1, 8), 20) + random.normal(0, 0.5, 160)
    names = [str(infant) for infant in range(8) for _ in range(20)]
    assert bland_altman(differences, names).sd > differences.std(ddof=1)


def test_one_infant_has_a_bias_and_no_limits() -> None:
    found = bland_altman(np.array([1.0, 2.0]), ["a", "a"])
    assert (found.bias, np.isnan(found.lower), np.isnan(found.upper)) == (1.5, True, True)


def test_equal_differences_have_limits_of_no_width() -> None:
    found = bland_altman(np.full(4, 0.5), list("aabb"))
    assert (found.lower, found.bias, found.upper) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("differences", [np.array([]), np.array([1.0, np.nan])])
def test_nothing_and_nan_have_no_bias(differences: np.ndarray) -> None:
    assert np.isnan(bland_altman(differences, ["a", "b"][: differences.size]).bias)


def test_intervals_hold_their_values_and_come_in_order() -> None:
    random = np.random.default_rng(4)
    names = [str(infant) for infant in range(20) for _ in range(5)]
    differences = np.repeat(random.normal(0, 1, 20), 5) + random.normal(0, 1, 100)
    found = bland_altman_intervals(differences, names, seed=1, resamples=300)
    assert found.lower.low < found.lower.value < found.lower.high < found.bias.low < found.bias.value
    assert found.bias.high < found.upper.low < found.upper.value < found.upper.high


def test_one_infant_has_no_intervals() -> None:
    assert np.isnan(bland_altman_intervals(np.array([1.0, 2.0]), ["a", "a"], seed=1, resamples=10).bias.low)


def test_a_difference_without_an_infant_breaks_the_contract() -> None:
    with pytest.raises(ContractBroken, match="subjects"):
        bland_altman(np.zeros(3), ["a", "b"])
