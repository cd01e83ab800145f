"""Devices associated with an infant at a bed: they place nobody, and hold the bed where they contradict ADT."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from neopain.domain.census import (
    ASSOCIATED_ELSEWHERE,
    ASSOCIATION_DISAGREES,
    Census,
    CensusEvent,
    CensusEventKind,
    Infant,
    Release,
)
from neopain.domain.identity import BedId, PatientId
from neopain.domain.occupancy import apply

BEGIN = datetime(2026, 7, 4, 12, 0, tzinfo=UTC)
ONE, TWO = BedId("NICU/1/1"), BedId("NICU/1/2")
A01, A02, A03, A08, A40 = (CensusEventKind(one) for one in ("A01", "A02", "A03", "A08", "A40"))
BEGINS, ENDS = CensusEventKind.ASSOCIATED, CensusEventKind.DISSOCIATED
PUMP, MONITOR = "device:pump", "device:monitor"


def infant(number: str) -> Infant:
    return Infant((PatientId(number, "HOSP"),))


ANNA, BERT = infant("77"), infant("88")


def event(
    kind: CensusEventKind, who: Infant, bed: BedId | None = None, device: str = "", **more: object
) -> CensusEvent:
    return CensusEvent(kind, who, BEGIN, bed, device=device, **more)  # type: ignore[arg-type]


def after(*events: CensusEvent) -> Census:
    census: Census = {}
    for one in events:
        census |= {state.bed: state for state in apply(census, one)}
    return census


def held(census: Census) -> dict[str, str]:
    return {bed: state.held_reason for bed, state in census.items() if state.is_held}


def test_an_association_with_the_infant_of_the_bed_holds_nothing_and_is_a_fact_of_the_bed() -> None:
    census = after(event(A01, ANNA, ONE), event(BEGINS, ANNA, ONE, MONITOR))
    assert held(census) == {}
    assert [(one.device, one.patient.value) for one in census[ONE].associations] == [(MONITOR, "77")]


def test_an_association_with_another_infant_holds_the_bed_until_it_ends() -> None:
    begun = [event(A01, ANNA, ONE), event(BEGINS, BERT, ONE, MONITOR)]
    assert held(after(*begun)) == {ONE: ASSOCIATION_DISAGREES}
    assert held(after(*begun, event(A08, ANNA, ONE))) == {ONE: ASSOCIATION_DISAGREES}
    assert held(after(*begun, event(ENDS, BERT, ONE, MONITOR))) == {}
    assert held(after(*begun, event(BEGINS, ANNA, ONE, MONITOR))) == {}
    assert held(after(*begun, event(ENDS, BERT, ONE, PUMP))) == {ONE: ASSOCIATION_DISAGREES}


def test_an_association_places_nobody() -> None:
    census = after(event(BEGINS, ANNA, ONE, MONITOR))
    assert (census[ONE].infant, held(census)) == (None, {})


def test_who_is_admitted_to_a_bed_must_be_the_infant_of_its_devices() -> None:
    waiting = event(BEGINS, ANNA, ONE, MONITOR)
    assert held(after(waiting, event(A01, ANNA, ONE))) == {}
    assert held(after(waiting, event(A01, BERT, ONE))) == {ONE: ASSOCIATION_DISAGREES}


def test_a_device_that_stays_with_the_last_infant_holds_the_bed_of_the_next() -> None:
    begun = [event(A01, ANNA, ONE), event(BEGINS, ANNA, ONE, MONITOR), event(A03, ANNA)]
    assert held(after(*begun)) == {}
    assert held(after(*begun, event(A01, BERT, ONE))) == {ONE: ASSOCIATION_DISAGREES}
    assert held(after(*begun, event(ENDS, ANNA, ONE, MONITOR), event(A01, BERT, ONE))) == {}


def test_an_infant_that_adt_has_in_another_bed_holds_both() -> None:
    begun = [event(A01, ANNA, ONE), event(A01, BERT, TWO), event(BEGINS, ANNA, TWO, MONITOR)]
    assert held(after(*begun)) == {ONE: ASSOCIATED_ELSEWHERE, TWO: ASSOCIATION_DISAGREES}
    # News of the infant change nothing; its transfer or the end of the association does.
    assert held(after(*begun, event(A08, ANNA, ONE)))[ONE] == ASSOCIATED_ELSEWHERE
    assert held(after(*begun, event(ENDS, ANNA, TWO, MONITOR))) == {}
    assert held(after(*begun, event(A03, BERT), event(A02, ANNA, TWO))) == {}


def test_a_device_is_at_one_bed() -> None:
    census = after(
        *(event(A01, ANNA, ONE), event(A01, BERT, TWO)),
        *(event(BEGINS, ANNA, ONE, PUMP), event(BEGINS, BERT, TWO, PUMP)),
    )
    assert (census[ONE].associations, len(census[TWO].associations), held(census)) == ((), 1, {})


def test_the_end_of_an_association_with_somebody_else_changes_nothing() -> None:
    begun = [event(A01, ANNA, ONE), event(BEGINS, ANNA, ONE, PUMP)]
    assert after(*begun, event(ENDS, BERT, ONE, PUMP)) == after(*begun)


def test_an_infant_is_known_to_its_devices_by_a_number_that_a_merge_retired() -> None:
    merged = event(A40, ANNA, prior=(PatientId("70", "HOSP"),))
    assert held(after(event(A01, ANNA, ONE), merged, event(BEGINS, infant("70"), ONE, PUMP))) == {}


def test_what_a_person_decided_against_does_not_hold_the_bed_again() -> None:
    begun = [event(A01, ANNA, ONE), event(BEGINS, BERT, ONE, MONITOR)]
    released = event(CensusEventKind.RELEASED, ANNA, ONE, release=Release("nurse 3", "looked"))
    assert held(after(*begun, released)) == {}
    assert held(after(*begun, released, event(BEGINS, BERT, ONE, MONITOR))) == {}
    assert held(after(*begun, released, event(BEGINS, infant("99"), ONE, MONITOR))) == {ONE: ASSOCIATION_DISAGREES}


@pytest.mark.parametrize("kind", [BEGINS, ENDS])
def test_a_repeated_event_changes_nothing(kind: CensusEventKind) -> None:
    census = after(event(A01, ANNA, ONE), event(BEGINS, ANNA, ONE, PUMP), event(kind, ANNA, ONE, PUMP))
    again = apply(census, replace(event(kind, ANNA, ONE, PUMP)))
    assert again == ()


def test_a_bed_remembers_a_limited_number_of_devices() -> None:
    census = after(*(event(BEGINS, ANNA, ONE, f"device:{number}") for number in range(40)))
    assert (len(census[ONE].associations), census[ONE].associations[-1].device) == (32, "device:39")
