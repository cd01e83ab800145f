"""Errors, correlation and the calibration line."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from neopain.errors import ContractBroken
from neopain.training.statistics.deviation import bias, calibration_line, mae, pearson, rmse
from neopain.training.statistics.sample import Floats

PREDICTED = np.array([1.0, 2.0, 3.0, 6.0])
LABELS = np.array([1.0, 3.0, 5.0, 5.0])
FIGURES = [mae, rmse, bias, pearson]


def test_errors_are_those_of_the_definition() -> None:
    assert (mae(PREDICTED, LABELS), rmse(PREDICTED, LABELS)) == (1.0, pytest.approx(1.5**0.5))


def test_predictions_that_are_too_low_have_a_negative_bias() -> None:
    assert bias(PREDICTED, LABELS) == -0.5


def test_pearson_is_that_of_scipy() -> None:
    from scipy.stats import pearsonr

    assert pearson(PREDICTED, LABELS) == pytest.approx(pearsonr(PREDICTED, LABELS).statistic)


@pytest.mark.parametrize("constant", [np.full(4, 0.1), np.full(4, 1e9)])
def test_a_constant_has_no_correlation(constant: Floats) -> None:
    assert np.isnan(pearson(constant, LABELS))
    assert np.isnan(pearson(LABELS, constant))


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("spoilt", [np.nan, np.inf])
def test_one_value_that_is_not_finite_is_not_hidden(figure: Callable[[Floats, Floats], float], spoilt: float) -> None:
    assert np.isnan(figure(np.array([1.0, spoilt, 3.0]), np.array([1.0, 2.0, 3.0])))


@pytest.mark.parametrize("figure", FIGURES)
def test_nothing_has_no_figure(figure: Callable[[Floats, Floats], float]) -> None:
    assert np.isnan(figure(np.array([]), np.array([])))


def test_one_window_has_an_error_and_no_correlation() -> None:
    one, two = np.array([1.0]), np.array([3.0])
    assert (mae(one, two), rmse(one, two), np.isnan(pearson(one, two))) == (2.0, 2.0, True)


def test_different_lengths_break_the_contract() -> None:
    with pytest.raises(ContractBroken, match=r"\(2,\)"):
        mae(np.zeros(2), np.zeros(3))


def test_predictions_twice_too_extreme_have_a_slope_of_one_half() -> None:
    labels = np.array([2.0, 4.0, 6.0])
    line = calibration_line(2.0 * labels - 4.0, labels)
    assert (line.in_the_large, line.intercept, line.slope) == pytest.approx((0.0, 2.0, 0.5))


def test_predictions_one_too_low_are_off_in_the_large() -> None:
    assert calibration_line(LABELS - 1.0, LABELS).in_the_large == pytest.approx(1.0)


def test_constant_predictions_have_no_slope() -> None:
    line = calibration_line(np.full(4, 0.1), LABELS)
    assert (line.in_the_large, np.isnan(line.slope)) == (pytest.approx(3.4), True)


def test_a_nan_prediction_leaves_no_calibration_line() -> None:
    assert np.isnan(calibration_line(np.array([1.0, np.nan]), np.array([1.0, 2.0])).in_the_large)
