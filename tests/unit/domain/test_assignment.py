"""Whose window it was: the history of the bed at the time of the window, never a guess."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from neopain.domain.assignment import Assignment, CensusFact, assign, fact_of, names_the_same
from neopain.domain.census import DEVICE_DISAGREES, BedState, Dispute, Infant
from neopain.domain.identity import BedId, PatientId
from neopain.domain.vitals import Processing

BED = BedId("NICU/1/A")
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ANNA = PatientId("1", "HOSP")
BERT = PatientId("2", "HOSP")


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def state(minutes: float, *infants: PatientId, held: str = "", visit: str = "") -> BedState:
    return BedState(BED, at(minutes), Infant(infants, visit=visit) if infants else None, held)


def history(*told: tuple[float, BedState]) -> list[CensusFact]:
    facts: list[CensusFact] = []
    for arrived, fact in told:
        facts.append(fact_of(fact, facts, arrived=at(arrived)))
    return facts


ANNA_THEN_BERT = history((0, state(0, ANNA)), (10, state(10)), (20, state(20, BERT)))


@pytest.mark.parametrize(("minute", "value"), [(5, "1"), (25, "2")])
def test_a_window_is_of_who_lay_there_then_and_not_of_who_lies_there_now(minute: float, value: str) -> None:
    patient = assign(ANNA_THEN_BERT, at(minute)).patient

    assert patient is not None
    assert patient.value == value


@pytest.mark.parametrize("minute", [-1, 15])
def test_a_window_of_an_empty_bed_is_held(minute: float) -> None:
    assert assign(ANNA_THEN_BERT, at(minute)) == Assignment(held_reason="no infant in this bed at that time")


def test_a_bed_that_nothing_was_told_of_is_empty() -> None:
    assert assign([], NOON).held_reason == "no infant in this bed at that time"


def test_an_infant_is_charted_from_the_moment_of_admission() -> None:
    assert assign(ANNA_THEN_BERT, at(0)).patient == ANNA


def test_a_window_that_reaches_back_to_another_infant_is_held() -> None:
    swapped = history((0, state(0, ANNA)), (10, state(10, BERT)))

    assert assign(swapped, at(10.4)).held_reason == "another infant was in this bed within the window"
    assert assign(swapped, at(10.51)).patient == BERT


def test_an_admission_told_late_counts_from_when_it_happened() -> None:
    late = history((30, state(10, ANNA)))

    assert assign(late, at(15)).patient == ANNA


def test_a_held_bed_is_held_with_its_reason() -> None:
    held = history((0, state(0, ANNA)), (5, state(5, BERT, held="two infants in one bed")))

    assert assign(held, at(6)).held_reason == "two infants in one bed"


def test_a_doubt_holds_from_when_it_was_told_and_not_from_the_admission() -> None:
    doubted = history((0, state(0, ANNA)), (5, state(0, ANNA, held="a device in this bed names another infant")))

    assert assign(doubted, at(4)).patient == ANNA
    assert assign(doubted, at(6)).held_reason == "a device in this bed names another infant"


def test_news_of_an_infant_do_not_end_a_doubt() -> None:
    news = history(
        (0, state(0, ANNA)),
        (5, state(0, ANNA, held="a device in this bed names another infant")),
        (7, state(0, ANNA, held="a device in this bed names another infant", visit="V1")),
    )

    assert assign(news, at(4)).patient == ANNA
    assert assign(news, at(8)).held_reason == "a device in this bed names another infant"


def test_news_of_an_infant_count_from_the_admission() -> None:
    news = history((0, state(0, ANNA)), (5, state(0, ANNA, visit="V1")))

    assert assign(news, at(1)).visit == "V1"


def test_a_source_that_names_another_infant_holds_the_window() -> None:
    assert assign(ANNA_THEN_BERT, at(5), [BERT]).held_reason == "a source of the window names another infant"


def test_a_source_that_names_the_infant_without_authority_agrees() -> None:
    assert assign(ANNA_THEN_BERT, at(5), [PatientId("1")]).patient == ANNA


def test_news_of_an_infant_name_the_same() -> None:
    doubted = state(0, ANNA, held="two infants in one bed")

    assert names_the_same(state(0, ANNA, visit="V2"), state(0, ANNA))
    assert not any(names_the_same(one, state(0, ANNA)) for one in (state(0, BERT), state(1, ANNA), state(0), doubted))


def test_an_infant_without_identifier_is_held() -> None:
    nameless = [CensusFact(BedState(BED, at(0), Infant(())), at(0), at(0))]

    assert assign(nameless, at(1)).held_reason == "the infant has no identifier"


def test_the_medical_record_number_is_charted_under() -> None:
    visit_first = history((0, state(0, PatientId("V9", "HOSP", "VN"), ANNA)))

    assert assign(visit_first, at(1)).key == "HOSP|1"


def test_an_infant_from_a_training_message_is_training() -> None:
    training = BedState(BED, at(0), Infant((ANNA,)), processing=Processing.TRAINING)

    assert assign(history((0, training)), at(1)).processing is Processing.TRAINING


ANNA_LEFT_BEFORE_THE_DOUBT = history(
    (0, state(0, ANNA)), (12, state(0, ANNA, held="two infants in one bed")), (15, state(10, BERT))
)
"""Bert is admitted into Anna's bed at 12; that she left at 10 is told at 15."""


def test_a_doubt_ends_with_what_settles_it_although_that_happened_before_the_doubt_was_told() -> None:
    assert assign(ANNA_LEFT_BEFORE_THE_DOUBT, at(30)).patient == BERT


@pytest.mark.parametrize("minute", [10, 11.9])
def test_a_window_from_after_the_infant_left_and_before_the_next_is_known_to_be_there_is_held(minute: float) -> None:
    assert assign(ANNA_LEFT_BEFORE_THE_DOUBT, at(minute)).patient is None


def test_a_window_from_before_the_infant_left_stays_hers() -> None:
    assert assign(ANNA_LEFT_BEFORE_THE_DOUBT, at(9.9)).patient == ANNA


def test_a_doubt_about_an_infant_that_had_left_ends_with_the_discharge() -> None:
    left = history((0, state(0, ANNA)), (12, state(0, ANNA, held="a device disagrees")), (15, state(10)))

    assert assign(left, at(30)).held_reason == "no infant in this bed at that time"
    assert assign(left, at(11)).patient is None


def test_a_source_that_a_person_has_decided_against_does_not_hold_the_window() -> None:
    overruled = (Dispute("hl7:MON", DEVICE_DISAGREES, BERT),)
    decided = history((0, BedState(BED, at(0), Infant((ANNA,)), overruled=overruled)))

    assert assign(decided, at(5), [BERT]).patient == ANNA
    assert assign(decided, at(5), [PatientId("3", "HOSP")]).patient is None


def test_a_cancelled_discharge_makes_the_windows_from_then_on_the_infant_s_again() -> None:
    cancelled = history((0, state(0, ANNA)), (10, state(10)), (15, state(0, ANNA)))

    assert [assign(cancelled, at(minute)).patient for minute in (5, 12, 20)] == [ANNA, ANNA, ANNA]


def test_a_cancelled_admission_leaves_the_bed_empty_from_the_admission_on() -> None:
    cancelled = history((0, state(0)), (10, state(10, ANNA)), (15, state(10)))

    assert assign(cancelled, at(12)).held_reason == "no infant in this bed at that time"


def test_a_merged_infant_is_charted_under_its_surviving_number_from_the_admission_on() -> None:
    merged = BedState(BED, at(0), Infant((BERT,), formerly=(ANNA,)))
    told = history((0, state(0, ANNA)), (10, merged))

    assert assign(told, at(5), [ANNA]).patient == BERT
