"""Whom an event means: numbers of several infants join nobody, and hold the beds of all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neopain.domain.census import (
    DEVICE_DISAGREES,
    SEVERAL_MEANT,
    TWO_INFANTS,
    Census,
    CensusEvent,
    CensusEventKind,
    Infant,
    Release,
)
from neopain.domain.identity import BedId, PatientId
from neopain.domain.occupancy import apply

from .told import ONE, THREE, TWO, after, event, lying

A01, A02, A03, A04, A08, A31, A40 = (
    CensusEventKind(trigger) for trigger in ("A01", "A02", "A03", "A04", "A08", "A31", "A40")
)
RELEASED = CensusEventKind.RELEASED


def infant(*numbers: PatientId) -> Infant:
    return Infant(numbers)


SHARED = PatientId("5", "STATE", "PI")
EAST, WEST, BARE = (infant(PatientId("77", authority)) for authority in ("EAST", "WEST", ""))
ANNA, BERT = (infant(PatientId(number, "HOSP"), SHARED) for number in ("77", "88"))


def held(census: Census) -> dict[BedId, str]:
    return {bed: state.held_reason for bed, state in sorted(census.items()) if state.is_held}


def numbers(census: Census, bed: BedId) -> tuple[PatientId, ...]:
    (one,) = census[bed].occupants
    return one.identifiers


class TestNumberWithoutAuthority:
    """Two authorities have given the number."""

    TOLD = (event(A01, EAST, ONE), event(A01, WEST, TWO))

    @pytest.mark.parametrize("kind", [A01, A02, A03, A04, A08, A31])
    @pytest.mark.parametrize("bed", [ONE, THREE, None])
    def test_it_moves_and_joins_nobody_and_holds_both(self, kind: CensusEventKind, bed: BedId | None) -> None:
        census = after(*self.TOLD, event(kind, BARE, bed))
        assert (numbers(census, ONE), numbers(census, TWO)) == (EAST.identifiers, WEST.identifiers)
        assert held(census) == {ONE: SEVERAL_MEANT, TWO: SEVERAL_MEANT}

    @pytest.mark.parametrize(("kind", "reason"), [(A01, SEVERAL_MEANT), (A03, "")])
    def test_where_it_would_have_been_put_the_infant_there_is_doubted_too(
        self, kind: CensusEventKind, reason: str
    ) -> None:
        other = infant(PatientId("99", "EAST"))
        census = after(*self.TOLD, event(A01, other, THREE), event(kind, BARE, THREE))
        assert (numbers(census, THREE), census[THREE].held_reason) == (other.identifiers, reason)

    def test_another_number_beside_it_says_who_is_meant(self) -> None:
        both = infant(*BARE.identifiers, SHARED)
        east = infant(*EAST.identifiers, SHARED)
        census = after(event(A01, east, ONE), event(A01, WEST, TWO), event(A02, both, THREE))
        assert (set(numbers(census, THREE)), held(census)) == ({SHARED, *EAST.identifiers}, {})
        assert ONE not in lying(census)

    def test_the_hold_ends_when_a_message_with_the_authority_agrees_or_by_a_person(self) -> None:
        doubted = (*self.TOLD, event(A08, BARE, ONE))
        assert held(after(*doubted, event(A08, EAST, ONE))) == {TWO: SEVERAL_MEANT}
        released = after(*doubted, event(RELEASED, WEST, TWO, release=Release("nurse 12", "looked")))
        assert held(after(event(A08, BARE, ONE), since=released)) == {ONE: SEVERAL_MEANT}

    def test_a_device_s_is_compared_with_the_infant_at_its_bed_only(self) -> None:
        named = event(CensusEventKind.CONTRADICTED, BARE, ONE, source="hl7:mon")
        assert held(after(*self.TOLD, named)) == {}

    def test_of_infants_that_have_gone_none_is_put_back_under_it(self) -> None:
        gone = (*self.TOLD, event(A03, EAST), event(A03, WEST))
        census = after(*gone, event(A01, BARE, THREE))
        assert (numbers(census, THREE), held(census)) == (BARE.identifiers, {THREE: SEVERAL_MEANT})

    def test_a_merge_of_it_is_of_nobody(self) -> None:
        census = after(*self.TOLD, event(A40, BARE, prior=(PatientId("T1", "EAST"),)))
        assert (numbers(census, ONE), numbers(census, TWO)) == (EAST.identifiers, WEST.identifiers)
        assert held(census) == {ONE: SEVERAL_MEANT, TWO: SEVERAL_MEANT}

    def test_an_infant_that_was_known_by_it_alone_is_of_the_authority_that_is_told_first(self) -> None:
        census = after(event(A01, BARE, ONE), event(A08, EAST, ONE), event(A01, WEST, TWO))
        assert (numbers(census, ONE), numbers(census, TWO)) == (EAST.identifiers, WEST.identifiers)


class TestRecordNumbers:
    """Two infants have numbers of one authority, and another number in common."""

    @pytest.mark.parametrize("kind", [A01, A02, A04, A08])
    def test_both_lie_where_they_are_told_and_are_held(self, kind: CensusEventKind) -> None:
        census = after(event(A01, ANNA, ONE), event(kind, BERT, TWO))
        assert lying(census) == {ONE: ["77"], TWO: ["88"]}
        assert held(census) == {ONE: SEVERAL_MEANT, TWO: SEVERAL_MEANT}

    def test_in_one_bed_they_are_two_infants(self) -> None:
        census = after(event(A01, ANNA, ONE), event(A01, BERT, ONE))
        assert (lying(census), held(census)) == ({ONE: ["77", "88"]}, {ONE: f"{TWO_INFANTS}; {SEVERAL_MEANT}"})

    def test_a_discharge_of_one_leaves_the_other_in_its_bed(self) -> None:
        assert lying(after(event(A01, ANNA, ONE), event(A03, BERT))) == {ONE: ["77"]}

    def test_the_number_in_common_alone_means_nobody(self) -> None:
        told = (event(A01, ANNA, ONE), event(A01, infant(PatientId("88", "HOSP")), TWO), event(A08, BERT, TWO))
        census = after(*told, event(A03, infant(SHARED)))
        assert lying(census) == {ONE: ["77"], TWO: ["88"]}

    def test_a_person_decides_it_for_both_until_they_go(self) -> None:
        census = after(event(A01, ANNA, ONE), event(A01, BERT, TWO))
        for bed, one in ((ONE, ANNA), (TWO, BERT)):
            census = after(event(RELEASED, one, bed, release=Release("nurse 12", "looked")), since=census)
        again = after(event(A08, ANNA, ONE), event(A08, BERT, TWO), since=census)
        assert (lying(again), held(again)) == ({ONE: ["77"], TWO: ["88"]}, {})

    def test_a_message_with_the_numbers_of_two_infants_joins_nobody(self) -> None:
        mother, child = (infant(PatientId(number, "HOSP")) for number in ("66", "77"))
        both = infant(*mother.identifiers, *child.identifiers)
        census = after(event(A01, mother, TWO), event(A01, child, ONE), event(A08, both, ONE))
        assert (numbers(census, ONE), numbers(census, TWO)) == (child.identifiers, mother.identifiers)
        assert held(census) == {ONE: SEVERAL_MEANT, TWO: SEVERAL_MEANT}

    def test_a_merge_of_them_makes_them_one(self) -> None:
        merge = event(A40, ANNA, prior=BERT.identifiers)
        census = after(event(A01, ANNA, ONE), event(A01, BERT, ONE), merge)
        assert (lying(census), numbers(census, ONE)) == ({ONE: ["77"]}, ANNA.identifiers)

    def test_numbers_of_two_kinds_with_the_same_digits_are_one_where_nothing_says_otherwise(self) -> None:
        internal, record = (infant(PatientId("500", "HOSP", kind)) for kind in ("PI", "MR"))
        assert lying(after(event(A01, internal, ONE), event(A02, record, TWO))) == {TWO: ["500"]}

    def test_numbers_of_two_kinds_with_the_same_digits_are_two_where_the_record_numbers_differ(self) -> None:
        one = infant(PatientId("4711", "HOSP"), PatientId("500", "HOSP", "PI"))
        other = infant(PatientId("500", "HOSP"), PatientId("900", "HOSP", "PI"))
        census = after(event(A01, one, ONE), event(A01, other, TWO))
        assert (numbers(census, ONE), numbers(census, TWO)) == (one.identifiers, other.identifiers)

    def test_a_device_that_names_any_of_its_numbers_agrees(self) -> None:
        contradicted = event(CensusEventKind.CONTRADICTED, infant(PatientId("99", "HOSP")), ONE, source="hl7:mon")
        doubted = after(event(A01, ANNA, ONE), contradicted)
        assert doubted[ONE].held_reason == DEVICE_DISAGREES
        confirmed = event(CensusEventKind.CONFIRMED, infant(PatientId("5", "STATE")), ONE, source="hl7:mon")
        assert held(after(confirmed, since=doubted)) == {}


told = st.builds(
    event,
    st.sampled_from([A01, A02, A03, A04, A08, A31, CensusEventKind.CONTRADICTED, CensusEventKind.ELSEWHERE]),
    st.sampled_from([ANNA, BERT, EAST, WEST, BARE, infant(SHARED)]),
    st.sampled_from([None, ONE, TWO, THREE]),
    source=st.just("hl7:mon"),
)


@given(st.lists(told, max_size=12))
def test_no_order_of_events_joins_what_authorities_keep_apart(events: list[CensusEvent]) -> None:
    for state in after(*events).values():
        for one in state.occupants:
            authorities = [each.assigning_authority for each in one.identifiers if each.type_code == "MR"]
            assert len(authorities) == len(set(authorities))
            assert not {"EAST", "WEST"} <= set(authorities)


@given(st.lists(told, max_size=12), told)
def test_telling_an_event_twice_changes_nothing_more(events: list[CensusEvent], last: CensusEvent) -> None:
    assert apply(after(*events, last), last) == ()
