"""When a drug hides pain: worked out from all that was told, in whatever order it came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neopain.domain.drugs import Basis, DrugClass, DrugFact, DrugMark, counting_for, is_blocked, marks, periods
from neopain.domain.identity import PatientId
from neopain.domain.vitals import Processing

NOON = datetime(2026, 7, 4, 12, 0, tzinfo=UTC)
BLOCKER = DrugClass.NEUROMUSCULAR_BLOCKER


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def fact(begun: float, ended: float | None = None, *, outlasts: float = 60, **more: object) -> DrugFact:
    known: dict[str, object] = {
        "id": f"{begun}/{more}",
        "patients": (PatientId("77", "HOSP"),),
        "classes": (BLOCKER,),
        "ingredient": "vecuronium",
        "code": "V",
        "system": "L",
        "text": "Vecuronium",
        "basis": Basis.ADMINISTERED,
        "begun": at(begun),
        "told": at(begun),
        "ended": None if ended is None else at(ended),
        "outlasts": timedelta(minutes=outlasts),
    }
    return DrugFact(**(known | more))  # type: ignore[arg-type]


def until(*facts: DrugFact) -> list[float | None]:
    """When each effect ends, in minutes from noon, by begin."""
    found = sorted(periods(facts), key=lambda period: period.begin)
    return [None if one.until is None else (one.until - NOON) / timedelta(minutes=1) for one in found]


def test_a_single_dose_has_its_effect_from_when_it_was_given() -> None:
    assert until(fact(0)) == [60]


def test_a_giving_with_an_end_has_its_effect_beyond_it() -> None:
    assert until(fact(0, 30)) == [90]


def test_an_infusion_without_an_end_goes_on() -> None:
    assert until(fact(0, order="P1", is_infusion=True)) == [None]


def test_a_stop_of_the_order_ends_its_infusion_and_has_no_effect_itself() -> None:
    facts = (fact(0, order="P1", is_infusion=True), fact(40, order="P1", is_infusion=True, is_stop=True))
    assert until(*facts) == [100, 100]
    assert marks(facts, at(99), at(99)) != ()
    assert marks(facts, at(101), at(101)) == ()


def test_another_rate_follows_the_first_without_a_gap() -> None:
    facts = (fact(0, order="P1", is_infusion=True), fact(40, order="P1", is_infusion=True))
    assert until(*facts) == [100, None]


def test_a_stop_of_another_order_ends_nothing() -> None:
    facts = (fact(0, order="P1", is_infusion=True), fact(40, order="P2", is_infusion=True, is_stop=True))
    assert until(*facts)[0] is None


def test_a_dose_from_the_same_order_does_not_end_an_infusion() -> None:
    assert until(fact(0, order="P1", is_infusion=True), fact(40, order="P1"))[0] is None


def test_an_order_that_is_discontinued_ends_its_infusion_and_itself() -> None:
    ordered = fact(-10, order="P1", basis=Basis.ORDERED, outlasts=0)
    stop = fact(40, order="P1", basis=Basis.ORDERED, is_stop=True)
    assert until(ordered, fact(0, order="P1", is_infusion=True), stop) == [40, 100, 100]


def test_a_stop_told_before_the_begin_of_what_it_stops_counts() -> None:
    start, stop = fact(0, order="P1", is_infusion=True), fact(40, order="P1", is_infusion=True, is_stop=True)
    assert until(stop, start) == until(start, stop)


def test_what_did_not_take_place_has_no_effect() -> None:
    assert marks([fact(0, is_retracted=True)], at(0), at(10)) == ()


@pytest.mark.parametrize(
    ("begin", "end", "is_marked"), [(-2, -1, False), (-1, 0, True), (30, 31, True), (59, 61, True), (60, 61, False)]
)
def test_a_drug_is_marked_where_it_is_in_effect_somewhere_in_the_window(
    begin: float, end: float, is_marked: bool
) -> None:
    found = marks([fact(0)], at(begin), at(end))
    expected = (DrugMark("neuromuscular-blocker", "vecuronium", "administered", NOON),)
    assert found == (expected if is_marked else ())


def test_a_drug_of_two_classes_is_marked_as_both_and_a_repeated_one_once() -> None:
    both = (DrugClass.ANALGESIC, DrugClass.SEDATIVE)
    facts = [fact(begun, classes=both, ingredient="fentanyl") for begun in (0, 20)]
    assert [(mark.drug_class, mark.begun) for mark in marks(facts, at(30), at(31))] == [
        ("analgesic", at(0)),
        ("sedative", at(0)),
    ]


def test_only_what_was_administered_blocks_unless_the_site_says_that_orders_do() -> None:
    ordered = marks([fact(0, 100, basis=Basis.ORDERED, outlasts=0)], at(10), at(11))
    assert [mark.basis for mark in ordered] == ["ordered"]
    assert (is_blocked(ordered), is_blocked(ordered, by_order=True)) == (False, True)
    assert is_blocked(marks([fact(0)], at(10), at(11)))


def test_sedation_does_not_block() -> None:
    sedated = marks([fact(0, classes=(DrugClass.SEDATIVE,))], at(10), at(11))
    assert not is_blocked(sedated, by_order=True)


told = st.builds(
    fact,
    st.integers(0, 100),
    st.none() | st.integers(0, 120),
    order=st.sampled_from(["", "P1", "P2"]),
    is_infusion=st.booleans(),
    is_stop=st.booleans(),
    basis=st.sampled_from(Basis),
)


@given(st.lists(told, max_size=6, unique_by=lambda one: one.id), st.randoms(use_true_random=False), st.integers(0, 200))
def test_no_order_of_arrival_changes_what_is_in_effect(facts: list[DrugFact], chance: object, minute: int) -> None:
    other = list(facts)
    chance.shuffle(other)  # type: ignore[attr-defined]
    assert marks(facts, at(minute), at(minute + 1)) == marks(other, at(minute), at(minute + 1))


@given(st.lists(told, max_size=6, unique_by=lambda one: one.id))
def test_no_effect_ends_before_it_begins(facts: list[DrugFact]) -> None:
    assert all(one.until is None or one.until >= one.begin for one in periods(facts))


@pytest.mark.parametrize("processing", [Processing.TRAINING, Processing.DEBUGGING])
def test_what_is_told_for_a_test_counts_for_no_infant_of_production_and_the_reverse(processing: Processing) -> None:
    given, tried = fact(0), fact(1, processing=processing)
    assert counting_for(Processing.PRODUCTION, (given, tried)) == (given,)
    assert counting_for(processing, (given, tried)) == (tried,)
