"""Who lies where: what each event does to a bed, and when a bed is held because nobody may guess."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neopain.domain.census import (
    ANOTHER_VISIT,
    DEVICE_DISAGREES,
    NO_NEWBORN,
    TWO_INFANTS,
    UPDATE_DISAGREES,
    BedState,
    Census,
    CensusEvent,
    CensusEventKind,
    Infant,
    Release,
    beds_of,
)
from neopain.domain.identity import BedId, PatientId
from neopain.domain.occupancy import apply
from neopain.domain.vitals import Processing

BEGIN = datetime(2026, 7, 4, 12, 0, tzinfo=UTC)
ONE, TWO, THREE = BedId("NICU/1/1"), BedId("NICU/1/2"), BedId("NICU/1/3")
A01, A02, A03, A08 = (
    CensusEventKind.ADMITTED,
    CensusEventKind.TRANSFERRED,
    CensusEventKind.DISCHARGED,
    CensusEventKind.UPDATED,
)
CONTRADICTED, CONFIRMED = CensusEventKind.CONTRADICTED, CensusEventKind.CONFIRMED
ELSEWHERE = CensusEventKind.ELSEWHERE


def infant(number: str, authority: str = "HOSP") -> Infant:
    return Infant((PatientId(number, authority),))


ANNA, BERT = infant("77"), infant("88")


def event(kind: CensusEventKind, who: Infant, bed: BedId | None = None, **more: object) -> CensusEvent:
    return CensusEvent(kind, who, more.pop("occurred", BEGIN), bed, **more)  # type: ignore[arg-type]


def after(*events: CensusEvent) -> Census:
    census: Census = {}
    for one in events:
        census |= {state.bed: state for state in apply(census, one)}
    return census


def who(census: Census, bed: BedId) -> str:
    state = census.get(bed)
    return state.infant.identifiers[0].value if state and state.infant else ""


def test_an_admission_puts_the_infant_into_its_bed() -> None:
    census = after(event(A01, ANNA, ONE))
    assert census == {ONE: BedState(ONE, BEGIN, ANNA)}


def test_a_transfer_frees_the_old_bed_and_takes_the_new_one() -> None:
    census = after(event(A01, ANNA, ONE), event(A02, ANNA, TWO))
    assert (who(census, ONE), who(census, TWO)) == ("", "77")


def test_a_transfer_to_a_place_without_a_bed_leaves_the_infant_in_none() -> None:
    assert who(after(event(A01, ANNA, ONE), event(A02, ANNA, None)), ONE) == ""


def test_an_admission_without_a_bed_moves_nobody() -> None:
    assert who(after(event(A01, ANNA, ONE), event(A01, ANNA, None)), ONE) == "77"


def test_a_discharge_empties_the_bed_whatever_place_it_names() -> None:
    assert who(after(event(A01, ANNA, ONE), event(A03, ANNA, THREE)), ONE) == ""


@pytest.mark.parametrize(
    ("bed", "reason"),
    [(ONE, ANOTHER_VISIT), (None, ANOTHER_VISIT), (TWO, "")],
    ids=["its bed", "no bed", "the bed of that visit"],
)
def test_a_discharge_from_another_visit_leaves_the_infant_in_its_bed(bed: BedId | None, reason: str) -> None:
    birth, care = (Infant(ANNA.identifiers, visit=visit) for visit in ("V1", "V2"))
    came = (event(A01, birth, TWO), event(A01, care, ONE))
    state = after(*came, event(A03, birth, bed))[ONE]
    assert (state.infant, state.held_reason) == (care, reason)
    assert not after(*came, event(A03, birth, bed), event(A08, care, ONE))[ONE].is_held
    assert who(after(*came, event(A03, birth, bed), event(A03, care, bed)), ONE) == ""


@pytest.mark.parametrize(("deleted", "is_held"), [("V1", True), ("V2", False), ("", True)])
def test_a_visit_that_is_deleted_is_doubted_where_the_infant_lies_for_it(deleted: str, is_held: bool) -> None:
    admitted = event(A01, Infant(ANNA.identifiers, visit="V1"), ONE)
    deletion = event(CensusEventKind.IN_DOUBT, Infant(ANNA.identifiers, visit=deleted))
    assert after(admitted, deletion)[ONE].is_held is is_held


def test_a_discharge_of_an_unknown_infant_changes_nothing() -> None:
    assert apply(after(event(A01, ANNA, ONE)), event(A03, BERT, ONE)) == ()


def test_an_event_that_changes_nothing_is_no_fact() -> None:
    assert apply(after(event(A01, ANNA, ONE)), event(A01, ANNA, ONE, occurred=BEGIN + timedelta(hours=1))) == ()


def test_two_infants_in_one_bed_hold_it() -> None:
    state = after(event(A01, ANNA, ONE), event(A01, BERT, ONE))[ONE]
    assert (state.held_reason, state.occupants) == (TWO_INFANTS, (ANNA, BERT))


def test_a_repeated_admission_of_one_of_two_infants_does_not_end_the_hold() -> None:
    both = [event(A01, ANNA, ONE), event(A01, BERT, ONE)]
    assert after(*both, event(A01, ANNA, ONE))[ONE].is_held
    assert after(*both, event(A01, BERT, ONE))[ONE].is_held


def test_discharging_either_of_two_infants_leaves_the_other_and_ends_the_hold() -> None:
    both = [event(A01, ANNA, ONE), event(A01, BERT, ONE)]
    for gone, left in ((ANNA, "88"), (BERT, "77")):
        census = after(*both, event(A03, gone))
        assert (who(census, ONE), census[ONE].is_held) == (left, False)


def test_moving_either_of_two_infants_ends_the_hold_too() -> None:
    census = after(event(A01, ANNA, ONE), event(A01, BERT, ONE), event(A02, ANNA, TWO))
    assert (who(census, ONE), who(census, TWO), census[ONE].is_held) == ("88", "77", False)


def test_two_infants_that_swap_beds_are_held_only_while_both_are_in_one() -> None:
    census = after(event(A01, ANNA, ONE), event(A01, BERT, TWO), event(A02, ANNA, TWO))
    assert (who(census, ONE), census[TWO].is_held) == ("", True)
    census |= {state.bed: state for state in apply(census, event(A02, BERT, ONE))}
    assert (who(census, ONE), who(census, TWO), census[TWO].is_held) == ("88", "77", False)


def test_a_mother_in_the_bed_of_her_newborn_holds_it() -> None:
    assert after(event(A01, ANNA, ONE), event(A01, infant("66"), ONE))[ONE].is_held


def test_a_number_of_another_authority_is_another_infant() -> None:
    assert after(event(A01, ANNA, ONE), event(A01, infant("77", "OTHER"), ONE))[ONE].is_held


def test_a_number_without_an_authority_is_the_same_infant() -> None:
    census = after(event(A01, ANNA, ONE), event(A02, infant("77", ""), TWO))
    assert (who(census, ONE), who(census, TWO)) == ("", "77")


def test_an_update_renews_what_is_known_and_keeps_the_rest() -> None:
    known = Infant(ANNA.identifiers, visit="V1", sex="F", gestational_age_days=224)
    state = after(event(A01, known, ONE), event(A08, Infant(ANNA.identifiers, visit="V2"), ONE))[ONE]
    assert state.infant == Infant(ANNA.identifiers, visit="V2", sex="F", gestational_age_days=224)
    assert state.since == BEGIN


@pytest.mark.parametrize(
    ("kind", "bed", "has_left"),
    [(A08, None, False), (A08, TWO, False), (A08, ONE, True), (A01, None, False)],
    ids=["no bed", "another bed", "its bed, and left", "admitted to no bed"],
)
def test_news_of_another_visit_leave_the_one_that_the_infant_lies_here_for(
    kind: CensusEventKind, bed: BedId | None, has_left: bool
) -> None:
    care, birth = (Infant(ANNA.identifiers, visit=visit) for visit in ("V1", "V2"))
    told = (event(A01, care, ONE), event(kind, birth, bed, has_left=has_left))
    assert after(*told)[ONE].infant == care
    assert ANOTHER_VISIT in after(*told, event(A03, birth))[ONE].held_reason


def test_an_update_without_a_bed_tells_a_visit_that_was_not_known() -> None:
    visit = Infant(ANNA.identifiers, visit="V1")
    assert after(event(A01, ANNA, ONE), event(A08, visit))[ONE].infant == visit
    assert after(event(A01, ANNA, ONE), event(A08, visit, has_left=True))[ONE].infant == ANNA


def test_what_is_known_of_an_infant_moves_with_it() -> None:
    known = Infant(ANNA.identifiers, visit="V1", gestational_age_days=224)
    moved = after(event(A01, known, ONE), event(A02, ANNA, TWO))[TWO].infant
    assert moved is not None
    assert moved.gestational_age_days == 224


def test_an_update_places_an_infant_that_lay_nowhere() -> None:
    assert who(after(event(A08, ANNA, ONE)), ONE) == "77"


def test_an_update_to_another_bed_holds_the_infant_s_bed_and_touches_no_other() -> None:
    census = after(event(A01, ANNA, ONE), event(A08, ANNA, TWO))
    assert (census[ONE].held_reason, who(census, ONE), TWO in census) == (UPDATE_DISAGREES, "77", False)


def test_the_hold_of_an_update_ends_when_an_update_a_transfer_or_a_discharge_agrees() -> None:
    held = [event(A01, ANNA, ONE), event(A08, ANNA, TWO)]
    assert not after(*held, event(A08, ANNA, ONE))[ONE].is_held
    assert not after(*held, event(A01, ANNA, ONE))[ONE].is_held
    moved = after(*held, event(A02, ANNA, TWO))
    assert (who(moved, ONE), who(moved, TWO), moved[ONE].is_held, moved[TWO].is_held) == ("", "77", False, False)
    discharged = after(*held, event(A03, ANNA))[ONE]
    assert (discharged.infant, discharged.is_held, discharged.disputes) == (None, False, ())


def test_an_update_that_names_the_bed_it_came_from_is_a_move() -> None:
    census = after(event(A01, ANNA, ONE), event(A08, ANNA, TWO, prior_bed=ONE))
    assert (who(census, ONE), who(census, TWO)) == ("", "77")


def test_a_late_update_does_not_put_a_discharged_infant_back() -> None:
    discharged = [event(A01, ANNA, ONE), event(A03, ANNA)]
    assert who(after(*discharged, event(A08, ANNA, ONE)), ONE) == ""
    next_one = after(*discharged, event(A01, BERT, ONE), event(A08, ANNA, ONE))
    assert (who(next_one, ONE), next_one[ONE].is_held) == ("88", False)


def test_an_update_with_a_time_of_discharge_places_nobody() -> None:
    assert after(event(A08, ANNA, ONE, has_left=True)) == {}


def test_a_readmission_puts_a_discharged_infant_back() -> None:
    census = after(event(A01, ANNA, ONE), event(A03, ANNA), event(A01, ANNA, ONE))
    assert (who(census, ONE), census[ONE].departures) == ("77", ())


def test_a_device_that_names_another_infant_holds_the_bed() -> None:
    state = after(event(A01, ANNA, ONE), event(CONTRADICTED, BERT, ONE, source="hl7:mon"))[ONE]
    assert (state.held_reason, state.infant, state.since) == (DEVICE_DISAGREES, ANNA, BEGIN)


def test_a_device_in_an_empty_or_unknown_bed_contradicts_nobody() -> None:
    assert apply({}, event(CONTRADICTED, BERT, ONE)) == ()
    assert apply(after(event(A01, ANNA, ONE), event(A03, ANNA)), event(CONTRADICTED, BERT, ONE)) == ()


def test_the_same_contradiction_again_is_no_new_fact() -> None:
    census = after(event(A01, ANNA, ONE), event(CONTRADICTED, BERT, ONE, source="hl7:mon"))
    assert apply(census, event(CONTRADICTED, BERT, ONE, source="hl7:mon", control_id="2")) == ()


def test_only_the_device_that_contradicted_can_confirm() -> None:
    census = after(event(A01, ANNA, ONE), event(CONTRADICTED, BERT, ONE, source="hl7:mon"))
    assert apply(census, event(CONFIRMED, ANNA, ONE, source="hl7:pump")) == ()
    (state,) = apply(census, event(CONFIRMED, ANNA, ONE, source="hl7:mon"))
    assert not state.is_held


def test_a_repeated_admission_does_not_end_a_device_s_contradiction() -> None:
    census = after(event(A01, ANNA, ONE), event(CONTRADICTED, BERT, ONE, source="hl7:mon"), event(A01, ANNA, ONE))
    assert census[ONE].held_reason == DEVICE_DISAGREES


def test_the_contradiction_ends_when_the_infant_the_device_named_has_the_bed_alone() -> None:
    census = after(
        event(A01, ANNA, ONE), event(CONTRADICTED, BERT, ONE, source="hl7:mon"), event(A02, BERT, ONE), event(A03, ANNA)
    )
    assert (who(census, ONE), census[ONE].is_held) == ("88", False)


def test_an_emptied_bed_is_held_no_more() -> None:
    census = after(event(A01, ANNA, ONE), event(CONTRADICTED, BERT, ONE, source="hl7:mon"), event(A03, ANNA))
    assert (census[ONE].infant, census[ONE].is_held, census[ONE].disputes) == (None, False, ())


def test_a_new_hold_does_not_change_since_when_the_infant_is_there() -> None:
    later = BEGIN + timedelta(hours=1)
    assert after(event(A01, ANNA, ONE), event(A01, BERT, ONE, occurred=later))[ONE].since == BEGIN


def test_the_history_of_a_bed_does_not_run_backwards() -> None:
    earlier = BEGIN - timedelta(hours=1)
    assert after(event(A01, ANNA, ONE), event(A03, ANNA, occurred=earlier))[ONE].since == BEGIN


events = st.builds(
    event,
    st.sampled_from(list(CensusEventKind)),
    st.sampled_from([ANNA, BERT, infant("99")]),
    st.sampled_from([None, ONE, TWO, THREE]),
    prior_bed=st.sampled_from([None, ONE, TWO]),
    source=st.sampled_from(["hl7:mon", "hl7:pump"]),
    device=st.sampled_from(["device:mon", "device:pump"]),
)


@given(st.lists(events, max_size=12))
def test_no_order_of_events_puts_one_infant_into_two_beds(told: list[CensusEvent]) -> None:
    census = after(*told)
    assert all(len(beds_of(census, one)) <= 1 for one in (ANNA, BERT, infant("99")))


@given(st.lists(events, max_size=12))
def test_a_bed_is_held_exactly_while_somebody_disagrees(told: list[CensusEvent]) -> None:
    for state in after(*told).values():
        assert (
            state.is_held
            == bool(state.rivals or state.disputes or state.contradicting)
            == (state.held_since is not None)
        )


@given(st.lists(events, max_size=12), events)
def test_telling_an_event_twice_changes_nothing_more(told: list[CensusEvent], last: CensusEvent) -> None:
    assert apply(after(*told, last), last) == ()


def test_a_bed_with_a_training_infant_stays_training_when_another_is_placed_there_and_leaves() -> None:
    bed = after(
        event(A01, ANNA, ONE, processing=Processing.TRAINING),
        event(A01, BERT, ONE, processing=Processing.DEBUGGING),
        event(A02, BERT, TWO, processing=Processing.DEBUGGING),
    )
    assert who(bed, ONE) == "77"
    assert bed[ONE].processing is Processing.TRAINING


def test_an_infant_that_a_production_message_admits_again_is_production() -> None:
    bed = after(event(A01, ANNA, ONE, processing=Processing.TRAINING), event(A01, ANNA, ONE))
    assert bed[ONE].processing is Processing.PRODUCTION


def test_a_message_that_is_not_applied_holds_the_bed_of_the_infant_it_places_elsewhere() -> None:
    held = after(event(A01, ANNA, ONE), event(A01, BERT, TWO), event(ELSEWHERE, ANNA, TWO), event(ELSEWHERE, BERT, ONE))
    assert [(held[bed].held_reason, who(held, bed)) for bed in (ONE, TWO)] == [
        (UPDATE_DISAGREES, "77"),
        (UPDATE_DISAGREES, "88"),
    ]


def test_a_message_that_is_not_applied_and_agrees_changes_nothing() -> None:
    assert apply(after(event(A01, ANNA, ONE)), event(ELSEWHERE, ANNA, ONE)) == ()


def test_a_cancelled_admission_holds_the_bed_until_an_update_says_that_the_infant_is_there() -> None:
    cancelled = (event(A01, ANNA, ONE), event(ELSEWHERE, ANNA))
    assert after(*cancelled)[ONE].held_reason == UPDATE_DISAGREES
    assert not after(*cancelled, event(A08, ANNA, ONE))[ONE].is_held


def test_somebody_who_is_no_newborn_holds_the_bed() -> None:
    mother = Infant((PatientId("66", "HOSP"),), born=datetime(1995, 1, 1, tzinfo=UTC))
    assert after(event(A01, mother, ONE))[ONE].held_reason == NO_NEWBORN
    assert after(event(A01, ANNA, ONE), event(A01, mother, ONE))[ONE].held_reason == f"{TWO_INFANTS}; {NO_NEWBORN}"


def test_an_infant_of_nearly_a_year_holds_no_bed() -> None:
    assert not after(event(A01, Infant(ANNA.identifiers, born=BEGIN - timedelta(days=366)), ONE))[ONE].is_held


A04, A31 = CensusEventKind.REGISTERED, CensusEventKind.PERSON_UPDATED


def test_a_registration_places_an_infant_that_lay_nowhere_even_after_a_discharge() -> None:
    assert who(after(event(A04, ANNA, ONE)), ONE) == "77"
    assert who(after(event(A01, ANNA, ONE), event(A03, ANNA), event(A04, ANNA, ONE)), ONE) == "77"


def test_a_registration_elsewhere_holds_the_infant_s_bed_and_leaves_its_visit() -> None:
    inpatient, clinic = Infant(ANNA.identifiers, visit="V1"), Infant(ANNA.identifiers, visit="C1")
    state = after(event(A01, inpatient, ONE), event(A04, clinic, TWO))[ONE]
    assert (state.held_reason, state.infant) == (UPDATE_DISAGREES, inpatient)


def test_what_is_told_of_a_person_reaches_its_bed_and_places_nobody() -> None:
    told = Infant(ANNA.identifiers, gestational_age_days=224)
    assert after(event(A01, ANNA, ONE), event(A31, told))[ONE].infant == told
    assert after(event(A31, told)) == {}


def test_what_is_known_of_an_infant_is_known_when_it_comes_again_except_its_visit() -> None:
    known = Infant(ANNA.identifiers, visit="V1", gestational_age_days=224)
    again = after(event(A01, known, ONE), event(A03, ANNA), event(A01, ANNA, TWO))[TWO].infant
    assert again == Infant(ANNA.identifiers, gestational_age_days=224)


def test_a_bed_is_held_since_it_was_told_and_not_since_the_newest_reason() -> None:
    first, second = BEGIN + timedelta(hours=1), BEGIN + timedelta(hours=2)
    doubts = [
        event(CONTRADICTED, BERT, ONE, source="hl7:mon", occurred=BEGIN, told=first),
        event(A08, ANNA, TWO, occurred=BEGIN, told=second),
    ]
    assert after(event(A01, ANNA, ONE), *doubts)[ONE].held_since == first


class TestRelease:
    """A person decides who lies in a held bed."""

    RELEASED = CensusEventKind.RELEASED
    DECISION = Release("nurse 12", "looked at the band")

    def released(self, *before: CensusEvent, infant: Infant = ANNA, bed: BedId = ONE) -> Census:
        return after(*before, event(self.RELEASED, infant, bed, release=self.DECISION))

    def test_the_bed_is_the_infant_s_and_says_who_decided_why(self) -> None:
        state = self.released(event(A01, ANNA, ONE), event(CONTRADICTED, BERT, ONE, source="hl7:mon"))[ONE]
        assert (state.infant, state.is_held, state.held_since) == (ANNA, False, None)
        assert (state.release, state.since) == (self.DECISION, BEGIN)

    def test_the_device_that_was_decided_against_does_not_hold_it_again(self) -> None:
        doubt = event(CONTRADICTED, BERT, ONE, source="hl7:mon")
        census = self.released(event(A01, ANNA, ONE), doubt)
        assert apply(census, doubt) == ()

    def test_a_device_that_names_yet_another_infant_does(self) -> None:
        doubt = event(CONTRADICTED, BERT, ONE, source="hl7:mon")
        census = self.released(event(A01, ANNA, ONE), doubt)
        (state,) = apply(census, event(CONTRADICTED, infant("99"), ONE, source="hl7:mon"))
        assert (state.held_reason, state.release) == (DEVICE_DISAGREES, None)

    def test_of_two_infants_the_one_that_is_named_stays(self) -> None:
        both = (event(A01, ANNA, ONE), event(A01, BERT, ONE))
        assert self.released(*both, infant=BERT)[ONE].occupants == (BERT,)
        assert self.released(*both)[ONE].occupants == (ANNA,)

    def test_the_decision_is_about_this_infant_and_ends_with_its_stay(self) -> None:
        doubt = event(CONTRADICTED, BERT, ONE, source="hl7:mon")
        census = self.released(event(A01, ANNA, ONE), doubt)
        for one in (event(A03, ANNA), event(A01, infant("99"), ONE), doubt):
            census |= {state.bed: state for state in apply(census, one)}
        assert census[ONE].held_reason == DEVICE_DISAGREES

    def test_an_infant_of_two_beds_lies_in_the_one_that_is_let_go(self) -> None:
        merge = event(CensusEventKind.MERGED, ANNA, prior=BERT.identifiers)
        census = self.released(event(A01, ANNA, ONE), event(A01, BERT, TWO), merge)
        assert (who(census, ONE), who(census, TWO), census[ONE].is_held) == ("77", "", False)

    def test_whoever_was_taken_for_no_newborn_can_be_let_go(self) -> None:
        wrongly_typed = Infant(ANNA.identifiers, born=datetime(1926, 7, 2, tzinfo=UTC))
        assert not self.released(event(A01, wrongly_typed, ONE))[ONE].is_held

    def test_a_bed_that_is_not_held_and_an_infant_that_is_not_there_change_nothing(self) -> None:
        release = event(self.RELEASED, ANNA, ONE, release=self.DECISION)
        assert apply(after(event(A01, ANNA, ONE)), release) == ()
        assert apply(after(event(A01, BERT, ONE), event(A01, infant("99"), ONE)), release) == ()
