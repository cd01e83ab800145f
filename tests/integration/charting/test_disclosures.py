"""Who saw or changed what of an infant, whatever numbers it has had, and of nobody else; asking is written down too."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from neopain.bootstrap.disclosures import print_disclosures
from neopain.charting.audit.chain import AuditEvent, append
from neopain.charting.audit.of_infant import ASKED, AskedOf, ToldOf, read_rows_of
from neopain.charting.audit.verify import verify_audit
from neopain.charting.disclosures import READS
from neopain.charting.facts import take_fact
from neopain.charting.unit_of_work import unit_of_work
from neopain.codecs.fhir.audit_event import READ, SEARCHED
from neopain.domain.census import BedState, Infant
from neopain.domain.identity import PatientId
from neopain.errors import ConfigurationError

Rows = Callable[[str], list[dict[str, Any]]]
Ask = Callable[..., ToldOf]


@pytest.fixture
def ask(ward: Any) -> Ask:
    """Asks for the infant of the ward, or for what the test gives."""

    def run(**changes: Any) -> ToldOf:
        asked = AskedOf(ward.infant.value, None, by="privacy officer", reason="the parents' request")
        return read_rows_of(ward.engine, ward.clock, replace(asked, **changes))

    return run


def saw(ward: Any, infant: PatientId, *, actor: str = "nurse-7", **detail: str) -> None:
    """A read over the API, as it is written down."""
    key = f"{infant.assigning_authority}|{infant.value}"
    with unit_of_work(ward.engine, ward.clock) as unit:
        append(
            unit.connection, [AuditEvent(READ, actor, patient=key, detail=detail)], now=ward.clock.now(), chain=READS
        )


def test_what_was_written_and_who_read_it_is_told_in_the_order_of_time(ask: Ask, ward: Any) -> None:
    ward.chart()
    ward.clock.advance(60)
    saw(ward, ward.infant)

    told = ask()

    assert told.numbers == (f"HOSP|{ward.infant.value}",)
    assert [(row.event, row.actor) for row in told.rows] == [
        ("entry_charted", "charting consumer"),
        (READ, "nurse-7"),
        (ASKED, "privacy officer"),
    ]
    assert told.rows[0].detail["bed"] == ward.bed


def test_nothing_of_another_infant_is_told(ask: Ask, ward: Any) -> None:
    longer = PatientId(f"9{ward.infant.value}", "HOSP")
    for one in (longer, PatientId(f"9|{ward.infant.value}", "HOSP")):
        saw(ward, one, actor="nurse-8")
    ward.chart()

    assert {row.actor for row in ask().rows} == {"charting consumer", "privacy officer"}


@pytest.mark.parametrize("authority", [None, "HOSP"])
def test_a_read_of_several_infants_is_told_of_each_without_the_others(
    ask: Ask, ward: Any, authority: str | None
) -> None:
    ward.chart()
    infants = [f"HOSP|{ward.infant.value}", "HOSP|another"]
    with unit_of_work(ward.engine, ward.clock) as unit:
        event = AuditEvent(READ, "nurse-9", detail={"told": 2}, infants=infants)
        append(unit.connection, [event], now=ward.clock.now(), chain=READS)

    for number in (ward.infant.value, "another"):
        (read,) = [row for row in ask(number=number, authority=authority).rows if row.event == READ]
        assert (read.actor, read.patient, read.detail) == ("nurse-9", f"HOSP|{number}", {"told": 2})


def test_the_numbers_of_others_in_a_search_are_not_told(ask: Ask, ward: Any) -> None:
    own, other = ward.infant.value, f"B-{ward.infant.value}"
    asked = f"Observation?patient.identifier=urn%3Ahosp%7C{own}%2Curn%3Ahosp%7C{other}&_count=1"
    infants = [f"HOSP|{own}", f"HOSP|{other}"]
    ward.chart()
    with unit_of_work(ward.engine, ward.clock) as unit:
        event = AuditEvent(SEARCHED, "nurse-9", detail={"asked": asked}, infants=infants)
        append(unit.connection, [event], now=ward.clock.now(), chain=READS)

    (searched,) = [row for row in ask().rows if row.event == SEARCHED]

    assert searched.detail["asked"] == f"Observation?patient.identifier=urn%3Ahosp%7C{own}%2Canother+infant&_count=1"


def test_whose_an_entry_was_charted_to_instead_is_not_told_by_number(ask: Ask, ward: Any) -> None:
    other = PatientId(f"B-{ward.infant.value}", "HOSP")
    ward.chart()
    # A late fact: another infant lay in the bed all the time.
    state = BedState(ward.bed, ward.clock.now() - timedelta(hours=1), Infant((other,), visit="V2"))
    take_fact(ward.intake, fact_id=uuid.uuid4().hex, state=state, arrived=ward.clock.now())

    (withdrawn,) = [row for row in ask().rows if row.event == "entry_withdrawn"]
    (charted,) = [row for row in ask(number=other.value).rows if row.event == "entry_charted"]

    assert (withdrawn.detail["instead_of"], charted.detail["replaces_entry_of"]) == ("another infant",) * 2


def test_the_number_before_a_merge_is_the_same_infants(ask: Ask, ward: Any) -> None:
    ward.chart()
    saw(ward, ward.infant)
    merged = PatientId(f"M-{uuid.uuid4().hex[:8]}", "HOSP")
    since = ward.clock.now() - timedelta(minutes=1)
    state = BedState(ward.bed, since, Infant((merged,), visit="V1", formerly=(ward.infant,)))
    take_fact(ward.intake, fact_id=uuid.uuid4().hex, state=state, arrived=ward.clock.now() + timedelta(minutes=1))

    by_new, by_old = ask(number=merged.value), ask()

    assert set(by_new.numbers) == set(by_old.numbers) == {f"HOSP|{ward.infant.value}", f"HOSP|{merged.value}"}
    assert (by_new.numbers[0], by_old.numbers[0]) == (f"HOSP|{merged.value}", f"HOSP|{ward.infant.value}")
    assert {row.event for row in by_new.rows} >= {"entry_charted", READ, "entry_renumbered"}


def test_who_saw_an_infant_without_entries_is_told_by_its_number_after_a_merge(
    ask: Ask, ward: Any, count: Callable[[str], int]
) -> None:
    saw(ward, ward.infant)
    merged = PatientId(f"M-{uuid.uuid4().hex[:8]}", "HOSP")
    since = ward.clock.now() - timedelta(minutes=1)
    state = BedState(ward.bed, since, Infant((merged,), visit="V1", formerly=(ward.infant,)))
    for minutes in (1, 2):
        arrived = ward.clock.now() + timedelta(minutes=minutes)
        take_fact(ward.intake, fact_id=uuid.uuid4().hex, state=state, arrived=arrived)

    assert count("audit") == 2
    assert [row.event for row in ask(number=merged.value).rows] == ["entry_renumbered", READ, ASKED]


def test_a_read_by_a_clock_that_was_ahead_is_told_too(ask: Ask, ward: Any) -> None:
    ward.clock.advance(3600)
    saw(ward, ward.infant)
    ward.clock.advance(-3600)

    assert [row.event for row in ask().rows] == [ASKED, READ]


def test_only_rows_of_the_time_that_is_asked_for_are_told(ask: Ask, ward: Any) -> None:
    for actor in ("first", "second", "third"):
        saw(ward, ward.infant, actor=actor)
        ward.clock.advance(60)
    begin = ward.clock.now() - timedelta(seconds=120)

    told = ask(since=begin, until=begin + timedelta(seconds=60))

    assert [row.actor for row in told.rows] == ["second"]


def test_asking_is_written_down_also_when_there_is_nothing(ask: Ask, rows: Rows, database: str) -> None:
    with pytest.raises(ConfigurationError, match="no row of the audit trail is about number 0815 of authority none"):
        ask(number="0815", authority="")

    (asked,) = rows("SELECT chain, event, actor, patient, detail FROM audit")
    assert (asked["chain"], asked["event"], asked["actor"], asked["patient"]) == (READS, ASKED, "privacy officer", "")
    assert json.loads(asked["detail"])["why"] == "the parents' request"
    assert verify_audit(database).is_whole


def test_a_number_of_two_authorities_is_not_guessed(ask: Ask, ward: Any) -> None:
    ward.chart()
    saw(ward, PatientId(ward.infant.value, "OTHER"))

    with pytest.raises(ConfigurationError, match=r"several authorities \(HOSP, OTHER\): say which with --authority"):
        ask()

    assert [row.actor for row in ask(authority="OTHER").rows] == ["nurse-7", "privacy officer"]


def test_an_infant_that_only_rows_about_several_name_is_found_without_its_authority(ask: Ask, ward: Any) -> None:
    ward.chart()
    seen_together(ward, "LAB|47ä", "HOSP|another")

    assert [row.actor for row in ask(number="47ä").rows] == ["nurse-9", "privacy officer"]
    with pytest.raises(ConfigurationError, match="no row of the audit trail is about number 47"):
        ask(number="47")


def test_a_number_that_another_authority_has_given_among_several_is_not_guessed(ask: Ask, ward: Any) -> None:
    ward.chart()
    seen_together(ward, f"|{ward.infant.value}", "HOSP|another")

    with pytest.raises(ConfigurationError, match=r"several authorities \(none, HOSP\): say which with --authority"):
        ask()


def seen_together(ward: Any, *infants: str) -> None:
    """A read of several infants over the API."""
    with unit_of_work(ward.engine, ward.clock) as unit:
        append(unit.connection, [AuditEvent(READ, "nurse-9", infants=infants)], now=ward.clock.now(), chain=READS)


def test_the_command_says_who_was_refused_and_why(
    ward: Any, database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saw(ward, ward.infant, asked="Observation/1", refused="no scope")
    monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", database)

    print_disclosures(AskedOf(ward.infant.value, "HOSP", by="privacy officer", reason="why"), as_json=False)

    assert "  refused  nurse-7  fhir_read  asked Observation/1, refused no scope\n" in capsys.readouterr().out


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_says_who_saw_and_who_changed(
    ward: Any,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    as_json: bool,
) -> None:
    ward.chart()
    saw(ward, ward.infant)
    monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", database)

    asked = AskedOf(ward.infant.value, "HOSP", by="privacy officer", reason="complaint 12")
    assert print_disclosures(asked, as_json=as_json) == 0

    lines = capsys.readouterr().out.splitlines()
    if as_json:
        assert [json.loads(line)["did"] for line in lines] == ["changed", "saw", "saw"]
    else:
        assert lines[0] == f"infant HOSP|{ward.infant.value}: 3 rows of the audit trail"
        assert [line.split("  ")[1].strip() for line in lines[1:]] == ["changed", "saw", "saw"]
        assert lines[-1].endswith("why complaint 12")
