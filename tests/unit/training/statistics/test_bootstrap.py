"""The bootstrap of whole infants: reproducible, blind to repeated windows, honest where it cannot tell."""

from __future__ import annotations

import numpy as np
import pytest

from neopain.errors import ContractBroken
from neopain.training.statistics.bootstrap import cluster_bootstrap, cluster_rows, draw_clusters, percentile_interval
from neopain.training.statistics.sample import Estimated

VALUES = np.array([1.0, 2.0, 4.0, 8.0, 3.0, 5.0])
SUBJECTS = list("abcdef")


def test_the_same_seed_gives_the_same_interval() -> None:
    first, again, other = (
        cluster_bootstrap(lambda rows: float(VALUES[rows].mean()), SUBJECTS, seed=seed, resamples=200)
        for seed in (5, 5, 6)
    )
    assert first == again
    assert first != other


def test_windows_that_repeat_each_other_do_not_narrow_the_interval() -> None:
    once = cluster_bootstrap(lambda rows: float(VALUES[rows].mean()), SUBJECTS, seed=1)
    doubled = VALUES.repeat(10)
    names = [subject for subject in SUBJECTS for _ in range(10)]
    often = cluster_bootstrap(lambda rows: float(doubled[rows].mean()), names, seed=1)
    assert (often.value, often.low, often.high) == pytest.approx((once.value, once.low, once.high))


def test_an_interval_of_a_mean_of_normal_values_has_the_textbook_width() -> None:
    values = np.random.default_rng(0).normal(0.0, 1.0, 400)
    found = cluster_bootstrap(lambda rows: float(values[rows].mean()), [str(i) for i in range(400)], seed=1)
    assert found.high - found.low == pytest.approx(2 * 1.96 / 20, rel=0.1)


def test_one_infant_has_a_figure_and_no_interval() -> None:
    found = cluster_bootstrap(lambda rows: float(VALUES[rows].mean()), ["a"] * 6, seed=1)
    assert (found.value, np.isnan(found.low), np.isnan(found.high)) == (pytest.approx(23 / 6), True, True)


def test_a_figure_that_is_undefined_in_many_draws_has_no_interval() -> None:
    draws = np.array([1.0] * 94 + [np.nan] * 6)
    assert np.isnan(percentile_interval(1.0, draws).low)


def test_a_few_undefined_draws_are_left_out() -> None:
    draws = np.array([1.0] * 96 + [np.nan] * 4)
    assert percentile_interval(1.0, draws) == Estimated(1.0, 1.0, 1.0)


def test_an_infant_drawn_twice_counts_as_two() -> None:
    draw = next(iter(draw_clusters(["a", "a", "b"], seed=1)))
    assert set(draw.clusters.tolist()) == {0, 1}


def test_rows_are_grouped_by_infant_in_alphabetical_order() -> None:
    assert [rows.tolist() for rows in cluster_rows(["b", "a", "b"])] == [[1], [0, 2]]


def test_no_windows_are_no_clusters() -> None:
    assert cluster_rows([]) == []


def test_no_resamples_at_all_break_the_contract() -> None:
    with pytest.raises(ContractBroken, match="at least 1"):
        list(draw_clusters(SUBJECTS, seed=1, resamples=0))
