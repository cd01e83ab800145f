"""Entries held to a history that changes behind them: whose they are by all that is known in the end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neopain.domain.assignment import Assignment, CensusFact, assign, fact_of
from neopain.domain.census import (
    DEVICE_DISAGREES,
    TWO_INFANTS,
    BedState,
    Census,
    CensusEvent,
    CensusEventKind,
    Departure,
    Dispute,
    Infant,
    Release,
)
from neopain.domain.correction import (
    NOT_KEPT,
    SEVERAL,
    Judgement,
    Stretch,
    changed,
    judge,
    timeline,
    whose_windows,
)
from neopain.domain.identity import BedId, PatientId
from neopain.domain.occupancy import apply
from neopain.domain.runs import Run

BED, NEXT = BedId("NICU/1/A"), BedId("NICU/1/B")
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ANNA, BERT, CARA = PatientId("1", "HOSP"), PatientId("2", "HOSP"), PatientId("3", "HOSP")
SECOND = timedelta(seconds=1)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def told(*facts: tuple[float, BedState]) -> list[CensusFact]:
    history: list[CensusFact] = []
    for arrived, state in facts:
        history.append(fact_of(state, history, arrived=at(arrived)))
    return history


def lies(minutes: float, *infants: PatientId, held: str = "") -> BedState:
    return BedState(BED, at(minutes), Infant(infants) if infants else None, held)


def two(minutes: float, first: PatientId, second: PatientId) -> BedState:
    return BedState(BED, at(minutes), Infant((first,)), TWO_INFANTS, rivals=(Infant((second,)),))


def windows(begin: float, end: float, *named: PatientId) -> Run:
    """One window a second, from the first minute to the last."""
    return Run(at(begin), SECOND, int((end - begin) * 60) + 1, named)


def whose(history: list[CensusFact], *runs: Run) -> Assignment:
    return whose_windows(timeline(history), runs)


def gone(infant: PatientId, cause: CensusEventKind, minutes: float) -> tuple[Departure, ...]:
    return (Departure(Infant((infant,)), cause, at(minutes)),)


TWO_FROM_10_TO_20 = ((0, lies(0, ANNA)), (10, two(0, ANNA, BERT)))


def test_a_person_who_lets_a_bed_go_says_who_lay_there_in_the_time_of_the_doubt() -> None:
    decided = replace(lies(0, ANNA), release=Release("nurse 12", "looked"))
    history = told(*TWO_FROM_10_TO_20, (20, decided))

    assert whose(history, windows(5, 25)).patient == ANNA


def test_a_person_who_names_the_one_that_came_last_says_nothing_of_the_time_before_it_came() -> None:
    decided = replace(lies(20, BERT), release=Release("nurse 12", "looked"))
    history = told(*TWO_FROM_10_TO_20, (20, decided))

    assert assign(history, at(9)).patient == ANNA
    assert assign(history, at(10.2)).patient is None
    assert assign(history, at(10.5)).patient == BERT
    assert whose(history, windows(11, 30)).patient == BERT


@pytest.mark.parametrize("cause", [CensusEventKind.TRANSFER_CANCELLED, CensusEventKind.ADMISSION_CANCELLED])
def test_an_infant_that_never_was_there_leaves_no_doubt_behind(cause: CensusEventKind) -> None:
    history = told(*TWO_FROM_10_TO_20, (20, replace(lies(0, ANNA), departures=gone(BERT, cause, 20))))

    assert whose(history, windows(5, 25)).patient == ANNA


@pytest.mark.parametrize("cause", [CensusEventKind.TRANSFERRED, CensusEventKind.DISCHARGED])
def test_an_infant_that_went_leaves_the_time_that_it_was_there_in_doubt(cause: CensusEventKind) -> None:
    history = told(*TWO_FROM_10_TO_20, (20, replace(lies(0, ANNA), departures=gone(BERT, cause, 20))))

    assert whose(history, windows(11, 19)).held_reason == TWO_INFANTS
    assert whose(history, windows(21, 25)).patient == ANNA


def test_two_infants_that_are_one_by_a_merge_were_one_all_along() -> None:
    one = BedState(BED, at(0), Infant((ANNA,), formerly=(BERT,)))

    assert whose(told(*TWO_FROM_10_TO_20, (20, one)), windows(5, 25)).patient == ANNA


def test_a_device_that_agrees_by_now_says_nothing_of_the_time_before() -> None:
    history = told((0, lies(0, ANNA)), (10, lies(0, ANNA, held=DEVICE_DISAGREES)), (20, lies(0, ANNA)))

    assert whose(history, windows(11, 19)).held_reason == DEVICE_DISAGREES


def test_a_cancellation_settles_what_it_is_about_and_nothing_else() -> None:
    both = replace(two(0, ANNA, BERT), held_reason=f"{TWO_INFANTS}; {DEVICE_DISAGREES}")
    departures = gone(BERT, CensusEventKind.TRANSFER_CANCELLED, 20)
    history = told((0, lies(0, ANNA)), (10, both), (20, replace(lies(0, ANNA), departures=departures)))

    assert whose(history, windows(11, 19)).patient is None


def test_a_release_overrules_the_device_for_the_time_of_the_doubt() -> None:
    doubted = lies(0, ANNA, held=DEVICE_DISAGREES)
    overruled = (Dispute("hl7:MON", DEVICE_DISAGREES, BERT),)
    decided = replace(lies(0, ANNA), release=Release("nurse 12", "looked"), overruled=overruled)
    history = told((0, lies(0, ANNA)), (10, doubted), (20, decided))

    assert whose(history, windows(11, 19, BERT)).patient == ANNA
    assert whose(history, windows(11, 19, CARA)).patient is None


def test_a_doubt_of_later_is_not_settled_by_a_decision_of_before() -> None:
    decided = replace(lies(0, ANNA), release=Release("nurse 12", "looked"))
    history = told(*TWO_FROM_10_TO_20, (20, decided), (30, two(0, ANNA, CARA)))

    assert whose(history, windows(11, 19)).patient == ANNA
    assert whose(history, windows(31, 35)).held_reason == TWO_INFANTS


def test_windows_of_two_infants_are_nobodys() -> None:
    history = told((0, lies(0, ANNA)), (10, lies(10)), (12, lies(12, BERT)))

    assert whose(history, windows(5, 9), windows(13, 15)).held_reason == SEVERAL


def test_a_gap_between_windows_in_which_the_bed_was_empty_says_nothing_against_them() -> None:
    history = told((0, lies(0, ANNA)), (10, lies(10)), (12, lies(12, ANNA)))

    assert whose(history, windows(5, 9), windows(13, 15)).patient == ANNA


def test_an_entry_without_windows_that_are_kept_is_nobodys() -> None:
    assert whose(told((0, lies(0, ANNA)))).held_reason == NOT_KEPT


def test_a_transfer_told_late_changes_from_when_it_happened() -> None:
    history = told((0, lies(0, ANNA)))

    assert changed(history, fact_of(lies(10), history, arrived=at(30))) == [Stretch(at(10), None)]


def test_news_of_an_infant_change_nothing() -> None:
    history = told((0, lies(0, ANNA)))
    news = replace(lies(0, ANNA), infant=Infant((ANNA,), visit="V2", gestational_age_days=210))

    assert changed(history, fact_of(news, history, arrived=at(30))) == []


def test_a_merge_changes_what_the_infant_is_known_by_since_it_came() -> None:
    history = told((0, lies(0, ANNA)))
    merged = BedState(BED, at(0), Infant((BERT,), formerly=(ANNA,)))

    assert changed(history, fact_of(merged, history, arrived=at(30))) == [Stretch(at(0), None)]


NOBODY = Assignment(held_reason=TWO_INFANTS)


def known(patient: PatientId, *, formerly: tuple[PatientId, ...] = ()) -> Assignment:
    return Assignment(patient, infant=Infant((patient,), formerly=formerly))


@pytest.mark.parametrize(
    ("written_for", "held", "now", "judgement"),
    [
        (ANNA, "", known(ANNA), Judgement.STANDS),
        (ANNA, "", known(BERT, formerly=(ANNA,)), Judgement.RENUMBERED),
        (ANNA, "", known(BERT), Judgement.ANOTHERS),
        (ANNA, "", NOBODY, Judgement.ANOTHERS),
        (None, TWO_INFANTS, known(ANNA), Judgement.RELEASED),
        (None, TWO_INFANTS, NOBODY, Judgement.STANDS),
        (None, DEVICE_DISAGREES, NOBODY, Judgement.HELD_OTHERWISE),
    ],
)
def test_what_becomes_of_an_entry(
    written_for: PatientId | None, held: str, now: Assignment, judgement: Judgement
) -> None:
    assert judge(written_for, held, now) is judgement


@dataclass
class Ledger:
    """What charting does with entries, without a database: entries of one bed, corrected fact by fact."""

    history: list[CensusFact]
    standing: list[tuple[Run, PatientId | None, str]]
    corrected: int = 0

    def write(self, run: Run) -> None:
        now = whose(self.history, run)
        self.standing.append((run, now.patient, now.held_reason))

    def take(self, state: BedState, arrived: datetime) -> None:
        fact = fact_of(state, self.history, arrived=arrived)
        stretches = changed(self.history, fact)
        self.history.append(fact)
        times = timeline(self.history)
        for place, (run, patient, reason) in enumerate(self.standing):
            if any(one.touches(run.first, run.last) for one in stretches):
                now = whose_windows(times, [run])
                if judge(patient, reason, now) is not Judgement.STANDS:
                    self.standing[place] = (run, now.patient, now.held_reason)
                    self.corrected += 1


KINDS = [kind for kind in CensusEventKind if kind not in (CensusEventKind.ASSOCIATED, CensusEventKind.DISSOCIATED)]


@st.composite
def events(draw: st.DrawFn, now: datetime) -> CensusEvent:
    kind = draw(st.sampled_from(KINDS))
    mine, other = draw(st.sampled_from([(ANNA, BERT), (BERT, ANNA), (CARA, ANNA), (ANNA, CARA)]))
    merges = (CensusEventKind.MERGED, CensusEventKind.RENUMBERED, CensusEventKind.VISIT_MOVED)
    return CensusEvent(
        kind=kind,
        infant=Infant((mine,), visit="V1"),
        occurred=now - timedelta(minutes=draw(st.sampled_from([0, 1, 7]))),
        bed=draw(st.sampled_from([BED, BED, BED, NEXT, None])),
        prior_bed=draw(st.sampled_from([None, NEXT])),
        source="hl7:ADT",
        told=now,
        prior=(other,) if kind in merges else (),
        release=Release("nurse", "looked") if kind is CensusEventKind.RELEASED else None,
    )


@settings(max_examples=50)
@given(st.data())
def test_after_any_facts_every_entry_that_stands_is_whose_the_history_says(data: st.DataObject) -> None:
    census: Census = {}
    ledger = Ledger([], [])
    for step in range(data.draw(st.integers(2, 9))):
        now = at(2 * step)
        for state in apply(census, data.draw(events(now))):
            census[state.bed] = state
            if state.bed == BED:
                ledger.take(state, now)
        ledger.write(Run(now + SECOND, 10 * SECOND, 10, data.draw(st.sampled_from([(), (ANNA,), (BERT,)]))))

    for run, patient, reason in ledger.standing:
        now_known = whose(ledger.history, run)
        assert (now_known.patient is None) == (patient is None)
        assert patient is None or now_known.is_about(patient)
        assert patient is not None or reason == now_known.held_reason


@settings(max_examples=40)
@given(st.data())
def test_runs_are_answered_like_their_windows_one_by_one(data: st.DataObject) -> None:
    census: Census = {}
    history: list[CensusFact] = []
    for step in range(data.draw(st.integers(1, 7))):
        for state in apply(census, data.draw(events(at(2 * step)))):
            census[state.bed] = state
            if state.bed == BED:
                history.append(fact_of(state, history, arrived=at(2 * step)))
    run = Run(at(data.draw(st.integers(-1, 6))), 7 * SECOND, data.draw(st.integers(1, 60)), (ANNA,))

    each = [assign(history, end, run.named) for end in run.ends()]
    together = whose(history, run)
    if together.patient is not None:
        assert all(one.is_about(together.patient) for one in each)
    else:
        assert any(one.patient is None for one in each) or len({one.key for one in each}) > 1
