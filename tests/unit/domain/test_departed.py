"""Whoever has left a bed and is told to have another number: the facts of its stay, read under that."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from neopain.domain.assignment import CensusFact, assign, fact_of
from neopain.domain.census import Census, CensusEvent, CensusEventKind, Infant
from neopain.domain.departed import under_numbers_of_now
from neopain.domain.identity import BedId, PatientId
from neopain.domain.occupancy import apply

BED = BedId("NICU/1/A")
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ANNA, BERT, CARA = PatientId("1", "HOSP"), PatientId("2", "HOSP"), PatientId("3", "HOSP")
ADMITTED, DISCHARGED = CensusEventKind.ADMITTED, CensusEventKind.DISCHARGED
MERGED, RENUMBERED = CensusEventKind.MERGED, CensusEventKind.RENUMBERED


def history(*events: tuple[CensusEventKind, PatientId, PatientId | None]) -> list[CensusFact]:
    """The facts of the bed, an event each hour; the third is the number before."""
    census: Census = {}
    facts: list[CensusFact] = []
    for hour, (kind, who, prior) in enumerate(events):
        moment = NOON + timedelta(hours=hour)
        told = CensusEvent(kind, Infant((who,)), moment, BED if kind is ADMITTED else None)
        for state in apply(census, replace(told, prior=(prior,) if prior else ())):
            census[state.bed] = state
            facts.append(fact_of(state, facts, arrived=moment))
    return facts


def numbers(facts: tuple[CensusFact, ...]) -> list[str]:
    return [one.value for fact in facts for infant in fact.state.occupants for one in infant.identifiers]


@pytest.mark.parametrize("kind", [MERGED, RENUMBERED])
def test_a_stay_that_was_over_is_read_under_the_number_that_was_told_after_it(kind: CensusEventKind) -> None:
    facts = history((ADMITTED, ANNA, None), (DISCHARGED, ANNA, None), (ADMITTED, CARA, None), (kind, BERT, ANNA))

    read = under_numbers_of_now(facts)

    assert numbers(read) == ["2", "3", "3"]
    assert under_numbers_of_now(read) == read


def test_numbers_that_follow_each_other_are_followed() -> None:
    facts = history((ADMITTED, ANNA, None), (DISCHARGED, ANNA, None), (RENUMBERED, BERT, ANNA), (MERGED, CARA, BERT))

    assert numbers(under_numbers_of_now(facts)) == ["3"]


def test_another_stay_under_a_number_that_was_wrong_stays_as_it_was() -> None:
    first = ((ADMITTED, ANNA, None), (DISCHARGED, ANNA, None))

    facts = history(*first, *first, (RENUMBERED, BERT, ANNA))

    assert numbers(under_numbers_of_now(facts)) == ["1", "2"]


def test_a_history_in_which_nobody_got_another_number_is_read_as_it_was_told() -> None:
    facts = history((ADMITTED, ANNA, None), (DISCHARGED, ANNA, None), (ADMITTED, BERT, None))

    assert under_numbers_of_now(facts) == tuple(facts)


def test_whoever_stays_is_read_under_its_new_number_from_before_a_doubt_that_is_over() -> None:
    facts = history((ADMITTED, ANNA, None), (ADMITTED, BERT, None), (DISCHARGED, BERT, None), (MERGED, CARA, ANNA))

    read = under_numbers_of_now(facts)

    assert [fact.state.is_held for fact in facts] == [False, True, False, False]
    assert assign(read, NOON + timedelta(minutes=30)).patient == CARA
    assert under_numbers_of_now(read) == read
