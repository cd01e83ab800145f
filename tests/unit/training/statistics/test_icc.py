"""Intraclass correlation: the published example, pingouin's values and intervals, and inputs that have none."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neopain.errors import ContractBroken
from neopain.training.statistics.icc import IccForm, icc, icc_one_way_unbalanced, icc_value

FORMS = list(IccForm)
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=np.float64
)
"""Shrout & Fleiss 1979, table 2."""

PINGOUIN_NAMES = {IccForm.ONE_WAY: "ICC(1,1)", IccForm.AGREEMENT: "ICC(A,1)", IccForm.CONSISTENCY: "ICC(C,1)"}
"""By McGraw & Wong's names: absolute agreement, consistency."""


@pytest.mark.parametrize(("form", "value"), list(zip(FORMS, (0.17, 0.29, 0.71), strict=True)))
def test_the_published_example_gives_the_published_coefficients(form: IccForm, value: float) -> None:
    assert icc(SHROUT_FLEISS, form).value == pytest.approx(value, abs=0.005)


def _pingouin(ratings: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[float, float, float]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandas as pd
        import pingouin

        monkeypatch.setitem(pingouin.options, "round.column.CI95", 10)
        n, k = ratings.shape
        table = pd.DataFrame(
            {"target": np.repeat(np.arange(n), k), "rater": np.tile(np.arange(k), n), "score": ratings.ravel()}
        )
        found = pingouin.intraclass_corr(table, targets="target", raters="rater", ratings="score")
    return {row.Type: (row.ICC, *row.CI95) for row in found.itertuples()}


@pytest.mark.parametrize(("n", "k", "shift"), [(6, 4, 0.0), (127, 2, 0.0), (127, 2, 1.0), (15, 3, 0.5)])
def test_values_and_intervals_are_those_of_pingouin(
    n: int, k: int, shift: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(n + k)
    ratings = random.normal(4.0, 2.0, (n, 1)) + random.normal(0.0, 1.0, (n, k)) + shift * np.arange(k)
    theirs = _pingouin(ratings, monkeypatch)
    for form in FORMS:
        ours = icc(ratings, form)
        assert (ours.value, ours.low, ours.high) == pytest.approx(theirs[PINGOUIN_NAMES[form]], abs=1e-6)


def test_two_raters_who_always_say_the_same_agree_perfectly() -> None:
    ratings = np.array([[0.1, 0.1], [0.3, 0.3], [7.0, 7.0]])
    assert [icc(ratings, form) for form in FORMS] == [icc(ratings, FORMS[0])] * 3
    assert (icc(ratings, FORMS[0]).low, icc(ratings, FORMS[0]).high) == (1.0, 1.0)


def test_a_rater_who_is_always_two_points_higher_is_consistent_but_does_not_agree() -> None:
    ratings = np.array([[0.0, 2.0], [2.0, 4.0], [4.0, 6.0]])
    assert icc(ratings, IccForm.CONSISTENCY).value == 1.0
    assert icc(ratings, IccForm.AGREEMENT).value == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "ratings",
    [np.full((4, 2), 0.1), np.array([[1.0, 2.0]]), np.array([[1.0], [2.0]]), np.array([[1.0, np.nan], [2.0, 3.0]])],
    ids=["constant", "one target", "one rater", "missing"],
)
@pytest.mark.parametrize("form", FORMS)
def test_what_has_no_coefficient_gives_nan_throughout(ratings: np.ndarray, form: IccForm) -> None:
    found = icc(ratings, form)
    assert np.isnan([found.value, found.low, found.high, icc_value(ratings, form)]).all()


def test_ratings_without_a_rater_axis_break_the_contract() -> None:
    with pytest.raises(ContractBroken, match="targets by raters"):
        icc(np.zeros(4), IccForm.AGREEMENT)


def test_targets_with_different_numbers_of_ratings_are_weighed_by_them() -> None:
    ratings = np.array([[0.0, 2.0, np.nan], [4.0, 6.0, 8.0], [5.0, np.nan, np.nan]])
    assert icc_one_way_unbalanced(ratings) == pytest.approx(10 / 13)


def test_with_equal_numbers_the_unbalanced_form_is_the_usual_one() -> None:
    assert icc_one_way_unbalanced(SHROUT_FLEISS) == pytest.approx(icc_value(SHROUT_FLEISS, IccForm.ONE_WAY))


@pytest.mark.parametrize("ratings", [np.full((3, 2), 0.1), np.array([[1.0, 2.0], [3.0, np.nan]])])
def test_the_unbalanced_form_is_nan_where_it_is_undefined(ratings: np.ndarray) -> None:
    assert np.isnan(icc_one_way_unbalanced(ratings))


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=3, max_size=20))
def test_the_value_lies_within_its_interval(scores: list[tuple[int, int]]) -> None:
    for form in FORMS:
        found = icc(np.array(scores, dtype=np.float64), form)
        assert np.isnan(found.low) or found.low - 1e-9 <= found.value <= found.high + 1e-9
