"""``neopain outbox``: a person looks at what has not reached the EHR, and decides; each decision is audited."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from neopain.bootstrap.outbox import STATES
from neopain.charting.audit.verify import verify_audit
from neopain.charting.desk import doubt_restored
from neopain.charting.statuses import change_status
from neopain.charting.unit_of_work import unit_of_work
from neopain.cli import run
from neopain.domain.entry_status import EntryStatus

Rows = Callable[[str], list[dict[str, Any]]]
Sweep = Callable[[str], int]
Command = Callable[..., tuple[int, list[str], str]]

BY = ("--by", "engineer 3", "--reason", "the EHR has its patients now")


@pytest.fixture
def command(database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs ``neopain outbox ...``; gives exit code, output lines and errors."""
    monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", database)

    def outbox(*arguments: str) -> tuple[int, list[str], str]:
        code = run(["outbox", *arguments])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    return outbox


@dataclass(slots=True)
class Desk:
    """The ward, its EHR, and a person at the outbox between them."""

    ward: Any
    ehr: Any
    sweep: Sweep
    rows: Rows

    @property
    def states(self) -> list[str]:
        """Of the rows, oldest first."""
        return [row["state"] for row in self.rows("SELECT state FROM outbox ORDER BY place")]

    def chart(self) -> str:
        """Charts one entry and gives its id."""
        self.ward.chart()
        return str(self.rows("SELECT entry_id FROM outbox ORDER BY place")[-1]["entry_id"])


@pytest.fixture
def desk(ward: Any, ehr: Any, sweep: Sweep, rows: Rows) -> Desk:
    """Of a ward with one infant, whom the EHR does not know yet."""
    return Desk(ward, ehr, sweep, rows)


def test_what_was_sent_after_the_backup_that_was_restored_is_found_and_not_sent_again(
    desk: Desk, command: Command, faulty_ehr: Any, tamper: Callable[..., None]
) -> None:
    patient = desk.ehr.admit(desk.ward.infant)
    entry = desk.chart()
    faulty_ehr.drop_headers.add("if-none-exist")
    desk.sweep(faulty_ehr.url)
    tamper("UPDATE outbox SET state = 'pending', attempted = NULL, confirmed = NULL, ehr_reference = NULL")

    code, out, _ = command("restored", *BY)
    assert (code, out) == (0, ["1 entries may be in the EHR: they are looked for before they are sent"])
    cancelled, _, why = command("cancel", entry, *BY)
    assert (cancelled, "may be in the EHR" in why) == (2, True)
    desk.ward.clock.moment = datetime.now(UTC) + timedelta(seconds=20)
    desk.sweep(faulty_ehr.url)

    assert (desk.states, len(desk.ehr.observations(patient))) == (["confirmed"], 1)
    assert faulty_ehr.asked.count("POST") == 1
    (audited,) = desk.rows("SELECT actor, detail FROM audit WHERE event = 'outbox_restored'")
    assert audited["actor"] == "engineer 3"
    assert json.loads(audited["detail"]) == {"entries": 1, "why": "the EHR has its patients now"}


def test_what_is_held_is_asked_for_after_a_restore_before_it_can_be_cancelled(
    desk: Desk, engine: Engine, command: Command
) -> None:
    entry = desk.chart()
    desk.sweep(desk.ehr.url)
    assert desk.states == ["held"]
    doubt_restored(engine, desk.ward.clock, by="dba", reason="the disk was lost")

    code, _, why = command("cancel", entry, *BY)
    assert (code, "may be in the EHR" in why, desk.states) == (2, True, ["pending"])
    desk.ward.clock.advance(20)
    desk.sweep(desk.ehr.url)
    code, _, _ = command("cancel", entry, *BY)
    assert (code, desk.states) == (0, ["cancelled"])


def test_what_is_open_is_listed_with_its_reason_and_without_the_infant(desk: Desk, command: Command) -> None:
    held = desk.chart()
    desk.sweep(desk.ehr.url)
    code, (line,), _ = command("list")
    _, (shown,), _ = command("list", "--json")
    assert code == 0
    assert line.startswith(f"{held}  held  {desk.ward.bed}  ")
    assert "the EHR has no patients" in line
    assert desk.ward.infant.value not in line + shown
    assert json.loads(shown)["state"] == "held"
    assert command("list", "--state", "rejected")[:2] == (0, [])


@pytest.mark.parametrize("state", STATES)
def test_every_state_can_be_listed(desk: Desk, command: Command, state: str) -> None:
    entry = desk.chart()
    code, lines, _ = command("list", "--state", state)
    assert code == 0
    assert [line.split()[0] for line in lines] == ([entry] if state in {"open", "pending"} else [])


def test_the_oldest_so_many_are_listed_in_the_order_of_delivery(ward: Any, command: Command, rows: Rows) -> None:
    ward.chart(4)
    expected = [row["entry_id"] for row in rows("SELECT entry_id FROM outbox ORDER BY place LIMIT 2")]
    assert [line.split()[0] for line in command("list", "--most", "2")[1]] == expected


def test_an_entry_is_shown_with_whose_it_is(desk: Desk, command: Command) -> None:
    wanted = desk.chart()
    _, page, _ = command("show", wanted)
    _, (fields,), _ = command("show", wanted, "--json")
    assert f"infant      {desk.ward.infant.value}|HOSP" in page
    assert "value       2.0 (1.0 to 3.0)" in page
    assert json.loads(fields)["delivery"] == "pending"


def test_a_held_entry_is_tried_again_at_once(desk: Desk, command: Command) -> None:
    held = desk.chart()
    # The command goes by the machine's clock.
    desk.ward.clock.moment = datetime.now(UTC)
    desk.sweep(desk.ehr.url)
    patient = desk.ehr.admit(desk.ward.infant)
    desk.sweep(desk.ehr.url)
    assert desk.states == ["held"]

    code, (line,), _ = command("retry", held, *BY)
    assert desk.rows("SELECT state, due <= now() AS is_due FROM outbox") == [{"state": "pending", "is_due": True}]
    desk.ward.clock.moment = datetime.now(UTC)
    desk.sweep(desk.ehr.url)

    assert (code, line) == (0, f"{held}  pending")
    assert desk.states == ["confirmed"]
    assert len(desk.ehr.observations(patient)) == 1
    (audited,) = desk.rows("SELECT actor, entry_id, patient, detail FROM audit WHERE event = 'delivery_asked_again'")
    assert (audited["actor"], audited["entry_id"]) == ("engineer 3", held)
    assert audited["patient"] == f"HOSP|{desk.ward.infant.value}"
    assert json.loads(audited["detail"]) == {
        "attempts": 0,
        "was": "held",
        "change": 0,
        "why": "the EHR has its patients now",
    }


def test_what_a_worker_sent_that_died_is_not_tried_again_while_the_ehr_may_be_at_work(
    desk: Desk, command: Command, tamper: Callable[..., None]
) -> None:
    sent = desk.chart()
    tamper("UPDATE outbox SET attempted = now(), due = now() + interval '20 s'")

    assert command("retry", sent, *BY)[0] == 0

    assert desk.rows("SELECT due = attempted + interval '20 s' AS is_kept FROM outbox") == [{"is_kept": True}]


def test_what_was_given_up_long_ago_is_tried_again_at_once(
    desk: Desk, command: Command, tamper: Callable[..., None]
) -> None:
    sent = desk.chart()
    tamper("UPDATE outbox SET attempted = now() - interval '1 min', due = now() + interval '1 h'")

    assert command("retry", sent, *BY)[0] == 0

    assert desk.rows("SELECT due <= now() AS is_due FROM outbox") == [{"is_due": True}]


def test_a_refused_entry_is_cancelled_and_never_sent(
    desk: Desk, faulty_ehr: Any, command: Command, database: str
) -> None:
    patient = desk.ehr.admit(desk.ward.infant)
    refused = desk.chart()
    faulty_ehr.fail("POST", status=422)
    desk.sweep(faulty_ehr.url)

    assert command("cancel", refused, *BY)[:2] == (0, [f"{refused}  cancelled"])
    desk.ward.clock.advance(3600)
    desk.sweep(desk.ehr.url)

    assert desk.states == ["cancelled"]
    assert desk.ehr.observations(patient) == []
    assert command("list")[1] == []
    assert verify_audit(database).is_whole


def test_an_entry_that_was_not_sent_is_cancelled_and_the_next_one_goes_on(desk: Desk, command: Command) -> None:
    desk.ehr.admit(desk.ward.infant)
    desk.ward.chart(2)
    first = desk.rows("SELECT entry_id FROM outbox ORDER BY place")[0]["entry_id"]
    command("cancel", first, *BY)
    desk.sweep(desk.ehr.url)
    assert desk.states == ["cancelled", "confirmed"]


def test_what_may_be_in_the_ehr_is_not_cancelled(desk: Desk, faulty_ehr: Any, command: Command) -> None:
    patient = desk.ehr.admit(desk.ward.infant)
    doubtful = desk.chart()
    faulty_ehr.fail("POST")
    desk.sweep(faulty_ehr.url)

    code, out, error = command("cancel", doubtful, *BY)

    assert (code, out) == (2, [])
    assert "may be in the EHR" in error
    assert (desk.states, len(desk.ehr.observations(patient))) == (["pending"], 1)


@pytest.mark.parametrize("verdict", ["retry", "cancel"])
def test_a_confirmed_entry_is_left_as_it_is(desk: Desk, command: Command, verdict: str) -> None:
    desk.ehr.admit(desk.ward.infant)
    confirmed = desk.chart()
    desk.sweep(desk.ehr.url)
    code, _, error = command(verdict, confirmed, *BY)
    assert code == 2
    assert "is confirmed: nothing is to be done about it" in error
    assert desk.states == ["confirmed"]


def test_an_entry_in_a_workers_hands_is_not_decided_on(desk: Desk, engine: Engine, command: Command) -> None:
    wanted = desk.chart()
    with engine.connect() as worker:
        key = {"key": f"HOSP|{desk.ward.infant.value}"}
        worker.execute(text("SELECT pg_advisory_lock(hashtextextended(:key, 7305103))"), key)
        code, _, error = command("cancel", wanted, *BY)
        worker.execute(text("SELECT pg_advisory_unlock(hashtextextended(:key, 7305103))"), key)
    assert code == 2
    assert "are being delivered: try again" in error
    assert desk.states == ["pending"]
    assert desk.rows("SELECT event FROM audit WHERE event LIKE 'delivery%'") == []
    assert command("cancel", wanted, *BY)[0] == 0


@pytest.mark.parametrize("verdict", ["show", "retry", "cancel"])
def test_an_entry_that_is_not_there_is_named(command: Command, verdict: str) -> None:
    code, _, error = command(verdict, "0123", *(() if verdict == "show" else BY))
    assert code == 2
    assert "no entry 0123 is to go to the EHR" in error


def test_who_and_why_must_be_said(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command("cancel", "0123", "--by", "engineer 3")
    assert ended.value.code == 2
    assert "--reason" in capsys.readouterr().err


def test_a_database_that_is_not_there_is_said(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", "postgresql+psycopg2://nobody@127.0.0.1:1/none")
    code, _, error = command("list")
    assert code != 0
    assert "reading the outbox" in error


def test_what_became_of_an_entry_is_listed_and_shown_with_its_delivery(desk: Desk, command: Command) -> None:
    desk.ehr.admit(desk.ward.infant)
    entry = desk.chart()
    desk.sweep(desk.ehr.url)
    with unit_of_work(desk.ward.engine, desk.ward.clock) as unit:
        change_status(unit, entry, EntryStatus.FINAL, actor="N", cause="review", now=desk.ward.clock.now())

    _, (line,), _ = command("list")
    _, (listed,), _ = command("list", "--json")
    _, page, _ = command("show", entry)
    _, (shown,), _ = command("show", entry, "--json")

    assert "  pending  " in line
    assert "  to be told final" in line
    assert json.loads(listed)["status"] == "final"
    assert [one for one in page if one.startswith(("status", "told", "delivery"))] == [
        "status      final",
        "delivery    confirmed",
        "told        final",
        "delivery    pending",
    ]
    assert [(one["told"], one["delivery"]) for one in json.loads(shown)["changes"]] == [("final", "pending")]
