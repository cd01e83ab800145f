"""Charting with kill -9: the real processes die under load; nothing is lost or doubled.

Ledger: the scores published for an infant, against what came of them. That entries of killed consumers and workers are
in a FHIR EHR exactly once, ``test_proof.py`` and ``test_line.py`` show.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server
from sqlalchemy import create_engine, text

from neopain.bus.bus import Bus
from neopain.bus.connection import BusAddress
from neopain.bus.streams import CENSUS, SCORES
from neopain.charting.audit.verify import verify_audit
from neopain.charting.flowsheet_file import EXAMPLE
from neopain.charting.migrate import migrate
from neopain.charting.reading import EntryCounts, count_entries
from neopain.domain.census import BedState, Infant
from neopain.domain.identity import BedId, PatientId
from neopain.domain.score import Estimate, ModelVersion, Outcome, Score, Weights
from neopain.embedded.loopback import free_port
from neopain.wire.census import encode_bed_state
from neopain.wire.score import encode_score

from ..servers import trusted
from ..streams import close_server, serving

BED = BedId("NICU/1/A")
BEGIN = datetime.fromtimestamp(time.time() // 60 * 60 - 1800, UTC)
"""Half an hour ago: every interval is over, and no window is old enough to be forgotten."""
SEED = 20261121


class Processes:
    """Charting's processes on a database of their own; each can be killed and started again."""

    def __init__(self, env: dict[str, str], folder: Path) -> None:
        self.database = env["NEOPAIN_CHARTING_DATABASE_URL"]
        self.engine = create_engine(self.database)
        self.anchors = folder / "anchors.jsonl"
        self.env = env | {"NEOPAIN_CHARTING_AUDIT_ANCHOR_PATH": str(self.anchors)}
        self.log_path = folder / "charting.log"
        self.log = self.log_path.open("ab")
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *parts: str) -> None:
        for part in parts:
            argv = [sys.executable, "-m", "neopain", "charting", part]
            self.running[part] = subprocess.Popen(argv, env=self.env, stdout=self.log, stderr=self.log)

    def kill(self, part: str) -> None:
        process = self.running.pop(part)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL

    def terminate(self) -> dict[str, int]:
        """Asks all to end; returns their exit codes."""
        for process in self.running.values():
            process.terminate()
        return {part: process.wait(20) for part, process in self.running.items()}

    def until(self, what: Callable[[], bool], *, seconds: float = 60) -> None:
        """Waits until it holds; with the log's end when it does not."""
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, f"{self.counts()} {self.log_path.read_text()[-3000:]}"
            time.sleep(0.1)

    def counts(self) -> EntryCounts:
        return count_entries(self.database).get(BED, EntryCounts())

    def windows(self) -> int:
        """How many scores are in the database."""
        return int(self.rows("SELECT count(*) FROM windows")[0][0])

    def alert_events(self) -> list[tuple[str, int]]:
        """What happened to alerts, with the seconds since the beginning; in the order of the audit trail."""
        query = "SELECT event, (detail::json ->> 'moment')::timestamptz FROM audit WHERE event LIKE 'alert%'"
        rows = self.rows(f"{query} ORDER BY position")
        assert len(rows) == len(self.rows("SELECT 1 FROM alert_events"))
        return [(event, int((moment - BEGIN).total_seconds())) for event, moment in rows]

    def rows(self, query: str) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(text(query)))

    def is_audit_whole(self) -> bool:
        return verify_audit(self.database, anchor_path=self.anchors).is_whole


@pytest.fixture
def database(database_url: str) -> Iterator[str]:
    name = f"faults_{uuid.uuid4().hex[:12]}"
    server = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = database_url.rpartition("/")[0] + f"/{name}"
    migrate(url)
    yield url
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture
async def bus(bus_url: str) -> AsyncIterator[Bus]:
    bus = Bus(BusAddress(bus_url, (), f"faults-{uuid.uuid4().hex[:8]}"))
    yield bus
    await bus.aclose()


@pytest.fixture
def processes(database: str, bus: Bus, bus_url: str, ehr_url: str, tmp_path: Path) -> Iterator[Processes]:
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "NEOPAIN_BUS_URL": bus_url,
        "NEOPAIN_BUS_MEDIA_URLS": "[]",
        "NEOPAIN_BUS_NAMESPACE": bus.address.namespace,
        "NEOPAIN_CHARTING_DATABASE_URL": database,
        "NEOPAIN_CHARTING_BROKER_URL": bus_url,
        "NEOPAIN_CHARTING_QUEUE": f"queue-{uuid.uuid4().hex[:8]}",
        "NEOPAIN_CHARTING_EHR_URL": ehr_url,
        "NEOPAIN_CHARTING_POLICY": "demo",
        "NEOPAIN_CHARTING_SWEEP_SECONDS": "0.5",
        "NEOPAIN_CHARTING_DOUBT_SECONDS": "0.5",
        "NEOPAIN_CHARTING_RETRY_LONGEST_SECONDS": "1",
        "NEOPAIN_CHARTING_BREAKER_SECONDS": "1",
        "NEOPAIN_CHARTING_AUDIT_ANCHOR_SECONDS": "1",
    }
    processes = Processes(env, tmp_path)
    yield processes
    processes.terminate()
    processes.engine.dispose()
    processes.log.close()


@pytest.fixture
def infant() -> PatientId:
    return PatientId(f"MRN-{uuid.uuid4().hex[:12]}", "HOSP")


def admit(ehr_url: str, infant: PatientId) -> str:
    """Admits the infant at the EHR, with an encounter in progress, and returns its reference."""
    identifier = [{"system": "urn:neopain:authority:HOSP", "value": infant.value}]
    body: dict[str, Any] = {"resourceType": "Patient", "identifier": identifier}
    patient = f"Patient/{httpx.post(f'{ehr_url}/Patient', json=body, verify=trusted()).raise_for_status().json()['id']}"
    kind = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}
    body = {
        "resourceType": "Encounter",
        "status": "in-progress",
        "class": kind,
        "subject": {"reference": patient},
    }
    httpx.post(f"{ehr_url}/Encounter", json=body, verify=trusted()).raise_for_status()
    return patient


def charted_at(ehr_url: str, patient: str) -> list[str]:
    """The identifiers of the infant's Observations at the EHR."""
    found = (
        httpx.get(f"{ehr_url}/Observation", params={"subject": patient, "_count": "1000"}, verify=trusted())
        .json()
        .get("entry", [])
    )
    return [one["resource"]["identifier"][0]["value"] for one in found]


async def told(bus: Bus, infant: PatientId) -> None:
    since = BEGIN - timedelta(minutes=5)
    await bus.publish(CENSUS, encode_bed_state(BedState(BED, since, Infant((infant,)))))


async def publish(bus: Bus, seconds: range, value_at: Callable[[int], float] = lambda _: 2.0) -> None:
    for second in seconds:
        end, value = BEGIN + timedelta(seconds=second), value_at(second)
        estimate = Estimate(value, value - 1, value + 1)
        score = Score(BED, end, Outcome.SCORED, ModelVersion("m1", Weights.UNTRAINED), (), end, estimate)
        await bus.publish(SCORES, encode_score(score))


async def test_a_killed_consumer_loses_and_doubles_no_alert(processes: Processes, bus: Bus, infant: PatientId) -> None:
    rolls = random.Random(SEED)  # noqa: S311 - a seeded choice of moments
    await told(bus, infant)
    processes.start("consumer")
    taken = 0

    for _ in range(3):
        # Twenty seconds of pain every two minutes.
        await publish(bus, range(taken + 1, taken + 101), lambda second: 9.0 if second % 120 < 20 else 2.0)
        taken += 100
        wanted = taken - rolls.randrange(10, 90)
        processes.until(lambda wanted=wanted: processes.windows() >= wanted)
        processes.kill("consumer")
        processes.start("consumer")
    processes.until(lambda: processes.windows() == 300)

    # The demo's policy: severe is held for 3 s, below mild for 10 s.
    assert processes.alert_events() == [
        ("alert_opened", 4),
        ("alert_ended", 30),
        ("alert_opened", 123),
        ("alert_ended", 150),
        ("alert_opened", 243),
        ("alert_ended", 270),
    ]
    assert processes.is_audit_whole()


async def test_a_killed_delivery_worker_loses_nothing_at_a_flowsheet_and_repeats_a_message_only_as_it_was(
    processes: Processes, bus: Bus, infant: PatientId
) -> None:
    got: list[tuple[str, str]] = []
    rolls = random.Random(SEED)  # noqa: S311 - a seeded choice of moments
    async with flowsheet(got) as port:
        processes.env |= {
            "NEOPAIN_CHARTING_EHR_CHANNEL": "hl7v2-oru",
            "NEOPAIN_CHARTING_EHR_URL": f"mllp://127.0.0.1:{port}",
            "NEOPAIN_CHARTING_FLOWSHEET_FILE": str(EXAMPLE),
            "NEOPAIN_CHARTING_EHR_REQUIRES_ENCOUNTER": "false",
        }
        await told(bus, infant)
        await publish(bus, range(1, 301))
        processes.start("consumer", "beat", "delivery")

        for _ in range(2):
            wanted = len(got) + rolls.randrange(1, 6)
            await asyncio.to_thread(processes.until, lambda wanted=wanted: len(got) >= wanted)
            processes.kill("delivery")
            processes.start("delivery")
        all_of_them = EntryCounts(entries=30, accepted=30)
        await asyncio.to_thread(processes.until, lambda: processes.counts() == all_of_them)

    entries = [str(row[0]) for row in processes.rows("SELECT entry_id FROM entries ORDER BY ends")]
    # Each with one control id, however often it came; by their first arrival in order.
    assert [entry for entry, _ in dict.fromkeys(got)] == entries
    assert processes.is_audit_whole()


@contextlib.asynccontextmanager
async def flowsheet(got: list[tuple[str, str]]) -> AsyncIterator[int]:
    """A flowsheet interface of python-hl7's that takes everything, and notes each message's order and control id."""
    writers: set[HL7StreamWriter] = set()

    async def converse(reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        writers.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                message = await reader.readmessage()
                got.append((str(message.segment("OBR")[3][0][0]), str(message.segment("MSH")[10])))
                for code in ("CA", "AA"):
                    writer.writemessage(message.create_ack(code))
                await writer.drain()
        writers.discard(writer)
        writer.close()

    server = await start_hl7_server(converse, "127.0.0.1", 0, encoding="utf-8")
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        await close_server(server, writers)


async def test_an_ehr_that_is_down_and_comes_back_gets_everything_once_and_all_end_cleanly(
    processes: Processes, bus: Bus, infant: PatientId, ehr_url: str
) -> None:
    port = free_port()
    processes.env["NEOPAIN_CHARTING_EHR_URL"] = f"http://127.0.0.1:{port}/fhir/R4"
    patient = admit(ehr_url, infant)
    await told(bus, infant)
    processes.start("consumer", "beat", "delivery")
    await publish(bus, range(1, 101))
    await asyncio.to_thread(processes.until, lambda: processes.counts() == EntryCounts(entries=10))

    async with serving(lambda reader, writer: forward(reader, writer, httpx.URL(ehr_url)), port):
        await asyncio.to_thread(processes.until, lambda: processes.counts().confirmed == 10)

        assert len(charted_at(ehr_url, patient)) == 10
        assert await asyncio.to_thread(processes.terminate) == {"consumer": 0, "beat": 0, "delivery": 0}


async def test_an_ehr_of_another_version_ends_the_worker(processes: Processes, bus: Bus) -> None:
    page = json.dumps({"resourceType": "CapabilityStatement", "fhirVersion": "5.0.0"}).encode()
    async with serving(lambda reader, writer: answer(reader, writer, page)) as port:
        processes.env["NEOPAIN_CHARTING_EHR_URL"] = f"http://127.0.0.1:{port}/fhir"

        processes.start("delivery")
        code = await asyncio.to_thread(processes.running["delivery"].wait, 30)

    assert code == 2
    assert "the EHR speaks FHIR 5.0.0, this channel R4" in processes.log_path.read_text()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, page: bytes) -> None:
    """Answers any request with a page."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(page) + page)
    await writer.drain()


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: httpx.URL) -> None:
    """Passes bytes on to the EHR and back."""
    to_reader, to_writer = await asyncio.open_connection(target.host, target.port)
    await asyncio.gather(copy(reader, to_writer), copy(to_reader, writer))


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
