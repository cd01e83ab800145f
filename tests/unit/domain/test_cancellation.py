"""A11, A12 and A13 undo exactly the event that they are of, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neopain.domain.census import (
    DEVICE_DISAGREES,
    TWO_INFANTS,
    UPDATE_DISAGREES,
    Census,
    CensusEvent,
    CensusEventKind,
    Infant,
    beds_of,
)
from neopain.domain.identity import BedId, PatientId
from neopain.domain.occupancy import apply

from .told import BEGIN, ONE, THREE, TWO, after, event, lying, minute

A01, A02, A03, A08 = (CensusEventKind(trigger) for trigger in ("A01", "A02", "A03", "A08"))
A11, A12, A13 = (CensusEventKind(trigger) for trigger in ("A11", "A12", "A13"))
CONTRADICTED = CensusEventKind.CONTRADICTED
ANNA, BERT = Infant((PatientId("77", "HOSP"),)), Infant((PatientId("88", "HOSP"),))


class TestAdmission:
    """A11."""

    def test_a_cancelled_admission_empties_the_bed_as_if_nobody_had_been_there(self) -> None:
        census = after(event(A01, ANNA, ONE), event(A11, ANNA, ONE))
        assert (lying(census), census[ONE].since) == ({}, minute(0))

    def test_a_cancelled_admission_leaves_the_infant_that_lay_there_before(self) -> None:
        census = after(event(A01, BERT, ONE), event(A01, ANNA, ONE), event(A11, ANNA, ONE))
        assert (lying(census), census[ONE].is_held) == ({ONE: ["88"]}, False)

    def test_a_cancelled_admission_to_another_bed_puts_the_infant_back(self) -> None:
        census = after(event(A01, ANNA, ONE), event(A01, ANNA, TWO), event(A11, ANNA, TWO))
        assert (lying(census), census[ONE].since) == ({ONE: ["77"]}, minute(0))

    def test_a_repeated_cancellation_does_not_touch_the_bed_that_the_infant_went_back_to(self) -> None:
        census = after(event(A01, ANNA, ONE), event(A01, ANNA, TWO), event(A11, ANNA, TWO), event(A11, ANNA, TWO))
        assert (lying(census), census[ONE].is_held) == ({ONE: ["77"]}, False)

    def test_a_cancelled_admission_to_a_bed_that_the_infant_is_not_in_holds_its_bed(self) -> None:
        census = after(event(A01, ANNA, ONE), event(A02, ANNA, TWO), event(A11, ANNA, ONE))
        assert census[TWO].held_reason == UPDATE_DISAGREES

    def test_a_cancellation_of_another_visit_changes_nothing(self) -> None:
        first, second = (Infant(ANNA.identifiers, visit=visit) for visit in ("V1", "V2"))
        admitted = after(event(A01, first, ONE), event(A03, first), event(A01, second, ONE))
        assert apply(admitted, event(A11, first, ONE)) == ()

    def test_a_late_update_does_not_put_an_infant_back_whose_admission_was_cancelled(self) -> None:
        assert lying(after(event(A01, ANNA, ONE), event(A11, ANNA, ONE), event(A08, ANNA, ONE))) == {}

    def test_an_infant_can_be_admitted_again_after_a_cancelled_admission(self) -> None:
        assert lying(after(event(A01, ANNA, ONE), event(A11, ANNA, ONE), event(A01, ANNA, ONE))) == {ONE: ["77"]}


class TestTransfer:
    """A12."""

    def test_a_cancelled_transfer_returns_the_infant_to_its_bed_since_it_first_came(self) -> None:
        census = after(event(A01, ANNA, ONE), event(A02, ANNA, TWO), event(A12, ANNA, ONE))
        assert (lying(census), census[ONE].since, census[TWO].since) == ({ONE: ["77"]}, minute(0), minute(1))

    def test_what_was_learned_meanwhile_is_kept(self) -> None:
        told = Infant(ANNA.identifiers, gestational_age_days=210)
        census = after(event(A01, ANNA, ONE), event(A02, ANNA, TWO), event(A08, told, TWO), event(A12, ANNA, ONE))
        assert census[ONE].infant == told

    def test_transfers_are_cancelled_one_after_the_other(self) -> None:
        moved = (event(A01, ANNA, ONE), event(A02, ANNA, TWO), event(A02, ANNA, THREE))
        assert lying(after(*moved, event(A12, ANNA, TWO))) == {TWO: ["77"]}
        assert lying(after(*moved, event(A12, ANNA, TWO), event(A12, ANNA, ONE))) == {ONE: ["77"]}

    def test_a_cancelled_transfer_that_is_not_the_last_one_holds_the_bed(self) -> None:
        moved = (event(A01, ANNA, ONE), event(A02, ANNA, TWO), event(A02, ANNA, THREE))
        census = after(*moved, event(A12, ANNA, ONE))
        assert (lying(census), census[THREE].held_reason) == ({THREE: ["77"]}, UPDATE_DISAGREES)

    def test_a_sender_that_names_the_two_beds_the_wrong_way_round_holds_the_bed(self) -> None:
        census = after(event(A01, ANNA, ONE), event(A02, ANNA, TWO), event(A12, ANNA, TWO, prior_bed=ONE))
        assert (lying(census), census[TWO].held_reason) == ({TWO: ["77"]}, UPDATE_DISAGREES)

    def test_an_infant_that_came_into_the_old_bed_meanwhile_makes_two(self) -> None:
        census = after(event(A01, ANNA, ONE), event(A02, ANNA, TWO), event(A01, BERT, ONE), event(A12, ANNA, ONE))
        assert (lying(census), census[ONE].held_reason) == ({ONE: ["88", "77"]}, TWO_INFANTS)

    def test_whoever_lay_in_the_old_bed_meanwhile_is_not_in_the_infant_s_time(self) -> None:
        between = (event(A01, BERT, ONE), event(A03, BERT))
        census = after(event(A01, ANNA, ONE), event(A02, ANNA, TWO), *between, event(A12, ANNA, ONE))
        assert (lying(census), census[ONE].since) == ({ONE: ["77"]}, minute(4))

    def test_a_cancelled_transfer_from_a_place_without_a_bed_leaves_the_infant_in_none(self) -> None:
        assert lying(after(event(A02, ANNA, ONE), event(A12, ANNA, None))) == {}

    def test_a_cancelled_transfer_to_a_place_without_a_bed_returns_the_infant(self) -> None:
        census = after(event(A01, ANNA, ONE), event(A02, ANNA, None), event(A12, ANNA, ONE))
        assert (lying(census), census[ONE].since) == ({ONE: ["77"]}, minute(0))

    def test_a_cancelled_transfer_told_after_the_discharge_puts_nobody_back(self) -> None:
        gone = (event(A01, ANNA, ONE), event(A02, ANNA, TWO), event(A03, ANNA))
        assert lying(after(*gone, event(A12, ANNA, ONE))) == {}


class TestDischarge:
    """A13."""

    @pytest.mark.parametrize("bed", [ONE, None])
    def test_a_cancelled_discharge_is_as_if_the_infant_had_never_gone(self, bed: BedId | None) -> None:
        known = Infant(ANNA.identifiers, "V1", 210, BEGIN - timedelta(days=3), "F")
        census = after(event(A01, known, ONE), event(A03, ANNA), event(A13, ANNA, bed))
        assert (census[ONE].infant, census[ONE].since, census[ONE].departures) == (known, minute(0), ())

    def test_a_cancelled_discharge_may_name_another_bed_than_before(self) -> None:
        assert lying(after(event(A01, ANNA, ONE), event(A03, ANNA), event(A13, ANNA, TWO))) == {TWO: ["77"]}

    def test_a_cancelled_discharge_brings_back_what_held_the_bed(self) -> None:
        held = (event(A01, ANNA, ONE), event(CONTRADICTED, BERT, ONE, source="hl7:mon"))
        census = after(*held, event(A03, ANNA), event(A13, ANNA, ONE))
        assert census[ONE].held_reason == DEVICE_DISAGREES

    def test_a_cancelled_discharge_into_a_bed_that_is_taken_makes_two(self) -> None:
        census = after(event(A01, ANNA, ONE), event(A03, ANNA), event(A01, BERT, ONE), event(A13, ANNA, ONE))
        assert (lying(census), census[ONE].held_reason) == ({ONE: ["88", "77"]}, TWO_INFANTS)

    def test_a_cancelled_discharge_of_an_infant_that_lies_elsewhere_by_now_holds_its_bed(self) -> None:
        census = after(event(A01, ANNA, ONE), event(A03, ANNA), event(A01, ANNA, TWO), event(A13, ANNA, ONE))
        assert (lying(census), census[TWO].held_reason) == ({TWO: ["77"]}, UPDATE_DISAGREES)

    def test_a_cancelled_discharge_of_an_earlier_visit_changes_nothing(self) -> None:
        first, second = (Infant(ANNA.identifiers, visit=visit) for visit in ("V1", "V2"))
        gone = after(event(A01, first, ONE), event(A03, first), event(A01, second, ONE), event(A03, second))
        assert apply(gone, event(A13, first, ONE)) == ()

    def test_a_cancelled_discharge_of_an_unknown_infant_places_it_where_it_says(self) -> None:
        assert lying(after(event(A13, ANNA, ONE))) == {ONE: ["77"]}
        assert lying(after(event(A13, ANNA, None))) == {}


ANYBODY = st.sampled_from([ANNA, BERT, Infant((PatientId("99", "HOSP"),))])
BEDS = st.sampled_from([ONE, TWO, THREE])
told = st.builds(event, st.sampled_from([A01, A02, A03, A08, CONTRADICTED]), ANYBODY, BEDS, source=st.just("hl7:mon"))


def seen(census: Census) -> dict[BedId, tuple[frozenset[str], frozenset[str]]]:
    """Who lies where and what holds each bed."""
    return {
        bed: (
            frozenset(one.identifiers[0].value for one in state.occupants),
            frozenset(filter(None, state.held_reason.split("; "))),
        )
        for bed, state in census.items()
        if state.infant
    }


@given(st.lists(told, max_size=8), st.sampled_from([A01, A02, A03]), ANYBODY, BEDS)
def test_a_cancellation_undoes_exactly_its_event(
    before: list[CensusEvent], kind: CensusEventKind, who: Infant, bed: BedId
) -> None:
    census = after(*before)
    lay_in = next((state.bed for state in beds_of(census, who)), None)
    moved = after(event(kind, who, bed), since=census or {})
    if seen(moved) == seen(census) or (kind is A02 and lay_in is None) or (kind is not A03 and lay_in == bed):
        return  # it moved nobody
    cancels = {A01: (A11, bed), A02: (A12, lay_in), A03: (A13, lay_in)}
    cancel, named = cancels[kind]
    back = dict(moved)
    back |= {state.bed: state for state in apply(moved, replace(event(cancel, who, named), occurred=minute(200)))}
    assert seen(back) == seen(census)


@given(st.lists(told, max_size=8), st.sampled_from([A11, A12, A13]), ANYBODY, st.sampled_from([None, ONE, TWO, THREE]))
def test_a_cancellation_told_again_changes_nothing_more(
    before: list[CensusEvent], cancel: CensusEventKind, who: Infant, bed: BedId | None
) -> None:
    once = after(*before, event(cancel, who, bed))
    assert apply(once, replace(event(cancel, who, bed), occurred=minute(200))) == ()


@given(st.lists(told, max_size=8), st.sampled_from([A11, A12, A13]), ANYBODY, st.sampled_from([None, ONE, TWO, THREE]))
def test_a_cancellation_moves_nobody_but_its_own_infant(
    before: list[CensusEvent], cancel: CensusEventKind, who: Infant, bed: BedId | None
) -> None:
    def others(census: Census) -> dict[BedId, set[str]]:
        mine = who.identifiers[0].value
        return {place: rest for place, (there, _) in seen(census).items() if (rest := set(there) - {mine})}

    assert others(after(*before, event(cancel, who, bed))) == others(after(*before))
