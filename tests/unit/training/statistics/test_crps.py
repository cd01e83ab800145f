"""The ranked probability score against closed forms, and the model of constant width."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neopain.errors import ContractBroken
from neopain.features.signature import QUANTILES
from neopain.training.statistics.crps import constant_width, crps


@pytest.mark.parametrize("label", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("levels", [(0.0, 1.0), (0.0, 0.2, 0.9, 1.0)])
def test_a_uniform_prediction_has_the_closed_form(label: float, levels: tuple[float, ...]) -> None:
    found = crps(np.array([levels]), levels, np.array([label]))
    assert found == pytest.approx([label**3 / 3 + (1 - label) ** 3 / 3])


def test_a_label_outside_a_uniform_prediction_costs_the_distance_as_well() -> None:
    assert crps(np.array([[0.0, 1.0]]), (0.0, 1.0), np.array([3.0])) == pytest.approx([2.0 + 1 / 3])


def test_a_normal_prediction_comes_close_to_its_closed_form() -> None:
    from scipy.stats import norm

    levels = tuple(np.linspace(0.001, 0.999, 999))
    labels = np.array([0.0, 0.7, -2.0])
    closed = labels * (2 * norm.cdf(labels) - 1) + 2 * norm.pdf(labels) - 1 / np.sqrt(np.pi)
    assert crps(np.tile(norm.ppf(levels), (3, 1)), levels, labels) == pytest.approx(closed, abs=1e-3)


def test_a_prediction_without_doubt_costs_its_absolute_error() -> None:
    assert crps(np.full((2, 9), 4.0), QUANTILES, np.array([6.5, 3.0])) == pytest.approx([2.5, 1.0])


def test_one_level_alone_is_a_prediction_without_doubt() -> None:
    assert crps(np.array([[4.0]]), (0.5,), np.array([6.0])) == pytest.approx([2.0])


def test_quantiles_that_cross_are_put_in_order() -> None:
    labels = np.array([0.4])
    crossed, ordered = (crps(np.array([row]), (0.1, 0.5, 0.9), labels) for row in ([0.0, 1.0, 0.5], [0.0, 0.5, 1.0]))
    assert crossed == ordered


def test_a_row_with_nan_has_no_score_and_spares_the_others() -> None:
    found = crps(np.array([[np.nan, 1.0], [0.0, 1.0]]), (0.0, 1.0), np.array([0.5, 0.5]))
    assert (np.isnan(found[0]), found[1]) == (True, pytest.approx(1 / 12))


def test_no_rows_have_no_scores() -> None:
    assert crps(np.zeros((0, 2)), (0.1, 0.9), np.array([])).size == 0


@pytest.mark.parametrize(
    ("quantiles", "levels"),
    [
        (np.zeros((1, 2)), (0.5,)),
        (np.zeros((2, 1)), (0.5,)),
        (np.zeros((1, 2)), (0.9, 0.1)),
        (np.zeros((1, 2)), (0.5, 1.5)),
        (np.zeros((1, 0)), ()),
    ],
)
def test_quantiles_and_levels_that_do_not_fit_break_the_contract(quantiles: np.ndarray, levels: tuple[float]) -> None:
    with pytest.raises(ContractBroken, match="expected"):
        crps(quantiles, levels, np.array([1.0]))


@given(st.lists(st.floats(0, 10), min_size=9, max_size=9), st.floats(0, 10))
def test_it_is_twice_the_integral_of_the_pinball_loss(row: list[float], label: float) -> None:
    ordered = np.sort(row)
    fine = (np.arange(20_000) + 0.5) / 20_000
    quantile = np.interp(fine, QUANTILES, ordered)
    pinball = np.where(label >= quantile, fine * (label - quantile), (1 - fine) * (quantile - label))
    assert crps(ordered[None], QUANTILES, np.array([label]))[0] == pytest.approx(2 * pinball.mean(), abs=1e-3)


def test_the_reference_adds_the_same_doubt_to_every_prediction() -> None:
    points, labels = np.array([2.0, 4.0, 6.0]), np.array([1.0, 4.0, 7.0])
    found = constant_width(points, labels, (0.0, 0.5, 1.0), bounds=(0.0, 10.0))
    assert found.tolist() == [[1.0, 2.0, 3.0], [3.0, 4.0, 5.0], [5.0, 6.0, 7.0]]


def test_the_reference_stays_on_the_scale() -> None:
    found = constant_width(np.array([0.5, 9.5]), np.array([2.5, 7.5]), (0.0, 1.0), bounds=(0.0, 10.0))
    assert found.tolist() == [[0.0, 2.5], [7.5, 10.0]]


@pytest.mark.parametrize("points", [np.array([]), np.array([np.nan])])
def test_the_reference_of_nothing_or_nan_is_nan(points: np.ndarray) -> None:
    assert np.isnan(constant_width(points, np.zeros(points.size), (0.1, 0.9), bounds=(0.0, 10.0))).all()
