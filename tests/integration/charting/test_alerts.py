"""Alerts in the database: each event with its audit row or not at all, by windows, by the clock, and by persons."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from neopain.charting.alert_desk import AlertQuery, answer, read_alerts
from neopain.charting.alert_rows import locked_watch
from neopain.charting.alerts import tend_alerts
from neopain.charting.audit.verify import verify_audit
from neopain.charting.unit_of_work import unit_of_work
from neopain.cli import run
from neopain.domain.alert import Alert, AlertEventKind, AlertLevel
from neopain.domain.alert_acts import Act
from neopain.domain.alert_policy import AlertPolicy
from neopain.domain.identity import PatientId
from neopain.domain.policy import ChartingPolicy, SitePolicies
from neopain.domain.score import Outcome
from neopain.errors import ContractBroken

from ...fhir_validity import require_valid

Rows = Callable[[str], list[dict[str, Any]]]
Count = Callable[[str], int]
Tamper = Callable[..., None]
Command = Callable[..., tuple[int, list[str], str]]

NOON = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
ALERT = AlertPolicy(enabled=True, escalate_after=timedelta(seconds=60))
POLICY = ChartingPolicy(name="p", lateness=timedelta(seconds=2), alert=ALERT)
"""The built-in levels: mild from 3.6 for 120 s, moderate from 5.0 for 60 s, severe from 6.4 for 20 s."""


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


@pytest.fixture
def ward(ward: Any) -> Any:
    """A bed with an infant, in a unit with alerts."""
    ward.policy = POLICY
    return ward


def hurt(ward: Any, *, first: int = 0, seconds: int = 21, value: float = 8.0) -> None:
    """A window every five seconds of this score, which is the longest gap, and one at the last."""
    ends = sorted({*range(first, first + seconds, 5), first + seconds - 1})
    ward.take(*(ward.score(second, value) for second in ends))


def only(engine: Engine, **query: Any) -> Alert:
    (alert,) = read_alerts(engine, AlertQuery(**query))
    return alert


def tend(ward: Any, second: float) -> None:
    tend_alerts(ward.engine, ward.clock, SitePolicies(ward.policy), now=at(second))


def kinds(alert: Alert) -> list[str]:
    return [event.kind.value for event in alert.events]


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"neopain_{name}", labels) or 0.0


def test_an_alert_is_written_with_its_event_and_its_audit_row(
    ward: Any, engine: Engine, rows: Rows, database: str
) -> None:
    hurt(ward)

    alert = only(engine)
    assert (alert.bed, alert.patient, alert.visit) == (ward.bed, ward.infant, "V1")
    assert (alert.opened, alert.policy, alert.standing.level) == (at(20), "p", AlertLevel.SEVERE)
    assert [(event.kind, event.moment) for event in alert.events] == [(AlertEventKind.OPENED, at(20))]
    (audited,) = rows("SELECT actor, patient, detail FROM audit WHERE event = 'alert_opened'")
    assert (audited["actor"], audited["patient"]) == ("charting consumer", f"HOSP|{ward.infant.value}")
    detail = json.loads(audited["detail"])
    assert (detail["alert"], detail["level"], detail["value"]) == (alert.id, "severe", 8.0)
    assert verify_audit(database).is_whole


def test_windows_that_are_taken_again_change_nothing(ward: Any, count: Count, engine: Engine) -> None:
    hurt(ward, seconds=100)
    once = {table: count(table) for table in ("alerts", "alert_events", "audit")}
    alert = only(engine)

    hurt(ward, seconds=100)

    assert once == {"alerts": 1, "alert_events": 2, "audit": 4}
    assert {table: count(table) for table in once} == once
    assert only(engine) == alert


def test_it_goes_on_from_what_is_kept(ward: Any, engine: Engine) -> None:
    """Each window is a transaction of its own, and nothing is in memory between two."""
    hurt(ward)
    hurt(ward, first=21, seconds=150, value=1.0)

    assert read_alerts(engine, AlertQuery()) == []
    assert kinds(only(engine, with_ended=True)) == ["opened", "escalated", "escalated", "ended"]


def test_the_next_alert_of_the_bed_has_an_id_of_its_own(ward: Any, engine: Engine) -> None:
    hurt(ward)
    hurt(ward, first=21, seconds=150, value=1.0)
    hurt(ward, first=500, seconds=25)

    newest, oldest = read_alerts(engine, AlertQuery(with_ended=True))
    assert newest.opened == at(520)
    assert newest.id != oldest.id
    assert [one.id for one in read_alerts(engine, AlertQuery())] == [newest.id]


@pytest.mark.usefixtures("own_database")
def test_an_event_is_written_whole_or_not_at_all(ward: Any, count: Count, rows: Rows, tamper: Tamper) -> None:
    hurt(ward, seconds=20)
    tamper("ALTER TABLE audit_heads RENAME TO audit_heads_gone")
    with pytest.raises(Exception, match="audit_heads"):
        hurt(ward, first=20, seconds=1)
    assert (count("alerts"), count("alert_events"), count("windows")) == (0, 0, 5)

    tamper("ALTER TABLE audit_heads_gone RENAME TO audit_heads")
    hurt(ward, first=20, seconds=1)

    assert (count("alerts"), count("alert_events")) == (1, 1)
    assert len(rows("SELECT 1 FROM audit WHERE event = 'alert_opened'")) == 1


@pytest.mark.parametrize("table", ["alerts", "alert_events"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET alert_id = 'x'", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_nothing_of_an_alert_is_changed_afterwards(ward: Any, owner_engine: Engine, table: str, statement: str) -> None:
    hurt(ward)

    with pytest.raises(DBAPIError, match="append-only"), owner_engine.begin() as connection:
        connection.execute(text(statement.format(table)))


def test_a_policy_without_alerts_leaves_no_trace(ward: Any, count: Count) -> None:
    ward.policy = replace(POLICY, alert=AlertPolicy())
    hurt(ward, seconds=60)

    assert (count("alerts"), count("alert_watches")) == (0, 0)


def test_an_alert_of_a_unit_that_has_no_alerts_any_more_ends(ward: Any, engine: Engine) -> None:
    hurt(ward)
    ward.policy = replace(POLICY, alert=AlertPolicy())
    tend(ward, 200)

    assert only(engine, with_ended=True).standing.end_reason == "switched-off"


def test_a_held_bed_has_no_alert(ward: Any, count: Count) -> None:
    ward.admit(ward.infant, at=-40, held="two infants in one bed")
    hurt(ward, seconds=60)

    assert count("alerts") == 0


def test_a_silent_bed_escalates_by_the_clock_after_the_lateness(ward: Any, engine: Engine) -> None:
    hurt(ward)
    tend(ward, 81.9)
    before = kinds(only(engine))

    tend(ward, 82)
    tend(ward, 82)

    assert before == ["opened"]
    assert [(event.kind.value, event.moment) for event in only(engine).events[1:]] == [("escalated", at(80))]


def test_the_window_after_the_clock_says_nothing_twice(ward: Any, engine: Engine) -> None:
    hurt(ward)
    tend(ward, 100)
    ward.take(ward.score(101, 8.0))

    assert kinds(only(engine)) == ["opened", "escalated"]


def test_the_alert_of_a_silent_bed_ends_when_its_infant_has_left(ward: Any, engine: Engine) -> None:
    hurt(ward)
    ward.admit(at=30)
    tend(ward, 70)

    (ended,) = read_alerts(engine, AlertQuery(with_ended=True))
    assert (ended.standing.end_reason, ended.standing.ended) == ("infant-left", at(68))


def test_without_a_number_it_goes_on_and_says_since_when(ward: Any, engine: Engine) -> None:
    hurt(ward)
    ward.take(*(ward.score(second, None) for second in range(21, 60, 5)))

    alert = only(engine)
    assert alert.no_number_since(at(59), gap=POLICY.gap) == at(20)
    assert alert.no_number_since(at(24), gap=POLICY.gap) is None


def test_another_infant_in_the_bed_ends_it(ward: Any, engine: Engine) -> None:
    hurt(ward)
    other = PatientId("MRN-other", "HOSP")
    ward.admit(other, at=30)
    hurt(ward, first=31, seconds=40)

    assert only(engine, with_ended=True, patient=ward.infant).standing.end_reason == "another-infant"


def test_open_alerts_are_counted_by_level(ward: Any, engine: Engine) -> None:
    hurt(ward)
    tend(ward, 21)
    assert (metric("charting_alerts_open", level="severe"), metric("charting_alerts_open", level="mild")) == (1, 0)

    hurt(ward, first=21, seconds=150, value=1.0)
    tend(ward, 172)

    assert metric("charting_alerts_open", level="severe") == 0


def acknowledge(ward: Any, alert: Alert, second: float, **more: Any) -> str:
    ward.clock.moment = at(second)
    return answer(ward.engine, ward.clock, SitePolicies(ward.policy), alert.id, Act("nurse 12", **more)).refusal


def test_the_time_to_an_acknowledgement_is_measured_once(ward: Any, engine: Engine) -> None:
    name = "charting_alert_acknowledgement_seconds"
    counted, summed = metric(f"{name}_count"), metric(f"{name}_sum")
    hurt(ward)
    assert acknowledge(ward, only(engine), 50) == ""
    ward.take(ward.score(20, 8.0), ward.score(51, 8.0), ward.score(52, 8.0))
    tend(ward, 100)

    assert metric(f"{name}_count") - counted == 1
    assert metric(f"{name}_sum") - summed == pytest.approx(30)


def test_an_acknowledgement_is_audited_with_who_and_what_was_seen(ward: Any, engine: Engine, rows: Rows) -> None:
    hurt(ward)
    acknowledge(ward, only(engine), 25, note="repositioned", seen=AlertLevel.SEVERE)

    event = only(engine).events[-1]
    assert (event.by, event.moment, event.note) == ("nurse 12", at(25), "repositioned")
    (audited,) = rows("SELECT actor, patient, detail FROM audit WHERE event = 'alert_acknowledged'")
    detail = json.loads(audited["detail"])
    assert (audited["actor"], audited["patient"]) == ("nurse 12", f"HOSP|{ward.infant.value}")
    assert (detail["level"], detail["value"], detail["value_at"]) == ("severe", 8.0, at(20).isoformat())
    assert detail["note"] == "repositioned"


def test_what_is_acknowledged_is_not_escalated_by_windows_or_clock(ward: Any, engine: Engine) -> None:
    hurt(ward)
    acknowledge(ward, only(engine), 25)
    hurt(ward, first=21, seconds=100)
    tend(ward, 1000)

    assert kinds(only(engine)) == ["opened", "acknowledged"]


def test_an_answer_waits_for_the_window_that_is_being_taken(ward: Any, engine: Engine) -> None:
    """Two hands at one alert: the second sees what the first has done."""
    hurt(ward, seconds=121, value=4.0)
    alert, refusals = only(engine), []
    thread = threading.Thread(
        target=lambda: refusals.append(acknowledge(ward, alert, 200, seen=AlertLevel.MILD)), daemon=True
    )
    with unit_of_work(engine, ward.clock) as unit:
        locked_watch(unit.connection, ward.bed)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
    thread.join(10)

    assert refusals == [""]
    assert kinds(only(engine)) == ["opened", "acknowledged"]


def test_a_rise_that_nobody_saw_is_not_answered(ward: Any, engine: Engine, count: Count) -> None:
    hurt(ward, seconds=121, value=4.0)
    hurt(ward, first=121, seconds=21)
    before = count("audit")

    refusal = acknowledge(ward, only(engine), 150, seen=AlertLevel.MILD)

    assert refusal == "has risen to severe since mild was seen: look at it again"
    assert count("audit") == before


def test_what_a_newer_version_wrote_is_not_guessed(ward: Any, engine: Engine, tamper: Tamper) -> None:
    hurt(ward)
    tamper("UPDATE alert_events SET kind = 'delegated'")

    with pytest.raises(ContractBroken, match="'delegated' is not a valid AlertEventKind"):
        only(engine)


def test_a_watch_of_a_newer_version_is_not_guessed(ward: Any, tamper: Tamper) -> None:
    hurt(ward)
    tamper("UPDATE alert_watches SET watch = watch || '{\"crossing\": 4}'")

    with pytest.raises(ContractBroken, match="the watch of a bed is not what this version writes, at crossing"):
        hurt(ward, first=21, seconds=1)


@pytest.fixture
def command(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs ``neopain alerts ...``; gives exit code, output lines and errors."""
    policy = tmp_path / "policy.toml"
    policy.write_text('name = "p"\n[site.alert]\nenabled = true\n', encoding="utf-8")
    monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", database)
    monkeypatch.setenv("NEOPAIN_CHARTING_POLICY_FILE", str(policy))

    def alerts(*arguments: str) -> tuple[int, list[str], str]:
        code = run(["alerts", *arguments])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    return alerts


def test_what_goes_on_is_listed_without_the_infant_and_with_the_notice(
    ward: Any, engine: Engine, command: Command
) -> None:
    hurt(ward)
    alert = only(engine)

    code, (line, notice), _ = command("list")
    _, (as_json,), _ = command("list", "--json")

    assert code == 0
    assert line == (
        f"{alert.id}  severe  {ward.bed}  since 2026-10-05 12:00:20Z  8.0 at 2026-10-05 12:00:20Z  "
        "no number since 2026-10-05 12:00:20Z  not acknowledged"
    )
    assert notice == "(notice of investigational software, not a medical alarm)"
    fields = json.loads(as_json)
    assert (fields["alert"], fields["level"], fields["value"], fields["wants_answer"]) == (
        alert.id,
        "severe",
        8.0,
        True,
    )
    assert fields["notice"] == "notice of investigational software, not a medical alarm"
    assert ward.infant.value not in line + as_json


def test_the_alerts_of_a_bed_and_ended_ones_are_listed_where_asked_for(
    ward: Any, engine: Engine, command: Command
) -> None:
    hurt(ward)
    hurt(ward, first=21, seconds=150, value=1.0)

    assert command("list")[:2] == (0, ["no alert goes on"])
    assert command("list", "--all", "--bed", "NICU/9/9")[:2] == (0, ["no alert is known of bed NICU/9/9"])
    assert command("list", "--json")[:2] == (0, [])
    _, (line, _), _ = command("list", "--all", "--bed", ward.bed)
    assert "  ended (below)  " in line


def test_an_alert_is_shown_with_everything_that_happened(ward: Any, engine: Engine, command: Command) -> None:
    hurt(ward)
    acknowledge(ward, only(engine), 25, note="repositioned")
    alert = only(engine)

    _, page, _ = command("show", alert.id)
    _, (as_json,), _ = command("show", alert.id, "--json")

    assert f"infant      {ward.infant.value}|HOSP" in page
    assert "answer      acknowledged by nurse 12 at 2026-10-05 12:00:25Z" in page
    assert page[-2:] == [
        "  2026-10-05 12:00:20Z  opened  severe  8.0 at 2026-10-05 12:00:20Z",
        "  2026-10-05 12:00:25Z  acknowledged  severe  8.0 at 2026-10-05 12:00:20Z  by nurse 12  repositioned",
    ]
    assert [event["kind"] for event in json.loads(as_json)["events"]] == ["opened", "acknowledged"]


def test_who_reads_an_alert_is_in_the_audit_trail(ward: Any, engine: Engine, command: Command, rows: Rows) -> None:
    hurt(ward)
    alert = only(engine)

    command("show", alert.id, "--by", "nurse 12")
    command("show", "0815")

    first, second = rows("SELECT event, actor, patient, detail FROM audit WHERE chain = 'reads' ORDER BY position")
    assert (first["event"], first["actor"]) == ("alert_read", "nurse 12")
    assert first["patient"] == f"HOSP|{ward.infant.value}"
    assert json.loads(first["detail"]) == {"alert": alert.id}
    assert (second["actor"].startswith("user "), second["patient"]) == (True, "")


def test_an_alert_is_shown_as_a_flag_about_the_infant_at_the_ehr(
    ward: Any, engine: Engine, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEOPAIN_CHARTING_AUTHORITY_SYSTEMS", '{"HOSP": "urn:oid:1.2.3"}')
    hurt(ward)

    _, (line,), _ = command("show", only(engine).id, "--fhir")

    flag = json.loads(line)
    require_valid(flag)
    assert flag["subject"]["identifier"] == {"system": "urn:oid:1.2.3", "value": ward.infant.value}


def test_an_alert_is_acknowledged_by_the_command(ward: Any, engine: Engine, command: Command) -> None:
    hurt(ward)
    wanted = only(engine).id

    code, (line, notice), _ = command("acknowledge", wanted, "--by", "nurse 12", "--note", "held", "--seen", "severe")

    assert code == 0
    assert "  acknowledged by nurse 12 at " in line
    assert notice == "(notice of investigational software, not a medical alarm)"
    event = only(engine).events[-1]
    assert (event.kind, event.by, event.note) == (AlertEventKind.ACKNOWLEDGED, "nurse 12", "held")


def test_an_alert_is_snoozed_by_the_command(ward: Any, engine: Engine, command: Command) -> None:
    hurt(ward)

    code, (line, _), _ = command("snooze", only(engine).id, "--minutes", "10", "--by", "nurse 12")

    event = only(engine).events[-1]
    assert code == 0
    assert "  snoozed until " in line
    assert event.until == event.moment + timedelta(minutes=10)


def test_a_snooze_that_is_too_long_is_refused(ward: Any, engine: Engine, command: Command) -> None:
    hurt(ward)

    code, _, error = command("snooze", only(engine).id, "--minutes", "11", "--by", "nurse 12")

    assert code == 2
    assert "can be put off for more than 0 and at most 10 min by the policy" in error
    assert kinds(only(engine)) == ["opened"]


def test_an_alert_that_ended_is_not_answered(ward: Any, engine: Engine, command: Command) -> None:
    hurt(ward)
    hurt(ward, first=21, seconds=150, value=1.0)
    ended = only(engine, with_ended=True)

    code, _, error = command("acknowledge", ended.id, "--by", "nurse 12")

    assert code == 2
    assert f"alert {ended.id} ended at 12:02:21Z (below): there is nothing to answer" in error


@pytest.mark.parametrize(
    "arguments",
    [("show", "0123"), ("acknowledge", "0123", "--by", "n"), ("snooze", "0123", "--minutes", "5", "--by", "n")],
)
def test_an_alert_that_is_not_there_is_named(command: Command, arguments: tuple[str, ...]) -> None:
    code, _, error = command(*arguments)

    assert code == 2
    assert "there is no alert 0123: see `neopain alerts list`" in error


def test_who_answers_must_be_said(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command("acknowledge", "0123")
    assert ended.value.code == 2
    assert "--by" in capsys.readouterr().err


def test_a_database_that_is_not_there_is_said(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", "postgresql+psycopg2://nobody@127.0.0.1:1/none")

    code, _, error = command("list")

    assert code == 1
    assert "reading alerts" in error


def test_missed_windows_are_no_numbers(ward: Any, engine: Engine) -> None:
    hurt(ward)
    missed = (replace(ward.score(second, None), outcome=Outcome.MISSED) for second in range(21, 300, 5))
    ward.take(*missed)

    assert only(engine).standing.ended is None
