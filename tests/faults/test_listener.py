"""The HL7 door under kill -9: the listener and the durable bus die at random moments, and the ledgers agree.

Twenty monitors send 200 messages a second in all, each message again until it is answered. The bus is set as on
every ward: an append-only file, synced before each answer. The moments come from ``NEOPAIN_FAULTS_SEED`` (printed; a
new one each run). A long run by hand, whose figures are printed at its end:

    NEOPAIN_FAULTS_KILLS=50 .venv/bin/python -m pytest -s tests/faults/test_listener.py
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from neopain.bootstrap.ingest_bench.load import BENCH_UNIT, message
from neopain.bus.bus import Bus
from neopain.bus.connection import BusAddress
from neopain.bus.deadletters import list_letters
from neopain.bus.streams import VITALS
from neopain.domain.identity import bed_id
from neopain.embedded.loopback import HOST, answers_ok, free_port
from neopain.embedded.process import Child, Command
from neopain.embedded.state import StateFolder
from neopain.embedded.valkey import Valkey
from neopain.errors import BusUnavailable
from neopain.simulator.mllp_sender import MllpSender
from neopain.wire.vitals import decode_batch

KILLS = int(os.environ.get("NEOPAIN_FAULTS_KILLS") or 3)
"""Of the listener, and as many of the bus."""
LISTENER, BUS = "listener", "bus"
MONITORS = 20
MESSAGES_PER_SECOND = 200
MOST_WAITING = 50
"""A monitor with so many unanswered messages makes no more: it has only so much room, and a slow machine must not pile
them up without end."""
READ_SECONDS = 2.0
START_SECONDS = 120.0
"""Far more than a start takes: a machine may be busy."""
BEDS = tuple(bed_id(unit=BENCH_UNIT, room="1", bed=str(monitor)) for monitor in range(MONITORS))


@dataclass
class Ledgers:
    """What each end says after the storm."""

    kills: list[str] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    """Messages without an answer at the moment of each kill."""
    sent: int = 0
    resent: int = 0
    seconds: float = 0.0
    acknowledged: list[list[str]] = field(default_factory=list)
    """Control ids by monitor, in the order of their answers."""
    refused: list[str] = field(default_factory=list)
    found: list[list[str]] = field(default_factory=lambda: [[] for _ in BEDS])
    """Control ids by bed, in the order of the bus, read while they came: what is old is trimmed."""
    left: list[list[str]] = field(default_factory=list)
    """What the bus still holds of them at the end."""
    letters: int = 0

    def told(self) -> dict[str, object]:
        """The figures."""
        counts = Counter(one for bed in self.found for one in bed)
        answered = [one for monitor in self.acknowledged for one in monitor]
        return {
            "kills": dict(Counter(self.kills)),
            "waiting_at_a_kill_mean": round(sum(self.waiting) / len(self.waiting), 1),
            "sent": self.sent,
            "resent": self.resent,
            "acknowledged": len(answered),
            "found": len(counts),
            "lost": len(set(answered) - set(counts)),
            "doubled": sum(count > 1 for count in counts.values()),
            "seconds": round(self.seconds, 1),
            "acknowledged_per_second": round(len(answered) / self.seconds, 1),
        }


class Door:
    """``neopain ingest hl7`` as a process of its own, on a bus of its own; either can be killed."""

    def __init__(self, folder: Path, bus: Valkey, media_url: str) -> None:
        self.bus = bus
        self.address = BusAddress(bus.url, (media_url,), "kills")
        self.port, self.http_port = free_port(), free_port()
        env = {
            "PYTHONPATH": os.pathsep.join(sys.path),
            "NEOPAIN_BUS_URL": bus.url,
            "NEOPAIN_BUS_MEDIA_URLS": f'["{media_url}"]',
            "NEOPAIN_BUS_NAMESPACE": self.address.namespace,
            "NEOPAIN_INGEST_HL7_PORT": str(self.port),
            "NEOPAIN_INGEST_HTTP_PORT": str(self.http_port),
            "NEOPAIN_INGEST_LOG_LEVEL": "ERROR",
        }
        argv = (sys.executable, "-m", "neopain", "ingest", "hl7")
        self.listener = Child(Command(LISTENER, argv, env=env, cwd=folder), StateFolder(folder))

    def wait_ready(self) -> None:
        """Returns when the listener serves."""
        url = f"http://{HOST}:{self.http_port}/ready"
        self.listener.wait_until(lambda: answers_ok(url), timeout_seconds=START_SECONDS)

    def kill(self, part: str, *, away_seconds: float) -> None:
        """Kills a part and starts it again a while later."""
        victim = self.listener if part == LISTENER else self.bus
        victim.kill()
        time.sleep(away_seconds)
        victim.restart()


class Storm:
    """Sends, kills, and reads both ledgers."""

    def __init__(self, door: Door, seed: int) -> None:
        self.door = door
        self.chance = random.Random(seed)  # noqa: S311 - chooses moments
        self.ledgers = Ledgers()
        self.senders = [
            MllpSender(HOST, door.port, name=f"monitor {one}", answer_seconds=5.0) for one in range(MONITORS)
        ]
        self._last_ids = ["0"] * MONITORS

    async def rage(self, kills: int) -> Ledgers:
        """All of it."""
        self.bus, stop, begun = Bus(self.door.address), asyncio.Event(), time.monotonic()
        running = [asyncio.create_task(one.run()) for one in self.senders]
        load = [asyncio.create_task(self._send(stop)), asyncio.create_task(self._follow(stop))]
        try:
            for part in self._parts(kills):
                await self._until_answered(more_than=self._answered())
                await asyncio.sleep(self.chance.uniform(0.0, 0.5))
                await self._strike(part)
            await self._until_answered(more_than=self._answered())
            stop.set()
            await asyncio.gather(*load)
            for one in self.senders:
                assert await one.settled(within_seconds=START_SECONDS)
            self.ledgers.seconds = time.monotonic() - begun
            await self._read_ledgers()
        finally:
            for one in (*running, *load):
                one.cancel()
            await self.bus.aclose()
        return self.ledgers

    def _parts(self, kills: int) -> list[str]:
        return self.chance.sample([LISTENER, BUS] * kills, 2 * kills)

    async def _strike(self, part: str) -> None:
        self.ledgers.kills.append(part)
        self.ledgers.waiting.append(sum(one.waiting for one in self.senders))
        away = self.chance.uniform(0.0, 0.5)
        await asyncio.to_thread(self.door.kill, part, away_seconds=away)

    def _answered(self) -> int:
        return sum(len(one.ledger.acknowledged) for one in self.senders)

    async def _until_answered(self, *, more_than: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self._answered() <= more_than + MONITORS:
            assert time.monotonic() < deadline, self.door.listener.log_tail()
            await asyncio.sleep(0.02)

    async def _send(self, stop: asyncio.Event) -> None:
        """Hands a message to each monitor in turn, 200 a second, whether its last ones were answered or not."""
        begun = time.monotonic()
        for number in itertools.count():
            if stop.is_set():
                return
            sender, monitor = self.senders[number % MONITORS], number % MONITORS
            if sender.waiting < MOST_WAITING:
                place = sender.ledger.sent
                sender.send(f"{monitor}-{place}", message(monitor, place, datetime.now(UTC)))
            await asyncio.sleep(max(begun + number / MESSAGES_PER_SECOND - time.monotonic(), 0.0))

    async def _follow(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._is_noted()
            await asyncio.sleep(READ_SECONDS)

    async def _is_noted(self) -> bool:
        """Notes what is new; False where the bus was away, or a connection is from before its last death."""
        with contextlib.suppress(BusUnavailable):
            await self._note()
            return True
        return False

    async def _note(self) -> None:
        for place, bed in enumerate(BEDS):
            for entry in await self.bus.read_range(VITALS, bed=bed, first=f"({self._last_ids[place]}"):
                self._last_ids[place] = entry.id
                self.ledgers.found[place].append(decode_batch(entry.payload).control_id)

    async def _read_ledgers(self) -> None:
        ledgers, deadline = self.ledgers, time.monotonic() + START_SECONDS
        while not await self._is_noted():
            assert time.monotonic() < deadline
        for bed in BEDS:
            entries = await self.bus.read_range(VITALS, bed=bed)
            ledgers.left.append([decode_batch(entry.payload).control_id for entry in entries])
        ledgers.letters = len(await list_letters(self.bus))
        ledgers.acknowledged = [one.ledger.acknowledged for one in self.senders]
        ledgers.refused = [control for one in self.senders for control in one.ledger.refused]
        ledgers.sent = sum(one.ledger.sent for one in self.senders)
        ledgers.resent = sum(one.ledger.resent for one in self.senders)


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory, media_url: str) -> Ledgers:
    """The ledgers after the storm."""
    seed = int(os.environ.get("NEOPAIN_FAULTS_SEED") or time.time_ns() % (1 << 32))
    print(f"NEOPAIN_FAULTS_SEED={seed}")
    folder = tmp_path_factory.mktemp("kills")
    with Valkey.bus(StateFolder(folder)) as bus:
        door = Door(folder, bus, media_url)
        door.listener.start()
        try:
            door.wait_ready()
            found = asyncio.run(Storm(door, seed).rage(KILLS))
        finally:
            door.listener.stop()
    print(found.told())
    return found


def test_both_were_killed_that_often_while_messages_were_on_their_way(ledgers: Ledgers) -> None:
    assert Counter(ledgers.kills) == {LISTENER: KILLS, BUS: KILLS}
    assert ledgers.resent > 0


def test_every_message_was_acknowledged_in_the_end_and_none_refused(ledgers: Ledgers) -> None:
    assert sum(len(one) for one in ledgers.acknowledged) == ledgers.sent
    assert (ledgers.refused, ledgers.letters) == ([], 0)


def test_every_acknowledged_message_is_on_the_bus_once_and_in_order(ledgers: Ledgers) -> None:
    assert ledgers.found == ledgers.acknowledged


def test_what_was_on_the_bus_is_there_after_every_death_of_it(ledgers: Ledgers) -> None:
    assert all(left for left in ledgers.left)
    assert [found[-len(left) :] for found, left in zip(ledgers.found, ledgers.left, strict=True)] == ledgers.left
