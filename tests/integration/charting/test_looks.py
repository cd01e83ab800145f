"""What a person is shown of patients by the command line is written down before it is shown."""

from __future__ import annotations

import argparse
import asyncio
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from neopain.bus.bus import Bus
from neopain.bus.census import read_census, write_beds
from neopain.bus.connection import BusAddress
from neopain.bus.deadletters import put_aside
from neopain.bus.disclosures import list_disclosures
from neopain.bus.receipts import write_receipts
from neopain.bus.streams import DISCLOSURES
from neopain.charting.disclosures import record_disclosure
from neopain.cli import build_parser, run
from neopain.domain.alert_policy import AlertPolicy
from neopain.domain.census import BedState, Infant
from neopain.domain.deadletter import DeadLetter
from neopain.domain.identity import SourceId
from neopain.domain.query import Disclosure
from neopain.domain.receipt import Receipt
from neopain.embedded.postgres import READER
from neopain.errors import BusUnavailable

from .conftest import NOON

Rows = Callable[[str], list[dict[str, Any]]]
Capture = pytest.CaptureFixture[str]
MONITOR = SourceId("hl7", "MON")
OF_THE_DATABASE = ("outbox show", "held show", "alerts show", "disclosures", "audit export")
OF_THE_BUS = ("trace", "beds", "dead-letters show", "dead-letters list")


def leaves(parser: argparse.ArgumentParser, path: str = "") -> Iterator[tuple[str, str]]:
    """Every command with all that its own help says, without the list of the commands below."""
    yield path, " ".join(parser.format_help().partition("\ncommands:")[0].split())
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from leaves(below, f"{path} {name}".strip())


def test_every_command_that_tells_patient_data_says_that_it_is_audited_and_is_tested_here() -> None:
    words = {path: told.replace("no patient data", "") for path, told in leaves(build_parser())}
    telling = {path for path, told in words.items() if "patient data" in told}

    assert telling == {*OF_THE_DATABASE, *OF_THE_BUS}
    assert [path for path in telling if "audited" not in words[path]] == []


@dataclass(slots=True)
class Looked:
    """A ward with an entry in the outbox, one that is held and an alert; and what the commands say of it."""

    ward: Any
    url: str
    as_role: Callable[[str, str], str]
    rows: Rows
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capture: Capture

    def asks(self, command: str) -> list[str]:
        """The command line."""
        ids = {
            "outbox show": "SELECT entry_id AS id FROM outbox",
            "held show": "SELECT entry_id AS id FROM entries WHERE state = 'held'",
            "alerts show": "SELECT alert_id AS id FROM alerts",
        }
        parts = [*command.split(), "--by", "N. Nurse"]
        if command in ids:
            return [*parts, self.rows(ids[command])[0]["id"]]
        if command == "disclosures":
            return [*parts, self.ward.infant.value, "--reason", "asked"]
        return [*parts, str(self.folder / uuid.uuid4().hex), "--why", "asked"]

    def runs(self, arguments: list[str], *, role: str = "") -> tuple[int, str]:
        """Exit code and output, as another role of the database if one is given."""
        self.monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", self.as_role(self.url, role) if role else self.url)
        code = run(arguments)
        return code, self.capture.readouterr().out


@pytest.fixture
def looked(
    ward: Any,
    database: str,
    as_role: Callable[[str, str], str],
    rows: Rows,
    tmp_path: Path,
    *,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> Looked:
    ward.policy = replace(ward.policy, alert=AlertPolicy(enabled=True))
    ward.take(*(ward.score(second, 8.0) for second in range(0, 21, 5)))
    ward.admit(ward.infant, at=30, held="two infants")
    ward.chart(first=40)
    return Looked(ward, database, as_role, rows, tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("command", OF_THE_DATABASE)
def test_a_look_at_the_database_is_a_row_of_who_looked_at_whom(looked: Looked, command: str) -> None:
    arguments = looked.asks(command)
    code, out = looked.runs(arguments)

    (row,) = looked.rows("SELECT actor, patient FROM audit WHERE chain = 'reads'")
    assert (code, row["actor"]) == (0, "N. Nurse")
    if command in {"outbox show", "alerts show", "disclosures"}:
        assert looked.ward.infant.value in out
        assert row["patient"] == f"HOSP|{looked.ward.infant.value}"


@pytest.mark.parametrize("command", OF_THE_DATABASE)
def test_what_cannot_be_written_down_is_not_told(looked: Looked, command: str) -> None:
    assert looked.runs(looked.asks(command), role=READER) == (1, "")
    assert list(looked.folder.iterdir()) == []


def test_lists_name_nobody(looked: Looked) -> None:
    for command in ("outbox list", "held list", "alerts list", "retention show"):
        code, out = looked.runs([*command.split(), "--json"])
        assert code == 0
        assert looked.ward.infant.value not in out
    assert looked.rows("SELECT 1 FROM audit WHERE chain = 'reads'") == []


@pytest.fixture
def address(bus_url: str, database: str, monkeypatch: pytest.MonkeyPatch) -> BusAddress:
    """A namespace of the test's own, which the commands read as well."""
    address = BusAddress(bus_url, (), f"looks-{uuid.uuid4().hex[:8]}")
    monkeypatch.setenv("NEOPAIN_BUS_URL", bus_url)
    monkeypatch.setenv("NEOPAIN_BUS_MEDIA_URLS", "[]")
    monkeypatch.setenv("NEOPAIN_BUS_NAMESPACE", address.namespace)
    monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", database)
    return address


async def lie_on_the_bus(address: BusAddress, ward: Any) -> str:
    """The infant in its bed by the message 17, and that message as a dead letter; returns the letter's id."""
    bus = Bus(address)
    state = BedState(ward.bed, NOON, Infant((ward.infant,)))
    await write_beds(bus, [state], version=(await read_census(bus)).version, mark="1")
    await write_receipts(bus, [Receipt(MONITOR, "17", NOON, 900, "ADT^A01", "AA", NOON - NOON)])
    letter = await put_aside(bus, DeadLetter("hl7", MONITOR, b"PID|||77", "PV1", "no bed", NOON, control_id="17"))
    await bus.aclose()
    return letter


async def disclosed(address: BusAddress) -> list[tuple[str, Disclosure]]:
    """What is to be audited, with the ids."""
    bus = Bus(address)
    entries, told = await bus.read_range(DISCLOSURES), await list_disclosures(bus)
    await bus.aclose()
    return list(zip((entry.id for entry in entries), told, strict=True))


@pytest.mark.parametrize("command", OF_THE_BUS)
def test_a_look_at_the_bus_is_a_fact_there_which_is_audited(
    address: BusAddress, ward: Any, rows: Rows, capsys: Capture, *, command: str
) -> None:
    letter = asyncio.run(lie_on_the_bus(address, ward))
    more = {"trace": ["17"], "dead-letters show": [letter], "dead-letters list": ["--json"]}.get(command, [])

    assert run([*command.split(), *more, "--by", "N. Nurse"]) == 0

    ((fact_id, told),) = asyncio.run(disclosed(address))
    assert told.asked == " ".join(["neopain", command, *more])
    assert told.told == ((ward.infant,) if command == "beds" else ())
    assert record_disclosure(ward.engine, ward.clock, fact_id=fact_id, disclosure=told)
    (row,) = rows("SELECT chain, event, actor, patient FROM audit WHERE event = 'bus_read'")
    assert (row["chain"], row["actor"]) == ("reads", "N. Nurse")
    assert row["patient"] == (f"HOSP|{ward.infant.value}" if command == "beds" else "")
    assert capsys.readouterr().out


@pytest.mark.parametrize("command", OF_THE_BUS)
def test_what_the_bus_does_not_keep_is_not_told(
    address: BusAddress, ward: Any, monkeypatch: pytest.MonkeyPatch, capsys: Capture, *, command: str
) -> None:
    letter = asyncio.run(lie_on_the_bus(address, ward))
    more = {"trace": ["17"], "dead-letters show": [letter], "dead-letters list": ["--json"]}.get(command, [])
    full = "neopain.bootstrap.looks.tell_disclosure"

    async def is_full(*_: Any, **__: Any) -> None:
        raise BusUnavailable("the bus is full")

    monkeypatch.setattr(full, is_full)
    assert run([*command.split(), *more]) == 1
    assert capsys.readouterr().out == ""
