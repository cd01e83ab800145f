"""A40, A45 and A47: who is who changes, and nobody moves or loses what is known of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neopain.domain.census import (
    DEVICE_DISAGREES,
    TWO_BEDS,
    UNLIKELY_MERGE,
    UPDATE_DISAGREES,
    WHO_IS_WHO,
    Census,
    CensusEvent,
    CensusEventKind,
    Infant,
)
from neopain.domain.identity import BedId, PatientId
from neopain.domain.occupancy import apply

from .told import BEGIN, ONE, THREE, TWO, after, event, lying

A01, A02, A03, A08, A13, A40, A45, A47 = (
    CensusEventKind(trigger) for trigger in ("A01", "A02", "A03", "A08", "A13", "A40", "A45", "A47")
)


def number(value: str) -> PatientId:
    return PatientId(value, "HOSP")


def infant(value: str, **known: object) -> Infant:
    return Infant((number(value),), **known)  # type: ignore[arg-type]


TEMPORARY, ANNA, BERT = infant("T1"), infant("77"), infant("88")


def merge(old: str, new: Infant, kind: CensusEventKind = A40, visit: str = "") -> CensusEvent:
    return event(kind, new, prior=(number(old),), prior_visit=visit)


class TestMerge:
    """A40."""

    def test_the_infant_stays_in_its_bed_under_the_surviving_number(self) -> None:
        known = replace(TEMPORARY, visit="V1", gestational_age_days=210, sex="F")
        state = after(event(A01, known, ONE), merge("T1", ANNA))[ONE]
        assert state.infant == Infant((number("77"),), "V1", 210, sex="F", formerly=(number("T1"),))
        assert (state.since, state.is_held) == (BEGIN, False)

    def test_a_retired_number_still_names_the_infant_and_is_never_charted_under(self) -> None:
        (one,) = after(event(A01, TEMPORARY, ONE), merge("T1", ANNA))[ONE].occupants
        assert one.is_same_as(number("T1"))
        assert one.identifiers == (number("77"),)

    def test_a_later_message_under_either_number_finds_the_infant(self) -> None:
        merged = (event(A01, TEMPORARY, ONE), merge("T1", ANNA))
        assert lying(after(*merged, event(A02, TEMPORARY, TWO))) == {TWO: ["77"]}
        assert lying(after(*merged, event(A03, ANNA))) == {}

    def test_a_merge_the_other_way_round_brings_the_retired_number_back(self) -> None:
        (one,) = after(event(A01, TEMPORARY, ONE), merge("T1", ANNA), merge("77", TEMPORARY))[ONE].occupants
        assert (one.identifiers, one.formerly) == ((number("T1"),), (number("77"),))

    def test_two_records_of_one_infant_in_one_bed_become_one_and_end_the_hold(self) -> None:
        both = (event(A01, replace(TEMPORARY, gestational_age_days=210), ONE), event(A01, ANNA, ONE))
        census = after(*both, merge("T1", ANNA))
        assert (lying(census), census[ONE].is_held) == ({ONE: ["77"]}, False)
        assert census[ONE].occupants[0].gestational_age_days == 210

    def test_one_infant_in_two_beds_holds_both(self) -> None:
        census = after(event(A01, TEMPORARY, ONE), event(A01, ANNA, TWO), merge("T1", ANNA))
        assert lying(census) == {ONE: ["77"], TWO: ["77"]}
        assert [census[bed].held_reason for bed in (ONE, TWO)] == [TWO_BEDS] * 2

    @pytest.mark.parametrize("kind", [A01, A02, A08])
    def test_where_the_infant_of_two_beds_lies_is_told_by_the_next_message(self, kind: CensusEventKind) -> None:
        merged = (event(A01, TEMPORARY, ONE), event(A01, ANNA, TWO), merge("T1", ANNA))
        census = after(*merged, event(kind, ANNA, ONE))
        assert (lying(census), census[ONE].is_held, census[TWO].is_held) == ({ONE: ["77"]}, False, False)

    def test_a_discharge_of_the_infant_of_two_beds_empties_both(self) -> None:
        merged = (event(A01, TEMPORARY, ONE), event(A01, ANNA, TWO), merge("T1", ANNA))
        assert lying(after(*merged, event(A03, ANNA))) == {}

    def test_a_merge_of_people_of_different_age_holds_the_beds_and_merges_nobody(self) -> None:
        mother = infant("66", born=datetime(1995, 1, 1, tzinfo=UTC))
        baby = replace(ANNA, born=BEGIN - timedelta(days=3))
        census = after(event(A01, baby, ONE), merge("77", mother))
        assert (lying(census), census[ONE].held_reason) == ({ONE: ["77"]}, UNLIKELY_MERGE)

    def test_a_merge_of_a_girl_and_a_boy_holds_the_beds_and_merges_nobody(self) -> None:
        twins = (event(A01, replace(ANNA, sex="F"), ONE), event(A01, replace(BERT, sex="M"), TWO))
        census = after(*twins, merge("88", ANNA))
        assert lying(census) == {ONE: ["77"], TWO: ["88"]}
        assert [census[bed].held_reason for bed in (ONE, TWO)] == [UNLIKELY_MERGE] * 2

    def test_an_unlikely_merge_of_two_in_one_bed_is_one_fact_of_it(self) -> None:
        twins = (event(A01, replace(ANNA, sex="F"), ONE), event(A01, replace(BERT, sex="M"), ONE))
        (state,) = apply(after(*twins), merge("88", ANNA))
        assert (state.bed, len(state.occupants), UNLIKELY_MERGE in state.held_reason) == (ONE, 2, True)

    def test_the_hold_of_an_unlikely_merge_ends_when_an_update_tells_them_apart_again(self) -> None:
        twins = (event(A01, replace(ANNA, sex="F"), ONE), event(A01, replace(BERT, sex="M"), TWO))
        census = after(*twins, merge("88", ANNA), event(A08, BERT, TWO))
        assert (census[ONE].is_held, census[TWO].is_held) == (True, False)

    def test_a_device_that_names_the_surviving_number_already_no_longer_disagrees(self) -> None:
        doubted = event(CensusEventKind.CONTRADICTED, ANNA, ONE, source="hl7:mon")
        assert not after(event(A01, TEMPORARY, ONE), doubted, merge("T1", ANNA))[ONE].is_held

    def test_an_infant_that_was_discharged_is_known_under_the_surviving_number(self) -> None:
        known = replace(TEMPORARY, gestational_age_days=210)
        census = after(event(A01, known, ONE), event(A03, TEMPORARY), merge("T1", ANNA), event(A13, ANNA, ONE))
        assert (lying(census), census[ONE].occupants[0].gestational_age_days) == ({ONE: ["77"]}, 210)

    def test_a_merge_of_unknown_numbers_changes_nothing(self) -> None:
        assert apply(after(event(A01, BERT, ONE)), merge("T1", ANNA)) == ()

    def test_a_number_merged_into_itself_changes_nothing(self) -> None:
        assert apply(after(event(A01, ANNA, ONE)), merge("77", ANNA)) == ()


class TestRenumbering:
    """A47."""

    def test_the_infant_stays_under_the_right_number_and_the_wrong_one_is_free(self) -> None:
        state = after(event(A01, replace(BERT, visit="V1"), ONE), merge("88", ANNA, A47))[ONE]
        assert state.infant == Infant((number("77"),), "V1")
        assert state.since == BEGIN

    def test_the_infant_whose_number_it_really_is_can_be_admitted(self) -> None:
        census = after(event(A01, BERT, ONE), merge("88", ANNA, A47), event(A01, BERT, TWO))
        assert (lying(census), census[ONE].is_held) == ({ONE: ["77"], TWO: ["88"]}, False)

    def test_what_held_the_bed_holds_it_on(self) -> None:
        held = (event(A01, BERT, ONE), event(A08, BERT, TWO))
        census = after(*held, merge("88", ANNA, A47))
        assert (lying(census), census[ONE].held_reason) == ({ONE: ["77"]}, UPDATE_DISAGREES)

    def test_a_number_of_an_infant_in_another_bed_holds_both(self) -> None:
        census = after(event(A01, BERT, ONE), event(A01, ANNA, TWO), merge("88", ANNA, A47))
        assert [census[bed].held_reason for bed in (ONE, TWO)] == [TWO_BEDS] * 2


class TestMovedVisit:
    """A45."""

    def test_whoever_lies_there_for_that_visit_is_the_other_infant_and_always_was(self) -> None:
        wrong = replace(ANNA, visit="V1", gestational_age_days=210, sex="F")
        state = after(event(A01, wrong, ONE), merge("77", replace(BERT, sex="M"), A45, visit="V1"))[ONE]
        assert state.infant == Infant((number("88"),), "V1", sex="M")
        assert (state.since, state.is_held) == (BEGIN, False)

    def test_another_visit_of_the_infant_is_left_alone(self) -> None:
        census = after(event(A01, replace(ANNA, visit="V1"), ONE))
        assert apply(census, merge("77", BERT, A45, visit="V9")) == ()

    def test_a_visit_that_the_census_does_not_know_holds_the_bed(self) -> None:
        census = after(event(A01, ANNA, ONE), merge("77", BERT, A45, visit="V1"))
        assert (lying(census), census[ONE].held_reason) == ({ONE: ["77"]}, WHO_IS_WHO)

    def test_a_visit_moved_to_an_infant_in_another_bed_holds_both(self) -> None:
        beds = (event(A01, replace(ANNA, visit="V1"), ONE), event(A01, BERT, TWO))
        census = after(*beds, merge("77", BERT, A45, visit="V1"))
        assert [census[bed].held_reason for bed in (ONE, TWO)] == [TWO_BEDS] * 2


ANYBODY = st.builds(infant, st.sampled_from(["1", "2", "3"]), gestational_age_days=st.sampled_from([None, 200, 210]))
told = st.builds(
    event,
    st.sampled_from([A01, A02, A03, A08, A13, CensusEventKind.CONTRADICTED]),
    ANYBODY,
    st.sampled_from([None, ONE, TWO, THREE]),
    source=st.just("hl7:mon"),
)
merged = st.builds(merge, st.sampled_from(["1", "2", "3", "4"]), ANYBODY, st.sampled_from([A40, A47]))


@given(st.lists(told, max_size=8), merged)
def test_a_merge_moves_nobody_and_empties_no_bed(before: list[CensusEvent], one: CensusEvent) -> None:
    census, now = after(*before), after(*before, one)
    renamed = {"HOSP|" + one.prior[0].value: "HOSP|" + one.infant.identifiers[0].value}

    def people(of: Census, rename: dict[str, str]) -> dict[BedId, set[str]]:
        keys = {bed: [f"HOSP|{each.identifiers[0].value}" for each in state.occupants] for bed, state in of.items()}
        return {bed: {rename.get(key, key) for key in found} for bed, found in keys.items() if found}

    assert people(now, {}) == people(census, renamed)


@given(st.lists(told, max_size=8), merged)
def test_a_merge_forgets_nothing_that_is_known(before: list[CensusEvent], one: CensusEvent) -> None:
    census, now = after(*before), after(*before, one)
    for bed, state in census.items():
        ages_known = sum(each.gestational_age_days is not None for each in state.occupants)
        left = now[bed]
        assert left.since == state.since
        assert ages_known == 0 or any(each.gestational_age_days is not None for each in left.occupants)
        assert len(left.departures) == len(state.departures)
        assert (
            not (state.held_reason and DEVICE_DISAGREES not in state.held_reason and not state.rivals) or left.is_held
        )


@given(st.lists(st.one_of(told, merged), max_size=8), merged)
def test_a_merge_told_again_changes_nothing_more(before: list[CensusEvent], one: CensusEvent) -> None:
    assert apply(after(*before, one), one) == ()


@given(st.lists(st.one_of(told, merged), max_size=10))
def test_an_infant_in_two_beds_is_charted_in_neither(before: list[CensusEvent]) -> None:
    census = after(*before)
    for value in ("1", "2", "3"):
        beds = [state for state in census.values() if any(each.is_same_as(number(value)) for each in state.occupants)]
        assert len(beds) < 2 or all(state.is_held for state in beds)
