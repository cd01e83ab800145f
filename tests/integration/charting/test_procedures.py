"""An entry around a documented procedure: when it is written, what it says, whose it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from neopain.charting.procedures import Documented, chart_due_procedures, document
from neopain.charting.retention.rows import CLASSES, delete_batch
from neopain.charting.retention.run import run_retention
from neopain.charting.settings import ChartingSettings
from neopain.charting.unit_of_work import unit_of_work
from neopain.cli import run
from neopain.domain.identity import PatientId
from neopain.domain.policy import ChartingPolicy
from neopain.domain.procedure import Procedure, ProcedureRule
from neopain.domain.study import Study

from .conftest import AUTHORITY, NOON

Rows = Callable[[str], list[dict[str, Any]]]
RULE = ProcedureRule(before=timedelta(seconds=60), after=timedelta(seconds=60))


@pytest.fixture
def infant(ward: Any) -> Any:
    """1.0 for a minute, 4.5 from then on for half a minute, 2.0 after that: a procedure from 60 to 80 s after noon."""
    ward.policy = ChartingPolicy(hold=timedelta(seconds=10), gap=timedelta(seconds=10), procedure=RULE)
    for second in range(5, 151, 5):
        ward.take(ward.score(second, 1.0 if second <= 60 else 4.5 if second <= 90 else 2.0))
    ward.clock.advance(100)
    return ward


def documented(ward: Any, *, begin: float = 60, end: float = 80, patient: PatientId | None = None) -> Any:
    moments = (NOON + timedelta(seconds=second) for second in (begin, end))
    procedure = Procedure(ward.bed, *moments, what="Heel lance")
    with unit_of_work(ward.engine, ward.clock) as unit:
        told = Documented(procedure, "N. Nurse", patient)
        return document(unit, told, ward.policy, now=ward.clock.now())


def charted(ward: Any, *, at: float = 200) -> int:
    ward.clock.moment = NOON + timedelta(seconds=at)
    return chart_due_procedures(ward.intake, now=ward.clock.now())


def test_its_entry_has_baseline_peak_and_recovery(infant: Any, rows: Rows, states: Callable[[], list[str]]) -> None:
    documented(infant)
    assert charted(infant) == 1

    (entry,) = rows("SELECT kind, begins, ends, draft FROM entries")
    assert (entry["kind"], entry["begins"]) == ("procedure", NOON + timedelta(seconds=60))
    assert entry["ends"] == NOON + timedelta(seconds=140)
    told = entry["draft"]["procedure"]
    assert (told["what"], told["baseline"], told["recovery"]) == ("Heel lance", 1.0, "PT15S")
    assert (entry["draft"]["peak"], entry["draft"]["value"], entry["draft"]["windows"]) == (4.5, 2.0, 16)
    assert states() == ["pending"]
    assert rows("SELECT state FROM procedures") == [{"state": "charted"}]


def test_it_waits_until_the_minutes_after_it_are_over(infant: Any, rows: Rows) -> None:
    documented(infant)

    assert charted(infant, at=159) == 0
    assert rows("SELECT state FROM procedures") == [{"state": "waiting"}]
    assert charted(infant, at=160) == 1


def test_no_entry_is_nearer_to_another_than_the_policy_allows(infant: Any, rows: Rows) -> None:
    infant.policy = replace(infant.policy, distance=timedelta(minutes=5))
    documented(infant)
    documented(infant, begin=60, end=70)
    assert charted(infant) == 1
    assert charted(infant, at=200 + 299) == 0
    assert charted(infant, at=200 + 300) == 1
    assert rows("SELECT count(*) AS rows FROM entries") == [{"rows": 2}]


def test_who_documents_it_is_in_the_trail_and_the_same_again_is_one(infant: Any, rows: Rows) -> None:
    first, again = documented(infant), documented(infant)

    assert (first.is_new, again.is_new, first.id) == (True, False, again.id)
    (row,) = rows("SELECT actor, detail FROM audit WHERE event = 'procedure_documented'")
    assert (row["actor"], json.loads(row["detail"])["what"]) == ("N. Nurse", "Heel lance")


def test_another_infant_s_minutes_are_not_charted(infant: Any, rows: Rows) -> None:
    documented(infant, patient=PatientId("MRN-other", AUTHORITY))
    assert charted(infant) == 0

    (row,) = rows("SELECT state, reason FROM procedures")
    assert row == {"state": "not-charted", "reason": "by the census another infant lay in the bed"}
    assert rows("SELECT count(*) AS rows FROM audit WHERE event = 'procedure_not_charted'") == [{"rows": 1}]


def test_without_windows_there_is_no_entry(infant: Any, rows: Rows) -> None:
    infant.clock.advance(900)
    documented(infant, begin=600, end=700)
    assert charted(infant, at=1000) == 0
    assert rows("SELECT reason FROM procedures") == [{"reason": "no window of this bed from its begin on"}]


def test_without_anything_before_there_is_no_baseline_and_no_recovery(infant: Any, rows: Rows) -> None:
    infant.clock.moment = NOON + timedelta(seconds=20)
    documented(infant, begin=2, end=12)
    charted(infant)

    (entry,) = rows("SELECT draft FROM entries")
    assert (entry["draft"]["procedure"]["baseline"], entry["draft"]["procedure"]["recovery"]) == (None, None)


def test_what_the_census_corrects_later_says_what_it_said(infant: Any, rows: Rows) -> None:
    documented(infant)
    charted(infant)
    infant.admit(PatientId("MRN-late", AUTHORITY), at=-30)

    (entry,) = rows("SELECT draft FROM entries WHERE state = 'charted'")
    assert entry["draft"]["procedure"]["baseline"] == 1.0


def test_in_study_mode_it_is_blinded(infant: Any, rows: Rows, states: Callable[[], list[str]]) -> None:
    infant.policy = replace(infant.policy, study=Study(enabled=True))
    documented(infant)
    assert charted(infant) == 0

    assert states() == []
    assert rows("SELECT state FROM entries") == [{"state": "blinded"}]


def test_the_command_documents_one(
    infant: Any, rows: Rows, database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", database)
    times = ["--begin", "2026-10-05T12:01:00", "--end", "2026-10-05T12:01:20"]

    # By the machine's clock that is another year: refused, and told why.
    assert run(["beds", "procedure", infant.bed, *times, "--what", "heel lance", "--by", "N. Nurse"]) == 1
    told = capsys.readouterr().out
    assert told.startswith("not charted: it ")
    assert rows("SELECT count(*) AS rows FROM procedures") == [{"rows": 0}]


def test_retention_takes_a_procedure_that_no_entry_came_of(infant: Any, owner_engine: Any, rows: Rows) -> None:
    infant.clock.advance(100)
    documented(infant, begin=160, end=180)
    settings = ChartingSettings(database_url="postgresql+psycopg2://none", retention_entries_days=30)
    infant.clock.advance(timedelta(days=31).total_seconds())
    run_retention(owner_engine, infant.clock, settings, by="test", say=print)
    # It waits for the consumer.
    assert rows("SELECT state FROM procedures") == [{"state": "waiting"}]
    assert chart_due_procedures(infant.intake, now=infant.clock.now()) == 0
    assert rows("SELECT state FROM procedures") == [{"state": "not-charted"}]

    run_retention(owner_engine, infant.clock, settings, by="test", say=print)

    assert rows("SELECT count(*) AS rows FROM procedures") == [{"rows": 0}]
    (deleted,) = rows("SELECT detail FROM audit WHERE event = 'retention_deleted'")
    assert json.loads(deleted["detail"])["class"] == "procedures"


def test_retention_takes_a_procedure_with_its_entry(
    infant: Any, owner_engine: Any, rows: Rows, tamper: Callable[..., None]
) -> None:
    documented(infant)
    charted(infant)
    tamper("UPDATE outbox SET state = 'confirmed'")
    later = NOON + timedelta(days=1)
    with unit_of_work(owner_engine, infant.clock) as unit:
        delete_batch(unit, CLASSES[0], before=later, by="test", now=later)

    assert rows("SELECT count(*) AS rows FROM procedures") == [{"rows": 0}]
