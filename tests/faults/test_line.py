"""The whole line under kill -9: every process and server dies at a random moment under load, and the ledgers agree.

A bed of the simulated ward sends everything; another sends ten HL7 messages a second from here, with a ledger of their
control ids. The EHR keeps its data in memory only: it is not killed but frozen, so that it hangs. Triton serves a
stand-in for the nets: what they say is of no interest here, and what they cost would be most of the load.

The moments come from ``NEOPAIN_FAULTS_SEED`` (printed; a new one each run), and there are as many as parts of the line.
A long run by hand: ``NEOPAIN_FAULTS_MOMENTS=50 pytest tests/faults/test_line.py`` (about three seconds a moment).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from neopain.bootstrap.demo import DemoOptions, start_line, status_path
from neopain.bootstrap.ehr_seed import seed_ehr
from neopain.bootstrap.fhir import search
from neopain.bootstrap.line import Line, LineSettings
from neopain.bootstrap.observed import read_status
from neopain.bus.bus import Bus
from neopain.bus.consumer import Consumer
from neopain.bus.deadletters import list_letters
from neopain.bus.streams import CENSUS, SCORES, TICKS, VITALS, StreamSpec
from neopain.charting.audit.verify import AuditVerification, verify_audit
from neopain.codecs.fhir.terminology import ENTRY_IDENTIFIERS
from neopain.domain.assignment import EMPTY_BED
from neopain.domain.deadletter import DeadLetter
from neopain.domain.identity import BedId
from neopain.domain.score import Outcome, Score
from neopain.domain.vitals import VitalsBatch
from neopain.domain.window import Tick
from neopain.embedded.loopback import HOST
from neopain.embedded.server import Server
from neopain.embedded.state import StateFolder
from neopain.errors import BusUnavailable
from neopain.simulator.admission import AdmissionEvent, admission_message
from neopain.simulator.assignment import ward_infants
from neopain.simulator.bedside import SimulatedBed
from neopain.simulator.course import PainCourse
from neopain.simulator.ehr_seed import PATIENT_SYSTEM
from neopain.simulator.mllp_sender import MllpSender
from neopain.simulator.monitor import measurements, observation_message
from neopain.wire.score import decode_score, decode_tick
from neopain.wire.vitals import decode_batch

from ..ehr_packages import share_ehr_packages

WARD_SEED = 1
BEDS = 2
"""The simulated ward's one and the one that sends from here."""
PROCESSES = (
    "ingest-hl7",
    "ingest-device",
    "scoring-ticker",
    "scoring-worker",
    "charting-consumer",
    "charting-delivery",
    "charting-beat",
)
SERVERS = ("bus", "media", "database", "triton")
EHR = "ehr"
PARTS = (*PROCESSES, *SERVERS, EHR)
CHARTING = {
    # Many entries, and an EHR that hangs is noticed soon; in doubt for longer than it is frozen.
    "NEOPAIN_CHARTING_INTERVAL_SECONDS": "2",
    "NEOPAIN_CHARTING_EHR_TIMEOUT_SECONDS": "1",
    "NEOPAIN_CHARTING_RETRY_LONGEST_SECONDS": "2",
    "NEOPAIN_CHARTING_DOUBT_SECONDS": "8",
    "NEOPAIN_CHARTING_AUDIT_ANCHOR_SECONDS": "2",
}
ENTRIES = "SELECT entry_id, held_reason, outbox.state FROM entries LEFT JOIN outbox USING (entry_id)"
SUMMED_UP = "SELECT sum((draft->>'windows')::int) FROM entries WHERE kind = 'interval-summary'"
LONGEST_FREEZE_SECONDS = 6.0
DRAIN_SECONDS = 60.0
MESSAGES_PER_SECOND = 10
EVER = datetime.max.replace(tzinfo=UTC)


@dataclass
class Ledgers:
    """What each end of the line says after the storm, and what happened in it."""

    seed: int
    faults: list[str] = field(default_factory=list)
    uninvited: set[str] = field(default_factory=set)
    over: datetime = EVER
    """When the last part was back."""
    waiting_while_frozen: list[int] = field(default_factory=list)
    ticks: list[Tick] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    sent: int = 0
    resent: int = 0
    ward: dict[str, Any] = field(default_factory=dict)
    vitals: dict[str, list[VitalsBatch]] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)
    summed_up: int = 0
    """How many windows the interval summaries are made of."""
    late: int = 0
    """How often the consumer told that a score came after its interval was closed."""
    entries: dict[str, str] = field(default_factory=dict)
    """Entry to the state of its outbox row; for one that does not go to the EHR, why it is held."""
    alert_events: int = 0
    observations: dict[str, int] = field(default_factory=dict)
    observations_in_all: int = 0
    audit: AuditVerification | None = None
    audited: Counter[str] = field(default_factory=Counter)
    """Rows of the audit trail by their event."""
    letters: list[DeadLetter] = field(default_factory=list)

    @property
    def recovered(self) -> set[BedId]:
        """The beds with a number for a window that ended after it all."""
        return {one.bed for one in self.scores if one.outcome is Outcome.SCORED and one.window_end > self.over}

    @property
    def confirmed(self) -> int:
        """Entries that the EHR has given back."""
        return list(self.entries.values()).count("confirmed")

    def batches(self, bed: str, kind: str) -> list[VitalsBatch]:
        """What lies on the bed's stream and came through one door: ``hl7`` or ``device``."""
        return [batch for batch in self.vitals[bed] if batch.source.kind == kind]

    def control_ids(self, bed: str) -> list[str]:
        """Of the HL7 messages that lie on the bed's stream."""
        return [batch.control_id for batch in self.batches(bed, "hl7")]


class OtherBed:
    """A bed whose monitor is in this process: every control id is known, and what became of it."""

    def __init__(self, line: Line) -> None:
        self.infant, self.cot = ward_infants(beds=BEDS, seed=WARD_SEED)[-1]
        self.bed = SimulatedBed(self.infant, self.cot, PainCourse())
        self.sender = MllpSender(HOST, line.ports.hl7, name="other bed", answer_seconds=5.0)

    async def send(self, stop: asyncio.Event) -> None:
        """Admits the infant, then says its vitals until asked to stop."""
        begun, number = datetime.now(UTC) - timedelta(minutes=1), 0
        admission = admission_message(AdmissionEvent.ADMIT, self.infant, self.cot, control_id="F-ADT", sent=begun)
        self.sender.send("F-ADT", admission)
        await self.sender.settled(within_seconds=10)
        while not stop.is_set():
            number += 1
            control_id, at = f"F{number:06d}", datetime.now(UTC)
            values = measurements(self.bed.vitals.numerics(number / MESSAGES_PER_SECOND), at)
            self.sender.send(
                control_id, observation_message(self.infant, self.cot, values, control_id=control_id, sent=at)
            )
            await asyncio.sleep(1 / MESSAGES_PER_SECOND)


class Storm:
    """Brings the faults upon a running line, and reads the ledgers when it is over."""

    def __init__(self, line: Line, seed: int) -> None:
        self.line = line
        self.chance = random.Random(seed)  # noqa: S311 - chooses moments
        self.ledgers = Ledgers(seed)
        self.other = OtherBed(line)
        self.engine = create_engine(str(line.urls.database_url), pool_pre_ping=True)
        self._last_ids = {TICKS: "0", SCORES: "0"}

    async def rage(self, moments: int) -> Ledgers:
        """All of it."""
        self.bus = Bus(self.line.bus_settings.address())
        stop, sending = asyncio.Event(), asyncio.create_task(self.other.sender.run())
        load = [asyncio.create_task(self.other.send(stop)), asyncio.create_task(self._follow(stop))]
        try:
            await self._until(self._is_charting, seconds=30)
            for part in self._parts(moments):
                await asyncio.sleep(self.chance.uniform(0.1, 1.0))
                await asyncio.to_thread(self._strike, part)
            await self._calm(stop)
            await asyncio.gather(*load)
            await self._read_ledgers()
        finally:
            sending.cancel()
            await self.bus.aclose()
            self.engine.dispose()
        return self.ledgers

    def _parts(self, moments: int) -> Iterator[str]:
        """Every part once in a random order, again and again."""
        while moments > 0:
            yield from self.chance.sample(PARTS, len(PARTS))[:moments]
            moments -= len(PARTS)

    def _strike(self, part: str) -> None:
        self.ledgers.uninvited |= set(self.line.ended())
        self.ledgers.faults.append(part)
        if part == EHR:
            self._freeze_ehr()
        elif part in PROCESSES:
            self._kill_process(part)
        else:
            self._kill_server(part)

    def _kill_process(self, name: str) -> None:
        child = self.line.children[name]
        child.kill()
        time.sleep(self.chance.uniform(0.0, 0.7))
        child.restart()
        self.line.wait_ready(name)

    def _kill_server(self, name: str) -> None:
        servers: dict[str, Server | None] = {
            "bus": self.line.servers.bus,
            "media": self.line.servers.media[0],
            "database": self.line.servers.database,
            "triton": self.line.triton,
        }
        server = servers[name]
        assert server is not None
        server.kill()
        time.sleep(self.chance.uniform(0.0, 2.0))
        server.restart()

    def _freeze_ehr(self) -> None:
        """While entries flow, until three wait for it: after another death the line first has to come back."""
        assert self.line.servers.ehr is not None
        before, deadline = self._entries(), time.monotonic() + DRAIN_SECONDS
        while self._entries() == before and time.monotonic() < deadline:
            time.sleep(0.1)
        pid, deadline = self.line.servers.ehr.child.pid, time.monotonic() + LONGEST_FREEZE_SECONDS
        os.kill(pid, signal.SIGSTOP)
        try:
            while (waiting := self._unconfirmed()) < 3 and time.monotonic() < deadline:
                time.sleep(0.1)
        finally:
            os.kill(pid, signal.SIGCONT)
        self.ledgers.waiting_while_frozen.append(waiting)

    async def _calm(self, stop: asyncio.Event) -> None:
        """Ends the load, lets everything that is on its way arrive."""
        self.ledgers.over = datetime.now(UTC)
        await self._until(self._is_scored_again, seconds=30)
        self.ledgers.uninvited |= set(self.line.ended())
        stop.set()
        assert await self.other.sender.settled(within_seconds=DRAIN_SECONDS)
        # After the ward nothing is measured; after the ticker there is nothing to wait for that comes later.
        for name in ("simulator-ward", "scoring-ticker"):
            await asyncio.to_thread(self.line.children.pop(name).stop)
        await self._until(self._is_drained, seconds=DRAIN_SECONDS)
        # An alert that nobody answers escalates as long as there is somebody to see to it.
        await asyncio.to_thread(self.line.children.pop("charting-consumer").stop)

    async def _is_charting(self) -> bool:
        entries = await asyncio.to_thread(self._rows, "SELECT bed FROM entries JOIN outbox USING (entry_id)")
        return len({row[0] for row in entries}) == BEDS

    async def _is_scored_again(self) -> bool:
        return len(self.ledgers.recovered) == BEDS

    async def _is_drained(self) -> bool:
        for stream, group in ((TICKS, "scoring"), (CENSUS, "charting"), (SCORES, "charting")):
            if not await Consumer(self.bus, stream, group=group, name="watch").is_drained():
                return False
        open_beds = await asyncio.to_thread(self._rows, "SELECT bed FROM courses WHERE newest > charted_until")
        return not open_beds and await asyncio.to_thread(self._unconfirmed) == 0

    async def _until(self, holds: Callable[[], Awaitable[bool]], *, seconds: float) -> None:
        """Waits until it holds, or for so long: what is missing then, the ledgers tell."""
        deadline = time.monotonic() + seconds
        while not await holds() and time.monotonic() < deadline:  # noqa: ASYNC110 - it lies on servers
            await asyncio.sleep(0.1)

    async def _follow(self, stop: asyncio.Event) -> None:
        """Notes ticks before they are trimmed, over every death of the bus."""
        while not stop.is_set():
            with contextlib.suppress(BusUnavailable):
                await self._note()
            await asyncio.sleep(1.0)

    async def _note(self) -> None:
        self.ledgers.ticks += [decode_tick(payload) async for payload in self._news(TICKS)]
        self.ledgers.scores += [decode_score(payload) async for payload in self._news(SCORES)]

    async def _news(self, stream: StreamSpec) -> AsyncIterator[bytes]:
        for entry in await self.bus.read_range(stream, first=f"({self._last_ids[stream]}"):
            self._last_ids[stream] = entry.id
            yield entry.payload

    async def _read_ledgers(self) -> None:
        ledgers = self.ledgers
        await self._note()
        ledgers.acknowledged = [one for one in self.other.sender.ledger.acknowledged if one != "F-ADT"]
        ledgers.sent, ledgers.resent = self.other.sender.ledger.sent - 1, self.other.sender.ledger.resent
        ledgers.ward = read_status(status_path(self.line))
        for bed in (*(bed["bed"] for bed in ledgers.ward["beds"]), self.other.cot.bed_id):
            entries = await self.bus.read_range(VITALS, bed=BedId(bed))
            ledgers.vitals[bed] = [decode_batch(entry.payload) for entry in entries]
        ledgers.letters = [letter for _, letter in await list_letters(self.bus)]
        await asyncio.to_thread(self._read_chart)

    def _read_chart(self) -> None:
        ledgers, ehr = self.ledgers, str(self.line.urls.ehr_url)
        ledgers.taken = [row[0] for row in self._rows("SELECT score_id FROM windows")]
        ledgers.entries = {entry: reason or state for entry, reason, state in self._rows(ENTRIES)}
        ledgers.summed_up = self._rows(SUMMED_UP)[0][0]
        ledgers.alert_events = self._rows("SELECT count(*) FROM alert_events")[0][0]
        ledgers.audited = Counter(dict(self._rows("SELECT event, count(*) FROM audit GROUP BY event")))
        ledgers.late = self.line.state.log("charting-consumer").read_text().count("score_came_late")
        for entry in ledgers.entries:
            ledgers.observations[entry] = len(search(ehr, "Observation", identifier=f"{ENTRY_IDENTIFIERS}|{entry}"))
        for infant, _ in ward_infants(beds=BEDS, seed=WARD_SEED):
            (patient,) = search(ehr, "Patient", identifier=f"{PATIENT_SYSTEM}|{infant.mrn}")
            ledgers.observations_in_all += len(search(ehr, "Observation", subject=f"Patient/{patient['id']}"))
        anchors = self.line.state.folder("audit") / "anchors.jsonl"
        ledgers.audit = verify_audit(str(self.line.urls.database_url), anchor_path=anchors)

    def _entries(self) -> int:
        return int(self._rows("SELECT count(*) FROM outbox")[0][0])

    def _unconfirmed(self) -> int:
        return len(self._rows("SELECT entry_id FROM outbox WHERE state <> 'confirmed'"))

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory, state_dir: Path, stand_in_repository: Path) -> Iterator[Ledgers]:
    """The ledgers after a storm over a line of its own."""
    seed = int(os.environ.get("NEOPAIN_FAULTS_SEED") or time.time_ns() % (1 << 32))
    moments = int(os.environ.get("NEOPAIN_FAULTS_MOMENTS") or len(PARTS))
    print(f"NEOPAIN_FAULTS_SEED={seed}")
    state = tmp_path_factory.mktemp("line")
    share_ehr_packages(state_dir, StateFolder(state))
    options = DemoOptions(None, as_json=True, beds=BEDS - 1, seed=WARD_SEED, state_dir=state, with_dashboard=False)
    settings = LineSettings(state_dir=state, model_repository=stand_in_repository, namespace="faults")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CHARTING.items():
            patch.setenv(name, value)
        with Line(settings) as line:
            start_line(line, options)
            seed_ehr(str(line.urls.ehr_url), beds=BEDS, seed=WARD_SEED)
            yield asyncio.run(Storm(line, seed).rage(moments))


def repeated(ids: list[str]) -> list[str]:
    """Those that are there more than once."""
    return [one for one, count in Counter(ids).items() if count > 1]


def test_every_part_was_struck_while_messages_were_on_their_way(ledgers: Ledgers) -> None:
    assert len(ledgers.faults) >= len(PARTS) or os.environ.get("NEOPAIN_FAULTS_MOMENTS")
    assert ledgers.resent > 0


def test_nobody_died_of_the_death_of_another(ledgers: Ledgers) -> None:
    assert ledgers.uninvited == set()


def test_every_message_of_the_other_bed_was_acknowledged_in_the_end(ledgers: Ledgers) -> None:
    assert ledgers.acknowledged == [f"F{number:06d}" for number in range(1, ledgers.sent + 1)]


def test_every_acknowledged_message_is_on_the_bus_exactly_once(ledgers: Ledgers) -> None:
    *_, other = ledgers.vitals
    assert ledgers.control_ids(other) == ledgers.acknowledged


def test_the_wards_messages_are_on_the_bus_exactly_once(ledgers: Ledgers) -> None:
    for bed in ledgers.ward["beds"]:
        found = ledgers.control_ids(bed["bed"])
        assert repeated(found) == []
        assert (bed["hl7_waiting"], bed["hl7_refused"], bed["hl7_acknowledged"]) == (0, 0, len(found))
        # The last digits count the messages: between the first and the last none is missing.
        assert [int(one[-7:]) for one in found] == list(range(int(found[0][-7:]), int(found[-1][-7:]) + 1))


def test_every_batch_of_beats_with_a_receipt_is_on_the_bus_exactly_once(ledgers: Ledgers) -> None:
    for bed in ledgers.ward["beds"]:
        batches = ledgers.batches(bed["bed"], "device")
        # Their numbers on their way, which a repetition keeps.
        assert [int(batch.control_id) for batch in batches] == list(range(1, len(batches) + 1))
        assert len(batches) == bed["beat_batches_accepted"]


def test_every_second_of_every_bed_has_one_tick(ledgers: Ledgers) -> None:
    for bed in ledgers.vitals:
        ends = [tick.window_end for tick in ledgers.ticks if tick.bed == bed]
        assert [end - ends[0] for end in ends] == [timedelta(seconds=index) for index in range(len(ends))]


def test_every_tick_ended_as_exactly_one_score(ledgers: Ledgers) -> None:
    ticks = sorted((tick.bed, tick.window_end) for tick in ledgers.ticks)
    assert sorted((score.bed, score.window_end) for score in ledgers.scores) == ticks
    assert repeated([score.id for score in ledgers.scores]) == []


def test_every_bed_is_scored_again_when_it_is_over(ledgers: Ledgers) -> None:
    assert ledgers.recovered == set(ledgers.vitals), Counter((one.outcome, one.reason) for one in ledgers.scores)


def test_charting_took_every_score_once(ledgers: Ledgers) -> None:
    assert sorted(ledgers.taken) == sorted(score.id for score in ledgers.scores)


def test_every_score_is_in_an_interval_or_told_as_late(ledgers: Ledgers) -> None:
    # It may be told twice: when the transaction that it was taken in has failed after all.
    assert 0 <= len(ledgers.taken) - ledgers.summed_up <= ledgers.late


def test_while_the_ehr_hung_the_outbox_grew(ledgers: Ledgers) -> None:
    assert min(ledgers.waiting_while_frozen) > 0


def test_every_entry_is_exactly_one_observation_in_the_ehr(ledgers: Ledgers) -> None:
    # A window may end just before its infant was admitted.
    assert set(ledgers.entries.values()) <= {"confirmed", EMPTY_BED}
    wrong = [one for one, count in ledgers.observations.items() if count != (ledgers.entries[one] == "confirmed")]
    assert wrong == []
    assert ledgers.observations_in_all == ledgers.confirmed >= 30


def test_the_audit_trail_is_whole(ledgers: Ledgers) -> None:
    assert ledgers.audit is not None
    assert ledgers.audit.is_whole, ledgers.audit
    # An entry is charted or held; what was charted is confirmed; each event of an alert stands by itself. An admission
    # that came late tells of more than was known when an entry was held.
    told = ledgers.audited
    assert told["entry_charted"] + told["entry_held"] == len(ledgers.entries)
    assert told["entry_confirmed"] == ledgers.confirmed
    assert sum(count for event, count in told.items() if event.startswith("alert_")) == ledgers.alert_events
    others = {event for event in told if not event.startswith("alert_")}
    assert others <= {"entry_charted", "entry_held", "entry_confirmed", "entry_released", "entry_held_otherwise"}
    assert ledgers.audit.rows == told.total()
    assert ledgers.audit.anchors > 0


def test_nothing_was_put_aside(ledgers: Ledgers) -> None:
    assert ledgers.letters == []
