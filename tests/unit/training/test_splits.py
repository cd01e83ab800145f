"""Splits: no infant is ever on both sides."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neopain.domain.annotation import Segment, Subject
from neopain.errors import ConfigurationError
from neopain.training.splits import (
    Fold,
    grouped_k_fold,
    hold_out,
    indices_of,
    leave_one_site_out,
    leave_one_subject_out,
)

SHARES = {"train": 0.7, "tune": 0.1, "calibrate": 0.1, "test": 0.1}


def segment(subject: str, *, site: str = "north", ga_days: int | None = 200) -> Segment:
    return Segment(Subject(subject, site, ga_days), "s", "seg", 0, 1, {}, ())


def subjects(*ga_days: int) -> list[Subject]:
    return [Subject(f"i{number:03d}", "north", days) for number, days in enumerate(ga_days)]


@st.composite
def cohorts(draw: st.DrawFn) -> list[Segment]:
    """At least three infants at two sites or more, their segments mixed."""
    count = draw(st.integers(3, 12))
    infants = [
        segment(f"i{n}", site=f"site {n % 2}", ga_days=draw(st.sampled_from((None, 180, 205, 240, 275))))
        for n in range(count)
    ]
    return infants + draw(st.lists(st.sampled_from(infants), max_size=30))


def subjects_of(segments: list[Segment], indices: np.ndarray) -> set[str]:
    return {segments[index].subject.id for index in indices}


def crossings(segments: list[Segment], folds: tuple[Fold, ...]) -> list[set[str]]:
    return [subjects_of(segments, fold.train) & subjects_of(segments, fold.test) for fold in folds]


@given(cohorts(), st.integers(0, 2**32 - 1), st.integers(2, 3))
def test_no_infant_crosses_a_fold_and_every_segment_is_tested_once(segments: list[Segment], seed: int, k: int) -> None:
    for folds in (
        leave_one_subject_out(segments),
        leave_one_site_out(segments),
        grouped_k_fold(segments, k, seed=seed),
    ):
        assert crossings(segments, folds) == [set()] * len(folds)
        assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(segments)))
        assert [len(fold.train) + len(fold.test) for fold in folds] == [len(segments)] * len(folds)


@given(st.lists(st.integers(150, 300), min_size=4, max_size=60), st.integers(0, 2**32 - 1))
def test_no_infant_is_in_two_parts_and_none_is_lost(ga_days: list[int], seed: int) -> None:
    infants = subjects(*ga_days)
    parts = hold_out(infants, SHARES, seed=seed)
    assert all(one.isdisjoint(other) for one, other in combinations(parts.values(), 2))
    assert frozenset().union(*parts.values()) == {infant.id for infant in infants}
    assert all(parts.values())


def test_the_parts_have_their_shares() -> None:
    parts = hold_out(subjects(*[200] * 40), SHARES, seed=1)
    assert {name: len(members) for name, members in parts.items()} == {
        "train": 28,
        "tune": 4,
        "calibrate": 4,
        "test": 4,
    }


def test_each_part_has_infants_of_every_band() -> None:
    infants = subjects(*[180, 205, 240, 275] * 10)
    parts = hold_out(infants, {"train": 0.5, "test": 0.5}, seed=1)
    bands = {name: Counter(one.gestational_age_days for one in infants if one.id in parts[name]) for name in parts}
    assert bands == {"train": {180: 5, 205: 5, 240: 5, 275: 5}, "test": {180: 5, 205: 5, 240: 5, 275: 5}}


def test_each_fold_has_infants_of_every_band() -> None:
    segments = [segment(f"i{n}", ga_days=days) for n, days in enumerate([180, 205, 240, 275] * 3)]
    folds = grouped_k_fold(segments, 3, seed=1)
    bands = [sorted(segments[index].subject.gestational_age_days or 0 for index in fold.test) for fold in folds]
    assert bands == [[180, 205, 240, 275]] * 3


def test_a_seed_gives_the_same_parts_in_whatever_order_the_infants_come() -> None:
    infants = subjects(*[200] * 20)
    parts = [hold_out(given, {"train": 0.8, "tune": 0.2}, seed=5) for given in (infants, infants[::-1])]
    assert parts[0] == parts[1]


def test_another_seed_gives_other_parts() -> None:
    parts = [hold_out(subjects(*[200] * 20), {"train": 0.8, "tune": 0.2}, seed=seed) for seed in (5, 6)]
    assert parts[0] != parts[1]


def test_a_part_without_a_share_is_empty() -> None:
    assert hold_out(subjects(200, 200), {"train": 1.0, "tune": 0.0}, seed=1)["tune"] == frozenset()


def test_folds_are_named_by_what_is_left_out() -> None:
    segments = [segment("a"), segment("b", site="south"), segment("a")]
    assert [(fold.name, fold.test.tolist()) for fold in leave_one_subject_out(segments)] == [("a", [0, 2]), ("b", [1])]
    assert [fold.name for fold in leave_one_site_out(segments)] == ["north", "south"]


def test_the_segments_of_some_infants_are_found() -> None:
    assert indices_of([segment("a"), segment("b"), segment("a")], {"a"}).tolist() == [0, 2]


def test_an_infant_at_two_sites_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="infant 'a' is at the sites"):
        leave_one_site_out([segment("a"), segment("a", site="south")])


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        ({"train": 0.8, "tune": 0.3}, "must sum to 1"),
        ({"train": 1.2, "tune": -0.2}, "must not be negative"),
        ({"train": 0.5, "tune": 0.3, "test": 0.2}, "2 infants for the parts train, tune, test"),
    ],
)
def test_shares_that_cannot_be_had_are_refused(shares: dict[str, float], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        hold_out(subjects(200, 200), shares, seed=1)


@pytest.mark.parametrize("k", [1, 3])
def test_folds_that_cannot_be_had_are_refused(k: int) -> None:
    with pytest.raises(ConfigurationError, match=f"{k} folds of 2 infants"):
        grouped_k_fold([segment("a"), segment("b")], k, seed=1)


def test_one_infant_or_one_site_cannot_be_left_out() -> None:
    with pytest.raises(ConfigurationError, match="1 infants"):
        leave_one_subject_out([segment("a")])
    with pytest.raises(ConfigurationError, match="1 sites"):
        leave_one_site_out([segment("a"), segment("b")])
