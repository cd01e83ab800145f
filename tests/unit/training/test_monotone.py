"""The map from the model's median to what raters say."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neopain.training.monotone import fit_map, weights_of


def test_every_infant_weighs_the_same() -> None:
    assert weights_of(np.array([3, 3, 7, 3, 3])).tolist() == [0.25, 0.25, 1.0, 0.25, 0.25]


def test_a_score_that_is_twice_too_high_is_halved() -> None:
    raw = np.linspace(0, 10, 1001)
    x, y = zip(*fit_map(raw, raw / 2, np.ones(1001)), strict=True)
    assert np.interp([2.0, 5.0, 8.0], x, y) == pytest.approx([1.0, 2.5, 4.0], abs=0.01)


def test_there_are_twenty_knots_at_most() -> None:
    raw = np.linspace(0.1, 9.9, 1000)
    assert len(fit_map(raw, raw, np.ones(1000))) == 20


def test_beyond_the_data_the_map_goes_on_at_a_slope_of_one() -> None:
    knots = fit_map(np.full(10, 4.0), np.full(10, 5.0), np.ones(10))
    assert knots == ((0.0, 1.0), (4.0, 5.0), (10.0, 10.0))


def test_labels_that_fall_while_the_score_rises_give_their_mean() -> None:
    raw = np.array([4.0, 4.5, 5.0, 5.5])
    _, y = zip(*fit_map(raw, np.array([6.0, 5.0, 4.0, 3.0]), np.ones(4))[1:-1], strict=True)
    assert y == (4.5, 4.5, 4.5, 4.5)


def test_a_heavier_window_counts_for_more() -> None:
    raw = np.full(2, 5.0)
    assert fit_map(raw, np.array([2.0, 8.0]), np.array([3.0, 1.0]))[1] == (5.0, 3.5)


@given(st.lists(st.tuples(st.floats(-2, 12), st.floats(0, 10), st.floats(0.01, 1)), min_size=1, max_size=60))
def test_any_map_rises_from_one_end_of_the_scale_to_the_other(rows: list[tuple[float, float, float]]) -> None:
    raw, label, weights = np.array(rows).T
    knots = fit_map(raw, label, weights)
    assert (knots[0][0], knots[-1][0]) == (0.0, 10.0)
    assert all(one[0] < following[0] and one[1] <= following[1] for one, following in pairwise(knots))
    assert all(0 <= y <= 10 for _, y in knots)
    assert len(knots) <= 20
