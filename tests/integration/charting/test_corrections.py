"""Facts that come late: entries are taken back, moved, released or held, here and at the EHR, each of it once."""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from neopain.charting.audit.verify import verify_audit
from neopain.charting.census import history_of
from neopain.charting.entries import standing_entries
from neopain.charting.facts import TakenFact, take_fact
from neopain.charting.intake import forget_windows, take_score
from neopain.charting.reviews import Review, review
from neopain.charting.statuses import change_status
from neopain.charting.unit_of_work import unit_of_work
from neopain.cli import run
from neopain.domain.alert_policy import AlertPolicy
from neopain.domain.census import (
    TWO_INFANTS,
    BedState,
    Census,
    CensusEvent,
    CensusEventKind,
    Departure,
    Infant,
    Release,
)
from neopain.domain.correction import Stretch, timeline, whose_windows
from neopain.domain.entry_status import EntryStatus
from neopain.domain.identity import BedId, PatientId
from neopain.domain.occupancy import apply
from neopain.domain.policy import ChartingPolicy
from neopain.domain.review import NipsItems, ReviewAct
from neopain.domain.reviewer import Reviewer
from neopain.domain.vitals import Processing

NOON = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
Rows = Callable[[str], list[dict[str, Any]]]
Sweep = Callable[[str], int]
Command = Callable[..., tuple[int, list[str], str]]


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


@dataclass(slots=True)
class Told:
    """A bed in which Anna has lain since a minute ago, and what is told of it later; Bert is another infant."""

    ward: Any
    rows: Rows
    bert: PatientId

    @property
    def anna(self) -> PatientId:
        return self.ward.infant  # type: ignore[no-any-return]

    def state(self, since: float, *infants: PatientId, **more: Any) -> BedState:
        return BedState(self.ward.bed, at(since), Infant(infants, visit="V1") if infants else None, **more)

    def tell(self, state: BedState, second: float, fact_id: str = "") -> TakenFact:
        self.ward.clock.advance(1)
        return take_fact(self.ward.intake, fact_id=fact_id or uuid.uuid4().hex, state=state, arrived=at(second))

    def doubt(self, second: float) -> None:
        """Bert is put into Anna's bed."""
        two = self.state(-60, self.anna, held_reason=TWO_INFANTS, rivals=(Infant((self.bert,)),))
        self.tell(replace(two, held_since=at(second)), second)

    def decide(self, second: float, fact_id: str = "") -> TakenFact:
        """A person says that it is Anna."""
        return self.tell(self.state(-60, self.anna, release=Release("nurse 12", "looked")), second, fact_id)

    @property
    def entries(self) -> list[tuple[str, str, str]]:
        """State, infant and reason of each, by its end and in the order of writing."""
        query = "SELECT state, patient_value, held_reason FROM entries ORDER BY ends, issued, replaces NULLS FIRST"
        names = {self.anna.value: "anna", self.bert.value: "bert", None: ""}
        return [(row["state"], names[row["patient_value"]], row["held_reason"]) for row in self.rows(query)]

    @property
    def events(self) -> list[str]:
        return [row["event"] for row in self.rows("SELECT event FROM audit ORDER BY position")]

    def audited(self, event: str) -> dict[str, Any]:
        (row,) = self.rows(f"SELECT entry_id, actor, patient, detail FROM audit WHERE event = '{event}'")  # noqa: S608
        return {**json.loads(row["detail"]), **{name: row[name] for name in ("entry_id", "actor", "patient")}}


@pytest.fixture
def told(ward: Any, rows: Rows) -> Told:
    return Told(ward, rows, PatientId(f"B-{ward.infant.value}", "HOSP"))


def key(patient: PatientId) -> str:
    return f"{patient.assigning_authority}|{patient.value}"


def test_what_was_held_is_charted_when_a_person_has_decided_the_doubt(told: Told, database: str) -> None:
    told.doubt(-30)
    told.ward.chart()
    assert told.entries == [("held", "", TWO_INFANTS)]

    assert told.decide(60) == TakenFact(is_new=True, charted=1)

    assert told.entries == [("replaced", "", TWO_INFANTS), ("charted", "anna", "")]
    held, charted = told.rows("SELECT entry_id, replaces, corrects FROM entries ORDER BY replaces NULLS FIRST")
    assert (charted["replaces"], charted["corrects"]) == (held["entry_id"], None)
    assert told.rows("SELECT entry_id, state, infant FROM outbox") == [
        {"entry_id": charted["entry_id"], "state": "pending", "infant": key(told.anna)}
    ]
    assert told.events == ["entry_held", "bed_released", "entry_charted", "entry_released"]
    released = told.audited("entry_released")
    assert (released["entry_id"], released["instead"]) == (held["entry_id"], charted["entry_id"])
    assert (released["was_held"], released["released_by"]) == (TWO_INFANTS, "nurse 12")
    assert told.audited("entry_charted")["replaces"] == held["entry_id"]
    assert verify_audit(database).is_whole


def test_what_was_held_is_charted_when_a_message_says_that_there_was_no_conflict(told: Told) -> None:
    told.doubt(-30)
    told.ward.chart()
    cancelled = (Departure(Infant((told.bert,)), CensusEventKind.TRANSFER_CANCELLED, at(60)),)

    told.tell(told.state(-60, told.anna, departures=cancelled), 60)

    assert told.entries == [("replaced", "", TWO_INFANTS), ("charted", "anna", "")]


def test_what_was_held_stays_held_when_the_other_infant_was_there_and_went(told: Told) -> None:
    told.doubt(-30)
    told.ward.chart()
    went = (Departure(Infant((told.bert,)), CensusEventKind.TRANSFERRED, at(60)),)

    assert told.tell(told.state(-60, told.anna, departures=went), 60).charted == 0

    assert told.entries == [("held", "", TWO_INFANTS)]


def test_a_fact_that_is_taken_again_changes_nothing(told: Told, count: Callable[[str], int]) -> None:
    told.doubt(-30)
    told.ward.chart()
    told.decide(60, "f1")
    once = [count(table) for table in ("entries", "outbox", "audit", "census_facts")]

    assert told.decide(60, "f1") == TakenFact(is_new=False)

    assert [count(table) for table in ("entries", "outbox", "audit", "census_facts")] == once


@pytest.mark.usefixtures("own_database")
@pytest.mark.parametrize("table", ["entries", "outbox", "audit"])
def test_a_correction_is_written_whole_or_not_at_all(told: Told, tamper: Callable[..., None], table: str) -> None:
    told.doubt(-30)
    told.ward.chart()
    tamper(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'disk is sick'; END $$",
        f"CREATE TRIGGER fail BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION fail()",
    )
    with pytest.raises(DBAPIError, match="disk is sick"):
        told.decide(60, "f1")
    assert (told.entries, told.events) == ([("held", "", TWO_INFANTS)], ["entry_held"])

    tamper(f"DROP TRIGGER fail ON {table}")
    assert told.decide(60, "f1").charted == 1


def test_what_is_charted_at_last_keeps_its_times_and_says_that_it_is_late(told: Told, ehr: Any, sweep: Sweep) -> None:
    patient = ehr.admit(told.anna)
    told.doubt(-30)
    told.ward.chart()
    told.ward.clock.advance(1800)
    told.decide(1800)

    sweep(ehr.url)

    (observation,) = ehr.observations(patient)
    assert observation["effectivePeriod"] == {"start": "2026-10-05T12:00:05+00:00", "end": "2026-10-05T12:00:05+00:00"}
    assert "Charted late: 30 min after its end" in observation["note"][0]["text"]
    assert "extension" not in observation


def test_an_entry_of_the_wrong_infant_that_is_not_sent_never_is(told: Told, ehr: Any, sweep: Sweep) -> None:
    anna, bert = ehr.admit(told.anna), ehr.admit(told.bert)
    told.ward.chart()

    told.tell(told.state(-40, told.bert), 60)
    sweep(ehr.url)

    assert told.entries == [("withdrawn", "anna", ""), ("charted", "bert", "")]
    assert (ehr.observations(anna), len(ehr.observations(bert))) == ([], 1)
    assert told.rows("SELECT state FROM outbox ORDER BY place") == [{"state": "cancelled"}, {"state": "confirmed"}]


def test_an_entry_of_the_wrong_infant_is_entered_in_error_there_and_the_right_one_is_there_once(
    told: Told, ehr: Any, sweep: Sweep
) -> None:
    anna, bert = ehr.admit(told.anna), ehr.admit(told.bert)
    told.ward.chart()
    sweep(ehr.url)

    for _ in range(2):
        told.tell(told.state(-40, told.bert), 60, "late")
        sweep(ehr.url)

    (wrong,), (right,) = ehr.observations(anna), ehr.observations(bert)
    assert (wrong["status"], right["status"]) == ("entered-in-error", "preliminary")
    assert right["effectivePeriod"] == wrong["effectivePeriod"]
    (extension,) = right["extension"]
    assert extension["url"] == "http://hl7.org/fhir/StructureDefinition/observation-replaces"
    assert extension["valueReference"]["identifier"] == wrong["identifier"][0]
    assert "charted for another infant before" in right["note"][0]["text"]


def test_both_records_are_in_the_audit_of_either(told: Told) -> None:
    told.ward.chart()
    told.tell(told.state(-40, told.bert, source="hl7:ADT", control_id="4711"), 60)

    withdrawn = told.audited("entry_withdrawn")
    (charted,) = (
        json.loads(row["detail"])
        for row in told.rows("SELECT detail FROM audit WHERE event = 'entry_charted' ORDER BY position DESC LIMIT 1")
    )
    assert (withdrawn["patient"], withdrawn["instead_of"]) == (key(told.anna), key(told.bert))
    assert (withdrawn["told_by"], withdrawn["control_id"]) == ("hl7:ADT", "4711")
    assert (charted["replaces"], charted["replaces_entry_of"]) == (withdrawn["entry_id"], key(told.anna))


def test_an_entry_that_is_nobodys_by_now_is_taken_back_and_held_until_it_is_known(told: Told) -> None:
    told.ward.chart()

    told.tell(told.state(-40), 60)
    empty = "no infant in this bed at that time"
    assert told.entries == [("withdrawn", "anna", ""), ("held", "", empty)]

    # The discharge is cancelled: she had never gone.
    told.tell(told.state(-60, told.anna), 90)

    assert told.entries == [("withdrawn", "anna", ""), ("replaced", "", empty), ("charted", "anna", "")]
    first, last = told.rows("SELECT entry_id, corrects FROM entries WHERE patient_value IS NOT NULL ORDER BY issued")
    assert first["entry_id"] != last["entry_id"]
    assert last["corrects"] == first["entry_id"]


def test_an_interval_in_which_the_infant_changed_is_charted_in_parts_after_all(told: Told) -> None:
    told.ward.policy = ChartingPolicy(interval=timedelta(seconds=100), lateness=timedelta(seconds=2))
    told.ward.take(*(told.ward.score(second) for second in range(5, 100, 5)), told.ward.score(105))

    told.tell(told.state(50, told.bert), 110)

    found = told.rows("SELECT state, patient_value, begins, ends FROM entries WHERE state <> 'withdrawn' ORDER BY ends")
    assert [(row["state"], (row["begins"] - NOON).seconds, (row["ends"] - NOON).seconds) for row in found] == [
        ("charted", 0, 45),
        ("held", 45, 75),
        ("charted", 75, 100),
    ]
    assert [row["patient_value"] for row in found] == [told.anna.value, None, told.bert.value]


def test_of_windows_that_are_forgotten_nothing_is_cut_out(told: Told) -> None:
    told.ward.policy = ChartingPolicy(interval=timedelta(seconds=100), lateness=timedelta(seconds=2))
    told.ward.take(*(told.ward.score(second) for second in range(5, 100, 5)), told.ward.score(105))
    forget_windows(told.ward.intake, now=at(4 * 3600))

    told.tell(told.state(50, told.bert), 110)

    assert told.entries == [
        ("withdrawn", "anna", ""),
        ("held", "", "the windows of this entry are not all one infant's"),
    ]


def test_a_device_that_named_the_first_infant_keeps_the_second_from_being_charted(told: Told) -> None:
    told.ward.take(told.ward.score(5, named=(told.anna,)), told.ward.score(15))

    told.tell(told.state(-40, told.bert), 60)

    assert told.entries == [("withdrawn", "anna", ""), ("held", "", "a source of the window names another infant")]


def test_a_merge_of_numbers_takes_nothing_back(told: Told, ehr: Any, sweep: Sweep) -> None:
    bert = ehr.admit(told.bert)
    told.ward.chart()
    merged = Infant((told.bert,), visit="V1", formerly=(told.anna,))

    told.tell(replace(told.state(-60, told.anna), infant=merged), 60)
    sweep(ehr.url)

    assert told.entries == [("charted", "bert", "")]
    (observation,) = ehr.observations(bert)
    (entry,) = told.rows("SELECT entry_id, version FROM entries")
    assert (observation["identifier"][0]["value"], entry["version"]) == (entry["entry_id"], 2)
    renumbered = told.audited("entry_renumbered")
    assert (renumbered["patient"], renumbered["was_entry_of"]) == (key(told.bert), key(told.anna))


def test_a_merge_after_a_doubt_takes_nothing_back_that_was_charted_before_it(told: Told) -> None:
    told.ward.chart()
    third = Infant((PatientId("third", "HOSP"),))
    doubted = told.state(-60, told.anna, held_reason=TWO_INFANTS, rivals=(third,), held_since=at(60))
    told.tell(doubted, 60)
    went = told.state(-60, told.anna, departures=(Departure(third, CensusEventKind.TRANSFERRED, at(90)),))
    told.tell(went, 90)
    assert told.entries == [("charted", "anna", "")]

    told.tell(replace(went, infant=Infant((told.bert,), visit="V1", formerly=(told.anna,))), 120)

    assert told.entries == [("charted", "bert", "")]
    assert told.audited("entry_renumbered")["was_entry_of"] == key(told.anna)


def test_what_is_delivered_stays_where_the_ehr_has_it_after_a_merge(told: Told, ehr: Any, sweep: Sweep) -> None:
    anna, bert = ehr.admit(told.anna), ehr.admit(told.bert)
    told.ward.chart()
    sweep(ehr.url)

    told.tell(replace(told.state(-60), infant=Infant((told.bert,), formerly=(told.anna,))), 60)
    sweep(ehr.url)

    assert ([one["status"] for one in ehr.observations(anna)], ehr.observations(bert)) == (["preliminary"], [])
    assert told.rows("SELECT state FROM outbox") == [{"state": "confirmed"}]


def test_a_status_that_waits_during_a_merge_is_delivered_and_keeps_nothing_waiting(
    told: Told, ehr: Any, sweep: Sweep, engine: Engine
) -> None:
    anna, bert = ehr.admit(told.anna), ehr.admit(told.bert)
    told.ward.chart()
    sweep(ehr.url)
    (entry,) = told.rows("SELECT entry_id FROM entries")
    with unit_of_work(engine, told.ward.clock) as unit:
        wrong = EntryStatus.ENTERED_IN_ERROR
        change_status(unit, entry["entry_id"], wrong, actor="nurse 12", cause="review", now=NOON)

    told.tell(replace(told.state(-60), infant=Infant((told.bert,), formerly=(told.anna,))), 60)
    told.ward.chart(first=100)
    for _ in range(3):
        told.ward.clock.advance(20)
        sweep(ehr.url)

    assert [one["status"] for one in ehr.observations(anna)] == ["entered-in-error"]
    assert [one["status"] for one in ehr.observations(bert)] == ["preliminary", "preliminary"]


def went_and_is_renumbered(told: Told, kind: CensusEventKind) -> None:
    """Anna goes to another bed, and is told to be Bert; as ingest tells it."""
    other = BedId(f"{told.ward.bed}-2")
    census: Census = {told.ward.bed: told.state(-60, told.anna)}
    moved = CensusEvent(CensusEventKind.TRANSFERRED, Infant((told.anna,), visit="V1"), at(20), bed=other)
    same = CensusEvent(kind, Infant((told.bert,), visit="V1"), at(60), prior=(told.anna,), prior_visit="V1")
    for event, second in ((moved, 20), (same, 60)):
        for state in apply(census, replace(event, source="hl7:ADT")):
            census[state.bed] = state
            told.tell(state, second)


def test_a_merge_renumbers_what_was_charted_in_a_bed_that_the_infant_has_left(
    told: Told, ehr: Any, sweep: Sweep
) -> None:
    bert = ehr.admit(told.bert)
    told.ward.take(told.ward.score(5), told.ward.score(15))

    went_and_is_renumbered(told, CensusEventKind.MERGED)
    sweep(ehr.url)

    assert told.entries == [("charted", "bert", "")]
    assert len(ehr.observations(bert)) == 1


def test_what_is_charted_late_of_a_bed_that_the_infant_has_left_has_the_number_of_now(told: Told) -> None:
    told.ward.take(told.ward.score(5))

    went_and_is_renumbered(told, CensusEventKind.MERGED)
    told.ward.take(told.ward.score(95))

    assert told.entries[0] == ("charted", "bert", "")


def test_a_merge_after_a_discharge_is_written_down_for_who_asks_about_the_number_of_now(told: Told) -> None:
    census: Census = {told.ward.bed: told.state(-60, told.anna)}
    gone = CensusEvent(CensusEventKind.DISCHARGED, Infant((told.anna,)), at(20), source="hl7:ADT")
    same = CensusEvent(CensusEventKind.MERGED, Infant((told.bert,)), at(60), source="hl7:ADT", prior=(told.anna,))
    for event, second in ((gone, 20), (same, 60)):
        for state in apply(census, event):
            census[state.bed] = state
            told.tell(state, second)

    noted = told.audited("entry_renumbered")
    assert (noted["patient"], noted["was_entry_of"]) == (key(told.bert), key(told.anna))


@pytest.mark.parametrize("kind", [CensusEventKind.RENUMBERED, CensusEventKind.VISIT_MOVED])
def test_a_number_that_was_never_the_infants_is_taken_back_in_a_bed_that_it_has_left(
    told: Told, ehr: Any, sweep: Sweep, kind: CensusEventKind
) -> None:
    anna, bert = ehr.admit(told.anna), ehr.admit(told.bert)
    told.ward.take(told.ward.score(5), told.ward.score(15))
    sweep(ehr.url)

    went_and_is_renumbered(told, kind)
    for _ in range(2):
        sweep(ehr.url)

    assert told.entries == [("withdrawn", "anna", ""), ("charted", "bert", "")]
    assert [one["status"] for one in ehr.observations(anna)] == ["entered-in-error"]
    assert [one["status"] for one in ehr.observations(bert)] == ["preliminary"]


@dataclass(slots=True)
class Doubling:
    """A channel to an EHR that files an entry twice."""

    channel: Any
    ehr: Any
    patient: str

    def create(self, entry: Any, located: Any) -> None:
        self.channel.create(entry, located)
        (filed,) = self.ehr.observations(self.patient)
        self.ehr.post({name: value for name, value in filed.items() if name not in {"id", "meta"}})

    def __getattr__(self, name: str) -> Any:
        return getattr(self.channel, name)


def test_what_the_ehr_has_otherwise_than_it_was_sent_is_not_forgotten_when_it_is_another_infants(
    told: Told, ehr: Any, deliverer_to: Callable[..., Any]
) -> None:
    anna = ehr.admit(told.anna)
    told.ward.chart()
    honest = deliverer_to(ehr.url)
    deliverer = replace(honest, channel=Doubling(honest.channel, ehr, anna))
    assert [deliverer.deliver(entry) for entry in deliverer.hand_out()] == [1]

    told.tell(told.state(-60, told.bert), 60)

    (wrong,) = told.rows("SELECT entry_id FROM entries WHERE state = 'withdrawn'")
    waiting = f"SELECT change, state FROM outbox WHERE entry_id = '{wrong['entry_id']}' ORDER BY change"  # noqa: S608
    assert told.rows(waiting) == [{"change": 0, "state": "rejected"}, {"change": 1, "state": "pending"}]


def test_a_number_that_was_wrong_is_another_infants(told: Told, ehr: Any, sweep: Sweep) -> None:
    anna, bert = ehr.admit(told.anna), ehr.admit(told.bert)
    told.ward.chart()
    sweep(ehr.url)

    told.tell(told.state(-60, told.bert), 60)
    sweep(ehr.url)

    assert [one["status"] for one in ehr.observations(anna)] == ["entered-in-error"]
    assert [one["status"] for one in ehr.observations(bert)] == ["preliminary"]


def test_what_a_person_has_rejected_is_charted_for_nobody_else(told: Told, engine: Engine) -> None:
    told.ward.chart()
    (entry,) = told.rows("SELECT entry_id FROM entries")
    with unit_of_work(engine, told.ward.clock) as unit:
        wrong = EntryStatus.ENTERED_IN_ERROR
        change_status(unit, entry["entry_id"], wrong, actor="nurse 12", cause="review", now=NOON)

    told.tell(told.state(-40, told.bert), 60)

    assert told.entries == [("charted", "anna", "")]


def nurse_scores_herself(told: Told, engine: Engine) -> str:
    """A nurse charts her own score in place of the ward's one entry; returns its id."""
    with unit_of_work(engine, told.ward.clock) as unit:
        entry = unit.connection.execute(text("SELECT * FROM entries")).one()
        items = NipsItems(*[1] * 6)
        hers = Review(ReviewAct.CHANGE, Reviewer("n-12", "https://id.hospital.example", "nurse 12"), 1, items=items)
        return review(unit, entry, hers, now=told.ward.clock.now())


def test_what_a_nurse_scored_of_another_infant_is_entered_in_error_and_written_for_nobody(
    told: Told, engine: Engine, ehr: Any, sweep: Sweep
) -> None:
    anna, bert = ehr.admit(told.anna), ehr.admit(told.bert)
    told.ward.chart()
    own = nurse_scores_herself(told, engine)
    sweep(ehr.url)
    assert sorted(one["status"] for one in ehr.observations(anna)) == ["cancelled", "final"]

    told.tell(told.state(-40, told.bert), 60)
    sweep(ehr.url)

    assert sorted(one["status"] for one in ehr.observations(anna)) == ["cancelled", "entered-in-error"]
    assert ehr.observations(bert) == []
    withdrawn = told.audited("entry_withdrawn")
    assert (withdrawn["entry_id"], withdrawn["patient"]) == (own, key(told.anna))
    assert (withdrawn["instead"], withdrawn["instead_of"]) == ("", key(told.bert))


def test_what_a_nurse_scored_before_a_merge_goes_to_the_ehr_under_the_number_of_now(
    told: Told, engine: Engine, ehr: Any, sweep: Sweep
) -> None:
    bert = ehr.admit(told.bert)
    told.ward.chart()
    nurse_scores_herself(told, engine)

    told.tell(replace(told.state(-60), infant=Infant((told.bert,), formerly=(told.anna,))), 60)
    sweep(ehr.url)

    assert sorted(one["status"] for one in ehr.observations(bert)) == ["cancelled", "final"]
    assert {row["state"] for row in told.rows("SELECT state FROM outbox")} == {"confirmed"}


def test_test_input_is_not_released_to_a_real_ehr(told: Told, count: Callable[[str], int]) -> None:
    told.doubt(-30)
    told.ward.take(told.ward.score(5, processing=Processing.TRAINING), told.ward.score(15))

    assert told.decide(60).charted == 0

    reason = "input is not production (MSH-11 T) and the EHR is not our own"
    assert told.entries[-1] == ("held", "anna", reason)
    assert count("outbox") == 0


def test_the_open_alert_of_the_wrong_infant_ends(told: Told) -> None:
    told.ward.policy = replace(told.ward.policy, name="p", alert=AlertPolicy(enabled=True))
    told.ward.take(*(told.ward.score(second, 8.0) for second in range(0, 61, 5)))
    (alert,) = told.rows("SELECT alert_id FROM alerts")

    told.tell(told.state(-40, told.bert), 70)

    last = told.rows("SELECT alert_id, kind, reason FROM alert_events ORDER BY place DESC LIMIT 1")
    assert last == [{"alert_id": alert["alert_id"], "kind": "ended", "reason": "wrong-infant"}]
    assert told.rows("SELECT alert_id FROM alert_watches") == [{"alert_id": None}]


def test_news_of_the_infant_correct_nothing(told: Told) -> None:
    told.ward.chart()
    told.tell(replace(told.state(-60, told.anna), infant=Infant((told.anna,), gestational_age_days=200)), 60)

    assert (told.entries, told.events) == ([("charted", "anna", "")], ["entry_charted"])


def test_an_entry_of_before_is_taken_back_and_charted_for_nobody_else(told: Told, tamper: Callable[..., None]) -> None:
    told.ward.chart()
    tamper("UPDATE entries SET runs = NULL")

    told.tell(told.state(-40, told.bert), 60)

    why = "what this entry rests on is not kept: it was written by an older version"
    assert told.entries == [("withdrawn", "anna", ""), ("held", "", why)]


EVENTS = (
    CensusEventKind.ADMITTED,
    CensusEventKind.TRANSFERRED,
    CensusEventKind.TRANSFERRED,
    CensusEventKind.DISCHARGED,
    CensusEventKind.UPDATED,
    CensusEventKind.ADMISSION_CANCELLED,
    CensusEventKind.TRANSFER_CANCELLED,
    CensusEventKind.DISCHARGE_CANCELLED,
    CensusEventKind.MERGED,
    CensusEventKind.RENUMBERED,
    CensusEventKind.CONTRADICTED,
    CensusEventKind.RELEASED,
)


def events(told: Told, *, seed: int) -> Iterator[CensusEvent]:
    """What is told of Anna, Bert and two beds, once in ten seconds; some of it late."""
    chance = random.Random(seed)  # noqa: S311 - a test's own
    for number in range(14):
        mine, other = chance.sample([told.anna, told.bert], 2)
        kind = chance.choice(EVENTS)
        yield CensusEvent(
            kind=kind,
            infant=Infant((mine,), visit="V1"),
            occurred=at(10 * number - chance.choice([0, 0, 8, 25, 60])),
            bed=chance.choice([told.ward.bed, told.ward.bed, BedId(f"{told.ward.bed}-2")]),
            source="hl7:ADT",
            told=at(10 * number),
            prior=(other,) if kind in (CensusEventKind.MERGED, CensusEventKind.RENUMBERED) else (),
            release=Release("nurse 12", "looked") if kind is CensusEventKind.RELEASED else None,
        )


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_after_any_facts_what_stands_is_whose_the_history_says_and_the_rest_is_audited(
    told: Told, engine: Engine, database: str, count: Callable[[str], int], seed: int
) -> None:
    census: Census = {told.ward.bed: told.state(-60, told.anna)}
    facts = []
    for number, event in enumerate(events(told, seed=seed)):
        for state in apply(census, event):
            census[state.bed] = state
            facts.append((state, 10 * number, f"f{len(facts)}"))
            told.tell(*facts[-1])
        named = ((), (told.anna,), (told.bert,))[number % 3]
        told.ward.take(told.ward.score(10 * number + 5, named=named))
    told.ward.take(told.ward.score(155))

    with engine.connect() as connection:
        history = history_of(connection, told.ward.bed)
        standing = standing_entries(connection, told.ward.bed, [Stretch(at(-100), None)])
    assert len(standing) >= 14
    for entry in standing:
        now = whose_windows(timeline(history), entry.runs or ())
        assert (now.patient is None) == (entry.patient is None)
        assert entry.patient is None or now.is_about(entry.patient)
    gone = told.rows("SELECT entry_id FROM entries WHERE state IN ('withdrawn', 'replaced') ORDER BY entry_id")
    audited = told.rows(
        "SELECT entry_id FROM audit WHERE event IN ('entry_withdrawn', 'entry_released') ORDER BY entry_id"
    )
    assert gone
    assert gone == audited
    assert told.rows("SELECT 1 FROM entries WHERE state = 'withdrawn' AND status <> 'entered-in-error'") == []

    tables = ("entries", "outbox", "audit", "entry_statuses")
    once = [count(table) for table in tables]
    for fact in facts:
        told.tell(*fact)
    assert [count(table) for table in tables] == once
    assert verify_audit(database).is_whole


class HeldClock:
    """A clock that keeps a transaction open: it is asked for the time before the commit."""

    def __init__(self, clock: Any) -> None:
        self.clock, self.asked, self.release = clock, Event(), Event()

    def now(self) -> datetime:
        self.asked.set()
        assert self.release.wait(10)
        return self.clock.now()  # type: ignore[no-any-return]


def test_a_fact_waits_for_the_entry_that_is_being_written_without_it(told: Told, rows: Rows) -> None:
    told.ward.take(told.ward.score(5))
    held = HeldClock(told.ward.clock)
    with ThreadPoolExecutor(max_workers=2) as pool:
        scored = pool.submit(take_score, replace(told.ward.intake, clock=held), told.ward.score(15))
        assert held.asked.wait(10)
        fact = pool.submit(told.tell, told.state(-40, told.bert), 60)
        deadline = time.monotonic() + 10
        while not rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
            assert time.monotonic() < deadline
        held.release.set()
        scored.result()
        fact.result()

    assert told.entries == [("withdrawn", "anna", ""), ("charted", "bert", "")]


def test_a_fact_waits_for_the_nurse_who_rejects_what_it_is_about(told: Told, rows: Rows, engine: Engine) -> None:
    told.ward.chart()
    (entry,) = told.rows("SELECT entry_id FROM entries")
    held = HeldClock(told.ward.clock)

    def reject() -> None:
        with unit_of_work(engine, held) as unit:
            wrong = EntryStatus.ENTERED_IN_ERROR
            change_status(unit, entry["entry_id"], wrong, actor="nurse 12", cause="review", now=NOON)

    with ThreadPoolExecutor(max_workers=2) as pool:
        rejected = pool.submit(reject)
        assert held.asked.wait(10)
        fact = pool.submit(told.tell, told.state(-40, told.bert), 60)
        deadline = time.monotonic() + 10
        while not rows("SELECT 1 FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"):
            assert time.monotonic() < deadline
        held.release.set()
        rejected.result()
        assert fact.result().is_new

    assert told.entries == [("charted", "anna", "")]


def test_an_entry_that_is_being_sent_is_taken_back_after_it(told: Told, ehr: Any, sweep: Sweep, engine: Engine) -> None:
    anna = ehr.admit(told.anna)
    ehr.admit(told.bert)
    told.ward.chart()
    with engine.begin() as worker:
        # What a worker that delivers for her holds.
        worker.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 7305103))"), {"key": key(told.anna)})
        told.tell(told.state(-40, told.bert), 60)

    sweep(ehr.url)

    assert [one["status"] for one in ehr.observations(anna)] == ["entered-in-error"]


@dataclass(slots=True)
class Interrupted:
    """A channel of which something happens between looking for the infant and sending."""

    channel: Any
    happens: list[Callable[[], object]]

    def locate(self, entry: Any) -> Any:
        located = self.channel.locate(entry)
        if self.happens:
            self.happens.pop()()
        return located

    def __getattr__(self, name: str) -> Any:
        return getattr(self.channel, name)


def test_an_entry_that_a_merge_gives_another_number_while_it_is_being_sent_goes_under_that(
    told: Told, ehr: Any, deliverer_to: Callable[..., Any]
) -> None:
    anna, bert = ehr.admit(told.anna), ehr.admit(told.bert)
    told.ward.chart()
    merged = replace(told.state(-60), infant=Infant((told.bert,), formerly=(told.anna,)))
    other = deliverer_to(ehr.url)

    def merge() -> None:
        told.tell(merged, 60)
        assert [other.deliver(entry) for entry in ids] == [1]

    deliverer = replace(other, channel=Interrupted(other.channel, [merge]))
    ids = deliverer.hand_out()

    assert [deliverer.deliver(entry) for entry in ids] == [0]
    assert ([len(ehr.observations(one)) for one in (anna, bert)]) == [0, 1]
    assert told.rows("SELECT state FROM outbox") == [{"state": "confirmed"}]


@pytest.fixture
def command(database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs ``neopain held ...``; gives exit code, output lines and errors."""
    monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", database)

    def held(*arguments: str) -> tuple[int, list[str], str]:
        code = run(["held", *arguments])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    return held


def test_held_entries_are_listed_with_their_reason_and_shown(told: Told, command: Command) -> None:
    told.doubt(-30)
    told.ward.chart()

    code, (line,), _ = command("list", "--json")
    listed = json.loads(line)
    assert (code, listed["bed"], listed["why"]) == (0, told.ward.bed, TWO_INFANTS)
    assert command("list", "--bed", "NICU/9/9")[1] == []
    assert "why         two infants in one bed" in command("show", listed["entry"])[1]


def test_a_person_may_discard_a_held_entry_and_it_stays_discarded(told: Told, command: Command) -> None:
    told.doubt(-30)
    told.ward.chart()
    (entry,) = told.rows("SELECT entry_id FROM entries")

    discarded = command("discard", entry["entry_id"], "--by", "nurse 12", "--reason", "nobody knows")
    again = command("discard", entry["entry_id"], "--by", "nurse 12", "--reason", "nobody knows")
    told.decide(60)

    assert (discarded[0], again[0]) == (0, 2)
    assert "is held: see `neopain held list`" in again[2]
    assert told.entries == [("discarded", "", TWO_INFANTS)]
    audited = told.audited("entry_discarded")
    assert (audited["actor"], audited["why"], audited["was_held"]) == ("nurse 12", "nobody knows", TWO_INFANTS)
