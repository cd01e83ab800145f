"""``neopain trace`` from the vitals on the bus to the Observation in the EHR; replays in the audit trail."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from neopain.bootstrap.trace.windows import holds
from neopain.bus.bus import Bus
from neopain.bus.connection import BusAddress
from neopain.bus.disclosures import list_disclosures
from neopain.bus.receipts import write_receipts
from neopain.charting.audit.verify import verify_audit
from neopain.charting.replays import record_replay
from neopain.cli import run
from neopain.domain.deadletter import Replay, ReplayOutcome
from neopain.domain.identity import PatientId, SourceId
from neopain.domain.receipt import Receipt, Stored

from .conftest import NOON

MONITOR = SourceId("hl7", "MON/NICU")


@pytest.fixture
def address(bus_url: str, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[BusAddress]:
    """A namespace of the test's own, which the commands read as well."""
    address = BusAddress(bus_url, (), f"trace-{uuid.uuid4().hex[:8]}")
    monkeypatch.setenv("NEOPAIN_BUS_URL", bus_url)
    monkeypatch.setenv("NEOPAIN_BUS_MEDIA_URLS", "[]")
    monkeypatch.setenv("NEOPAIN_BUS_NAMESPACE", address.namespace)
    monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", database)
    return address


@pytest.fixture
def trace(address: BusAddress, ward: Any, capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """The trace of a message whose vitals were measured at noon and a second later, and lie under an id of noon."""

    async def write(stored: Stored) -> None:
        bus = Bus(address)
        took = timedelta(milliseconds=2)
        await write_receipts(bus, [Receipt(MONITOR, "17", NOON, 900, "ORU^R01", "AA", took, stored=(stored,))])
        await bus.aclose()

    def trace() -> dict[str, Any]:
        assert run(["trace", "17", "--json"]) == 0
        (message,) = json.loads(capsys.readouterr().out)["messages"]
        (way,) = message["vitals"]
        return dict(way)

    asyncio.run(write(stored_in(ward)))
    return trace


def stored_in(ward: Any) -> Stored:
    return Stored(ward.bed, f"{int(NOON.timestamp() * 1000)}-0", True, NOON, NOON + timedelta(seconds=1))


def test_the_windows_that_were_read_with_it_lead_to_entry_and_ehr(
    trace: Callable[..., dict[str, Any]], ward: Any, ehr: Any, sweep: Any, clock: Any
) -> None:
    ehr.begin_encounter(ehr.admit(ward.infant), visit="V1")
    last = f"{int(NOON.timestamp() * 1000)}-0"
    ward.take(
        replace(ward.score(5), read_until={"vitals": last}),
        replace(ward.score(6), read_until={"vitals": "1-0"}),
        replace(ward.score(7, None), read_until={"vitals": last}),
        ward.score(8),
        replace(ward.score(31), read_until={"vitals": last}),
        replace(ward.score(45), read_until={"vitals": last}),
    )
    sweep(ehr.url)
    way = trace()
    assert [(one["end"][17:19], one["outcome"], one["value"]) for one in way["windows"]] == [
        ("05", "scored", 2.0),
        ("07", "abstained", None),
    ]
    assert [one["end"][17:19] for one in way["windows_unsure"]] == ["08"]
    (entry,) = way["entries"]
    assert (entry["infant"], entry["value"], entry["ehr"]["state"]) == (f"{ward.infant.value}|HOSP", 2.0, "confirmed")
    assert entry["ehr"]["confirmed"] == clock.now().isoformat()
    assert entry["ehr"]["reference"].startswith("Observation/")


def test_a_person_reads_the_way_in_lines(
    trace: Callable[..., dict[str, Any]], address: BusAddress, ward: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    ward.take(replace(ward.score(5), read_until={"vitals": "9999999999999-0"}), ward.score(25))
    assert run(["trace", "17"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [
        *("source", "received", "stored", "measured", "window", "window?", "windows", "charted", "EHR", "charted")
    ]
    assert lines[1].endswith("ORU^R01, 900 bytes, answered AA after 2.0 ms")
    assert "  2.0 (1.0 to 3.0), weights untrained, produced 2026-10-05 12:00:05.000Z" in lines[4]
    assert f": 2.0 (1.0 to 3.0), infant {ward.infant.value}|HOSP, issued" in lines[7]
    assert lines[8] == "EHR        pending, not confirmed, 0 failed attempts"
    assert lines[9] == "charted    an interval of its windows is not charted yet"
    assert asyncio.run(infants_disclosed(address)) == [(ward.infant,)]


async def infants_disclosed(address: BusAddress) -> list[tuple[PatientId, ...]]:
    """Of whom the audit trail is to say that somebody was told of them."""
    bus = Bus(address)
    told = await list_disclosures(bus)
    await bus.aclose()
    return [one.told for one in told]


def test_what_has_been_forgotten_is_no_longer_kept(trace: Callable[..., dict[str, Any]]) -> None:
    way = trace()
    assert (way["windows"], way["windows_note"], way["is_kept"]) == ([], "its scores are no longer kept", False)


def test_what_was_measured_before_the_infant_came_is_in_no_window_of_it(ward: Any) -> None:
    score = replace(ward.score(5), read_until={"vitals": "9999999999999-0"})
    assert holds(score, stored_in(ward)) is True
    assert holds(replace(score, occupied_since=NOON + timedelta(seconds=2)), stored_in(ward)) is False


def test_a_replay_is_in_the_audit_trail_once_with_who_and_why(
    engine: Any, clock: Any, rows: Any, database: str
) -> None:
    replay = Replay("1-0", ReplayOutcome.ACCEPTED, "engineer 3", "bed set", NOON, MONITOR, "17")
    assert record_replay(engine, clock, fact_id="2-0", replay=replay)
    assert not record_replay(engine, clock, fact_id="2-0", replay=replay)
    (row,) = rows("SELECT event, actor, patient, detail FROM audit")
    detail = json.loads(row["detail"])
    assert (row["event"], row["actor"], row["patient"]) == ("dead_letter_replayed", "engineer 3", "")
    assert (detail["letter"], detail["outcome"], detail["reason"]) == ("1-0", "accepted", "bed set")
    assert verify_audit(database).is_whole
