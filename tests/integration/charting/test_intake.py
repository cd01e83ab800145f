"""Scores become entries, outbox rows and audit rows: all of a transaction or none of it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from neopain.charting.audit.verify import verify_audit
from neopain.charting.facts import take_fact
from neopain.charting.intake import Written, close_silent_beds, forget_windows, take_score
from neopain.charting.reading import EntryCounts, count_entries
from neopain.domain.census import DEVICE_DISAGREES, BedState, Dispute, Infant, Release
from neopain.domain.identity import BedId, PatientId
from neopain.domain.policy import ChartingPolicy
from neopain.domain.vitals import Processing
from neopain.errors import DatabaseUnavailable

Rows = Callable[[str], list[dict[str, Any]]]
Count = Callable[[str], int]

NOON = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
BERT = PatientId("MRN-BERT", "HOSP")


def test_an_interval_becomes_an_entry_an_outbox_row_and_an_audit_row(ward: Any, rows: Rows) -> None:
    ward.take(ward.score(1, 2), ward.score(2, 8), ward.score(3, 3), ward.score(12))

    (entry,) = rows("SELECT entry_id, state, value, patient_value, visit FROM entries")
    (row,) = rows("SELECT entry_id, state, infant FROM outbox")
    (audit,) = rows("SELECT entry_id, event, patient FROM audit")
    assert (entry["state"], entry["value"], entry["visit"]) == ("charted", 3.0, "V1")
    assert (row["state"], row["infant"]) == ("pending", f"HOSP|{ward.infant.value}")
    assert (audit["event"], audit["patient"]) == ("entry_charted", f"HOSP|{ward.infant.value}")
    assert entry["entry_id"] == row["entry_id"] == audit["entry_id"]


@pytest.mark.usefixtures("own_database")
@pytest.mark.parametrize("table", ["entries", "outbox", "audit", "audit_heads", "courses"])
def test_what_cannot_be_written_whole_is_not_written_at_all(
    ward: Any, count: Count, tamper: Callable[..., None], table: str
) -> None:
    ward.take(ward.score(1))
    before = {name: count(name) for name in ("windows", "entries", "outbox", "audit")}
    tamper(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'disk is sick'; END $$",
        f"CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION fail()",
    )

    with pytest.raises(DBAPIError, match="disk is sick"):
        take_score(ward.intake, ward.score(12))

    assert {name: count(name) for name in before} == before


@pytest.mark.usefixtures("own_database")
def test_what_failed_is_written_when_it_is_tried_again(ward: Any, count: Count, tamper: Callable[..., None]) -> None:
    ward.take(ward.score(1))
    tamper("ALTER TABLE audit_heads RENAME TO audit_heads_gone")
    with pytest.raises(DBAPIError):
        take_score(ward.intake, ward.score(12))
    tamper("ALTER TABLE audit_heads_gone RENAME TO audit_heads")

    take_score(ward.intake, ward.score(12))

    assert (count("entries"), count("outbox"), count("audit")) == (1, 1, 1)


def test_taking_the_same_scores_again_doubles_nothing(ward: Any, count: Count) -> None:
    scores = [ward.score(second, 9) for second in range(1, 40)]

    ward.take(*scores)
    once = (count("windows"), count("entries"), count("outbox"), count("audit"))
    ward.take(*scores)

    assert (count("windows"), count("entries"), count("outbox"), count("audit")) == once


def test_a_score_taken_again_is_no_late_score(ward: Any) -> None:
    ward.chart()

    assert take_score(ward.intake, ward.score(5)) == Written()
    assert take_score(ward.intake, ward.score(6)) == Written(is_late=True)


def test_scores_of_one_bed_that_are_taken_at_the_same_time_all_count(ward: Any, rows: Rows) -> None:
    ward.policy = ChartingPolicy(interval=timedelta(seconds=10), lateness=timedelta(seconds=60))

    def run(first: int) -> None:
        ward.take(*(ward.score(second) for second in range(first, 121, 4)))

    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(run, range(1, 5)))
    close_silent_beds(ward.intake, now=ward.clock.now() + timedelta(seconds=180))

    assert [row["windows"] for row in rows("SELECT draft ->> 'windows' AS windows FROM entries")] == ["10"] * 12


class HeldClock:
    """A clock that keeps a transaction open: it is asked for the time last, before the commit."""

    def __init__(self, clock: Any) -> None:
        self.clock, self.asked, self.release = clock, threading.Event(), threading.Event()

    def now(self) -> datetime:
        self.asked.set()
        assert self.release.wait(10)
        return self.clock.now()  # type: ignore[no-any-return]


def test_the_course_of_a_bed_is_in_one_hand_at_a_time(ward: Any, rows: Rows) -> None:
    ward.take(ward.score(1))
    held = HeldClock(ward.clock)
    with ThreadPoolExecutor(max_workers=2) as pool:
        newer = pool.submit(take_score, replace(ward.intake, clock=held), ward.score(3))
        assert held.asked.wait(10)
        older = pool.submit(take_score, ward.intake, ward.score(2))
        deadline = time.monotonic() + 10
        while not rows(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        ):
            assert time.monotonic() < deadline
        held.release.set()
        newer.result()
        older.result()

    assert rows("SELECT extract(second FROM newest)::int AS newest FROM courses") == [{"newest": 3}]


def test_a_lock_that_is_not_had_in_time_is_tried_again_later(ward: Any, engine: Engine, database: str) -> None:
    ward.take(ward.score(1))
    impatient = create_engine(database, connect_args={"options": "-c lock_timeout=100"})
    with engine.begin() as other:
        other.execute(text("SELECT 1 FROM courses FOR UPDATE"))

        with pytest.raises(DatabaseUnavailable, match="lock timeout"):
            take_score(replace(ward.intake, engine=impatient), ward.score(2))
    impatient.dispose()


def test_windows_without_a_number_become_an_entry_without_a_value(ward: Any, rows: Rows) -> None:
    ward.take(ward.score(1, None), ward.score(2, None), ward.score(12))

    (entry,) = rows("SELECT value, draft ->> 'absent_reason' AS why, state FROM entries")
    assert (entry["value"], entry["why"], entry["state"]) == (None, "no-modality", "charted")


@pytest.mark.parametrize(
    ("happening", "reason"),
    [
        ("empty", "no infant in this bed at that time"),
        ("held", "two infants in one bed"),
        ("contradicted", "a source of the window names another infant"),
    ],
)
def test_an_entry_that_is_not_clearly_an_infants_is_held_and_audited(
    ward: Any, rows: Rows, count: Count, happening: str, reason: str
) -> None:
    match happening:
        case "empty":
            ward.admit(at=-30)
        case "held":
            ward.admit(BERT, at=-30, held="two infants in one bed")
    named = (BERT,) if happening == "contradicted" else ()

    ward.take(ward.score(1, named=named), ward.score(12))

    (entry,) = rows("SELECT state, held_reason FROM entries")
    (audit,) = rows("SELECT event, detail FROM audit")
    assert (entry["state"], entry["held_reason"]) == ("held", reason)
    assert audit["event"] == "entry_held"
    assert reason in audit["detail"]
    assert count("outbox") == 0


def test_an_interval_of_two_infants_is_never_one_entry(ward: Any, rows: Rows) -> None:
    ward.policy = ChartingPolicy(interval=timedelta(seconds=100), lateness=timedelta(seconds=2))
    ward.admit(at=40)
    ward.admit(BERT, at=50)
    ward.take(ward.score(30, 2), ward.score(45, 9), ward.score(60, 8), ward.score(95, 4), ward.score(103))

    found = rows("SELECT held_reason, patient_value, value FROM entries ORDER BY begins")
    assert [(one["patient_value"], one["value"], one["held_reason"]) for one in found] == [
        (ward.infant.value, 2.0, ""),
        (None, 9.0, "no infant in this bed at that time"),
        (None, 8.0, "another infant was in this bed within the window"),
        ("MRN-BERT", 4.0, ""),
    ]


def test_who_it_is_about_is_decided_by_the_time_of_the_window_and_not_by_now(ward: Any, rows: Rows) -> None:
    ward.admit(at=10)
    ward.admit(BERT, at=11)

    ward.take(ward.score(5), ward.score(15))

    (entry,) = rows("SELECT patient_value FROM entries")
    assert entry["patient_value"] == ward.infant.value


def test_training_input_is_held_from_a_real_ehr(ward: Any, rows: Rows, count: Count) -> None:
    ward.take(ward.score(1, processing=Processing.TRAINING), ward.score(12))

    (entry,) = rows("SELECT state, held_reason FROM entries")
    assert entry["held_reason"] == "input is not production (MSH-11 T) and the EHR is not our own"
    assert count("outbox") == 0


def test_training_input_is_charted_to_our_own_ehr_and_says_so(ward: Any, rows: Rows) -> None:
    ward.takes_test_input = True

    ward.take(ward.score(1, processing=Processing.TRAINING), ward.score(12))

    (entry,) = rows("SELECT state, draft ->> 'processing' AS processing FROM entries")
    assert (entry["state"], entry["processing"]) == ("charted", "T")


def test_a_bed_that_falls_silent_is_charted_by_the_clock(ward: Any, count: Count) -> None:
    ward.take(ward.score(1))

    before = close_silent_beds(ward.intake, now=ward.clock.now() + timedelta(seconds=11))
    after = close_silent_beds(ward.intake, now=ward.clock.now() + timedelta(seconds=12))

    assert (before.charted, after.charted) == (0, 1)
    assert count("entries") == 1


def test_the_clock_and_a_score_do_not_both_chart_an_interval(ward: Any, count: Count) -> None:
    ward.take(ward.score(1))
    close_silent_beds(ward.intake, now=ward.clock.now() + timedelta(seconds=12))

    ward.take(ward.score(13), ward.score(25))

    assert count("entries") == 2


def test_old_windows_that_are_charted_are_forgotten_and_open_ones_kept(ward: Any, count: Count) -> None:
    ward.take(ward.score(1), ward.score(2), ward.score(13))

    forgotten = forget_windows(ward.intake, now=ward.clock.now() + timedelta(hours=3))

    assert (forgotten, count("windows")) == (2, 1)


def test_beds_charted_at_the_same_time_share_one_unbroken_chain(ward: Any, database: str, count: Count) -> None:
    beds = [BedId(f"NICU/2/{number}") for number in range(8)]

    def run(bed: BedId) -> None:
        for second in range(1, 60, 4):
            take_score(ward.intake, ward.score(second, bed=bed))

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(run, beds))

    assert count("entries") == 8 * 5
    assert verify_audit(database).is_whole


def test_entries_are_counted_per_bed(ward: Any, database: str) -> None:
    ward.chart(2)
    ward.take(ward.score(1, bed=BedId("NICU/9/1")), ward.score(12, bed=BedId("NICU/9/1")))

    assert count_entries(database) == {
        ward.bed: EntryCounts(entries=2),
        BedId("NICU/9/1"): EntryCounts(held=1),
    }
    assert count_entries(database, since=ward.clock.now() + timedelta(seconds=1)) == {}


def test_a_person_s_release_of_a_bed_is_audited_and_ends_the_hold(ward: Any, rows: Rows) -> None:
    ward.admit(ward.infant)
    held = BedState(ward.bed, NOON - timedelta(seconds=60), Infant((ward.infant,)), "a device names another infant")
    named = Dispute("hl7:MON", DEVICE_DISAGREES, BERT)
    free = replace(held, held_reason="", overruled=(named,), release=Release("nurse 12", "looked at the band"))
    for second, state in ((-30, held), (0, free)):
        moment = NOON + timedelta(seconds=second)
        take_fact(ward.intake, fact_id=f"f{second}", state=state, arrived=moment)

    ward.take(ward.score(1, named=(BERT,)), ward.score(12))

    (audit,) = rows("SELECT actor, patient, detail FROM audit WHERE event = 'bed_released'")
    assert (audit["actor"], audit["patient"]) == ("nurse 12", f"HOSP|{ward.infant.value}")
    assert json.loads(audit["detail"]) == {
        "bed": ward.bed,
        "overruled": "hl7:MON: a device in this bed names another infant",
        "reason": "looked at the band",
        "told": "2026-10-05T12:00:00+00:00",
    }
    assert [row["state"] for row in rows("SELECT state FROM entries")] == ["charted"]
