"""Coverage and width of central intervals."""

from __future__ import annotations

import numpy as np
import pytest

from neopain.errors import ContractBroken
from neopain.features.signature import QUANTILES
from neopain.training.statistics.coverage import (
    REPORTED_LEVELS,
    central_interval,
    coverage,
    interval_figures,
    mean_width,
)


def test_a_label_at_an_end_is_within() -> None:
    found = coverage(np.zeros(4), np.ones(4), np.array([0.0, 0.5, 1.0, 1.1]))
    assert found.value == 0.75


def test_every_reported_level_can_be_read_from_the_served_quantiles() -> None:
    quantiles = np.tile(np.asarray(QUANTILES), (100, 1))
    labels = np.linspace(0.005, 0.995, 100)
    found = interval_figures(quantiles, QUANTILES, labels)
    assert [one.level for one in found] == list(REPORTED_LEVELS)
    assert [one.mean_width for one in found] == pytest.approx([0.5, 0.8, 0.9, 0.95])
    assert [one.coverage.value for one in found] == pytest.approx([0.5, 0.8, 0.9, 0.95], abs=0.011)


def test_infants_whose_windows_are_alike_widen_the_doubt_about_coverage() -> None:
    low, high = np.zeros(100), np.ones(100)
    labels = np.repeat([0.5] * 9 + [2.0], 10)
    names = [str(infant) for infant in range(10) for _ in range(10)]
    plain, by_infant = coverage(low, high, labels), coverage(low, high, labels, subjects=names)
    assert (plain.value, by_infant.value, by_infant.low < plain.low) == (0.9, 0.9, True)


def test_a_level_that_is_not_there_is_named() -> None:
    with pytest.raises(ContractBroken, match=r"99%.*0\.005"):
        central_interval(np.zeros((2, 3)), (0.05, 0.5, 0.95), 0.99)


def test_quantiles_without_their_levels_break_the_contract() -> None:
    with pytest.raises(ContractBroken, match=r"\(2, 3\)"):
        central_interval(np.zeros((2, 3)), (0.05, 0.95), 0.9)


@pytest.mark.parametrize("label", [np.nan, np.inf])
def test_a_label_that_is_not_finite_leaves_no_coverage(label: float) -> None:
    assert np.isnan(coverage(np.zeros(1), np.ones(1), np.array([label])).value)


def test_nothing_has_neither_coverage_nor_width() -> None:
    nothing = np.array([])
    assert np.isnan([coverage(nothing, nothing, nothing).value, mean_width(nothing, nothing)]).all()
