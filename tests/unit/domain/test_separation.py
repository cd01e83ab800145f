"""Tests (MSH-11 D, T) never reach an infant of production, in no order of messages."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neopain.domain.census import Census, CensusEvent, CensusEventKind, Infant
from neopain.domain.identity import BedId, PatientId
from neopain.domain.occupancy import apply
from neopain.domain.vitals import Processing

from .told import ONE, THREE, TWO, after, event, lying

A01, A02, A03, A08, A13, A40 = (CensusEventKind(trigger) for trigger in ("A01", "A02", "A03", "A08", "A13", "A40"))
PRODUCTION, TESTS = Processing.PRODUCTION, (Processing.DEBUGGING, Processing.TRAINING)
MESSAGES = [one for one in CensusEventKind if one is not CensusEventKind.RELEASED]
"""What is no person's decision."""
ANNA, BERT = (Infant((PatientId(number, "HOSP"),)) for number in ("77", "88"))


def trial(kind: CensusEventKind, who: Infant, bed: BedId | None = None, **more: object) -> CensusEvent:
    return event(kind, who, bed, processing=Processing.TRAINING, **more)


@pytest.mark.parametrize("processing", TESTS)
@pytest.mark.parametrize("bed", [ONE, TWO, None])
@pytest.mark.parametrize("kind", MESSAGES)
def test_a_test_message_changes_nothing_of_an_infant_of_production(
    kind: CensusEventKind, bed: BedId | None, processing: Processing
) -> None:
    census = after(event(A01, ANNA, ONE))
    assert apply(census, event(kind, ANNA, bed, processing=processing, prior=BERT.identifiers)) == ()


@pytest.mark.parametrize("kind", [A01, A02, A08, CensusEventKind.CONTRADICTED, CensusEventKind.ASSOCIATED])
def test_a_test_message_of_another_infant_changes_nothing_in_its_bed(kind: CensusEventKind) -> None:
    assert apply(after(event(A01, ANNA, ONE)), trial(kind, BERT, ONE, source="hl7:mon", device="device:mon")) == ()


def test_a_merge_of_tests_with_its_number_changes_nothing() -> None:
    assert apply(after(event(A01, ANNA, ONE)), trial(A40, BERT, prior=ANNA.identifiers)) == ()


def test_a_test_message_brings_no_infant_of_production_back() -> None:
    census = after(event(A01, ANNA, ONE), event(A03, ANNA))
    back = after(trial(A13, ANNA), since=census)
    assert back == census
    elsewhere = after(trial(A01, BERT, ONE), trial(A03, BERT), since=census)
    assert after(event(A13, ANNA), since=elsewhere)[ONE].infant == ANNA


def test_tests_have_the_beds_that_production_leaves_empty() -> None:
    census = after(event(A01, ANNA, ONE), trial(A01, BERT, TWO), trial(A02, BERT, THREE))
    assert lying(census) == {ONE: ["77"], THREE: ["88"]}
    assert (census[ONE].processing, census[THREE].processing) == (PRODUCTION, Processing.TRAINING)


def test_a_bed_that_tests_have_filled_is_free_for_an_infant_of_production() -> None:
    census = after(trial(A01, BERT, ONE), event(A01, ANNA, ONE))
    state = census[ONE]
    assert (state.occupants, state.is_held, state.processing) == ((ANNA,), False, PRODUCTION)
    assert [(one.infant, one.processing) for one in state.departures] == [(BERT, Processing.TRAINING)]


def test_what_devices_are_associated_with_at_such_a_bed_stays() -> None:
    associated = event(CensusEventKind.ASSOCIATED, ANNA, ONE, device="device:mon")
    census = after(trial(A01, BERT, ONE), associated, event(A01, ANNA, ONE))
    assert ([one.patient for one in census[ONE].associations], census[ONE].is_held) == ([ANNA.identifiers[0]], False)


@pytest.mark.parametrize(
    ("kind", "bed", "expected"), [(A02, TWO, {TWO: ["77"]}), (A08, ONE, {ONE: ["77"]}), (A03, None, {})]
)
def test_what_tests_say_of_an_infant_ends_with_a_message_of_production(
    kind: CensusEventKind, bed: BedId | None, expected: dict[BedId, list[str]]
) -> None:
    census = after(trial(A01, replace(ANNA, gestational_age_days=200), ONE), event(kind, ANNA, bed))
    assert lying(census) == expected
    assert all(census[there].processing is PRODUCTION and census[there].infant == ANNA for there in expected)


told = st.builds(
    event,
    st.sampled_from(MESSAGES),
    st.sampled_from([ANNA, BERT, Infant((PatientId("77"),)), Infant((PatientId("99", "HOSP"),))]),
    st.sampled_from([None, ONE, TWO, THREE]),
    prior=st.sampled_from([(), BERT.identifiers]),
    source=st.just("hl7:mon"),
    device=st.just("device:mon"),
    processing=st.sampled_from([PRODUCTION, Processing.TRAINING]),
)


@given(st.lists(told, max_size=12))
def test_infants_of_production_lie_as_if_nobody_had_ever_tested(events: list[CensusEvent]) -> None:
    # Devices are of production here: their associations are of the bed, whoever lies there.
    devices = (CensusEventKind.ASSOCIATED, CensusEventKind.DISSOCIATED)
    mixed = [replace(one, processing=PRODUCTION) if one.kind in devices else one for one in events]
    with_tests = after(*mixed)

    def of_production(census: Census) -> dict[BedId, tuple[object, ...]]:
        there = {bed: state for bed, state in census.items() if state.infant and state.processing is PRODUCTION}
        return {bed: (state.occupants, state.held_reason) for bed, state in sorted(there.items())}

    without = after(*[one for one in mixed if one.processing is PRODUCTION])
    assert of_production(with_tests) == of_production(without)
