"""The bus is killed, or the listener asked to end: what is not stored is not acknowledged, and what is in hand is.

Kills of either under load: ``tests/faults/test_listener.py``; here one between the pieces of a waveform.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from neopain.bus.bus import Bus
from neopain.bus.connection import BusAddress
from neopain.bus.streams import VITALS
from neopain.domain.identity import BedId
from neopain.embedded.loopback import HOST, answers_ok, free_port
from neopain.embedded.process import Child, Command
from neopain.embedded.state import StateFolder
from neopain.embedded.valkey import Valkey
from neopain.ingest.hl7.baseline import publish_round
from neopain.simulator.infant import simulated_infant
from neopain.simulator.mllp_sender import MllpSender
from neopain.simulator.segments import Cot
from neopain.simulator.vitals import Beat
from neopain.simulator.waveforms import LEAD_II, ecg, waveform_message
from neopain.wire.vitals import decode_batch

PATIENCE = {"hl7_bus_patience_seconds": 0.3}


async def stored(address: BusAddress) -> list[str]:
    bus = Bus(address)
    try:
        entries = await bus.read_range(VITALS, bed=BedId("NICU/1/3"))
        return [decode_batch(entry.payload).control_id for entry in entries]
    finally:
        await bus.aclose()


@pytest.fixture
def own_bus(tmp_path: Path) -> Iterator[Valkey]:
    """A bus that this test may kill."""
    with Valkey.bus(StateFolder(tmp_path / "bus")) as bus:
        yield bus


@pytest.fixture
def own_address(own_bus: Valkey, media_url: str) -> BusAddress:
    """That bus, with the run's media server."""
    return BusAddress(own_bus.url, (media_url,), "faults")


async def test_a_killed_bus_means_no_answer_and_a_closed_connection(
    opening: Any, own_bus: Valkey, own_address: BusAddress, text: Any, eventually: Any
) -> None:
    async with opening(own_address, **PATIENCE) as door:
        connection = await door.connect()
        assert (await connection.ask(text.vitals(control="1")))[1] == "MSA|AA|1"
        await asyncio.to_thread(own_bus.kill)
        await connection.write(b"\x0b" + text.vitals(control="2") + b"\x1c\x0d")
        assert await connection.is_closed()

        async def is_not_ready() -> bool:
            return not door.running.health.is_ready

        assert await eventually(is_not_ready)
        await asyncio.to_thread(own_bus.restart)

        async def is_ready() -> bool:
            return bool(door.running.health.is_ready)

        assert await eventually(is_ready)
        assert (await door.ask(text.vitals(control="2")))[1] == "MSA|AA|2"
    assert await stored(own_address) == ["1", "2"]


async def test_a_media_server_that_is_away_keeps_no_message_waiting(
    opening: Any, address: BusAddress, text: Any
) -> None:
    async with opening(replace(address, media_urls=("redis://127.0.0.1:1/0",))) as door:
        assert door.running.health.is_ready
        assert (await door.ask(text.vitals(control="1")))[1] == "MSA|AA|1"
        assert await publish_round(door.bus, datetime.now(UTC)) == 0


async def test_a_refusal_waits_for_the_bus_too_since_its_raw_bytes_must_be_kept(
    opening: Any, own_bus: Valkey, own_address: BusAddress, text: Any
) -> None:
    async with opening(own_address, **PATIENCE) as door:
        await asyncio.to_thread(own_bus.kill)
        connection = await door.connect()
        await connection.write(b"\x0bno message\x1c\x0d")
        assert await connection.is_closed()


@contextlib.asynccontextmanager
async def listening_process(address: BusAddress, folder: Path, eventually: Any) -> AsyncIterator[tuple[Child, int]]:
    """``neopain ingest hl7`` as a process of its own, ready."""
    port, http_port = free_port(), free_port()
    env = {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "NEOPAIN_BUS_URL": address.bus_url,
        "NEOPAIN_BUS_MEDIA_URLS": f'["{address.media_urls[0]}"]',
        "NEOPAIN_BUS_NAMESPACE": address.namespace,
        "NEOPAIN_INGEST_HL7_PORT": str(port),
        "NEOPAIN_INGEST_HTTP_PORT": str(http_port),
    }
    argv = (sys.executable, "-m", "neopain", "ingest", "hl7")
    child = Child(Command(name="ingest-hl7", argv=argv, env=env, cwd=folder), StateFolder(folder))
    await asyncio.to_thread(child.start)
    try:
        url = f"http://127.0.0.1:{http_port}/ready"

        async def is_ready() -> bool:
            return await asyncio.to_thread(answers_ok, url)

        assert await eventually(is_ready), child.log_tail()
        yield child, port
    finally:
        await asyncio.to_thread(child.stop)


async def test_a_stop_closes_idle_connections_and_ends_well(
    address: BusAddress, tmp_path: Path, text: Any, eventually: Any
) -> None:
    async with listening_process(address, tmp_path, eventually) as (child, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x0b" + text.vitals(control="1") + b"\x1c\x0d")
        assert b"MSA|AA|1" in await asyncio.wait_for(reader.readuntil(b"\x1c\x0d"), 10)
        await asyncio.to_thread(child.stop)
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
        assert "service_stopped" in child.log_tail()


async def test_a_message_in_hand_is_answered_before_the_door_closes(
    opening: Any, own_bus: Valkey, own_address: BusAddress, text: Any, eventually: Any
) -> None:
    async with opening(own_address) as door:
        connection = await door.connect()
        await door.bus.durable.client_pause(1500, all=False)
        await connection.write(b"\x0b" + text.vitals(control="1") + b"\x1c\x0d")

        async def is_in_hand() -> bool:
            return int((await door.bus.durable.info("clients"))["blocked_clients"]) > 0

        assert await eventually(is_in_hand)
        door.running.stop()
        assert (await connection.answer())[1] == "MSA|AA|1"
        assert await connection.is_closed()


def waveform_pieces(beats: list[float], *, count: int) -> list[bytes]:
    """Half seconds of an ECG with these beats."""
    infant, cot, start = simulated_infant(seed=1, number=1), Cot("NICU", "1", "3"), datetime.now(UTC)
    known = [Beat(beat, 420.0) for beat in beats]
    values, half = ecg(known, count / 2, rate_hz=LEAD_II.rate_hz, seed=1), LEAD_II.rate_hz // 2
    return [
        waveform_message(
            infant,
            cot,
            LEAD_II,
            values[number * half : (number + 1) * half],
            control_id=str(number),
            start=start + timedelta(seconds=number / 2),
        )
        for number in range(count)
    ]


async def test_kills_of_the_listener_between_pieces_of_a_waveform_lose_and_double_no_beat(
    address: BusAddress, tmp_path: Path, eventually: Any
) -> None:
    beats = [0.3 + 0.42 * number for number in range(60)]
    pieces = waveform_pieces(beats, count=48)
    async with listening_process(address, tmp_path, eventually) as (child, port):
        sender = MllpSender(HOST, port, name="waveforms", answer_seconds=3.0)
        sending = asyncio.create_task(sender.run())
        for number, piece in enumerate(pieces):
            sender.send(str(number), piece)

        async def has_begun() -> bool:
            return len(sender.ledger.acknowledged) >= 20

        assert await eventually(has_begun, seconds=60)
        await asyncio.to_thread(child.kill)
        assert sender.waiting
        await asyncio.to_thread(child.restart)
        assert await sender.settled(within_seconds=60)
        sending.cancel()
    bus = Bus(address)
    entries = await bus.read_range(VITALS, bed=BedId("NICU/1/3"))
    await bus.aclose()
    told = [sample.value for entry in entries for sample in decode_batch(entry.payload).samples]
    # Of the last half second nothing is told, and the first beat has no interval.
    assert len(told) == sum(beat < 23.5 for beat in beats) - 1
    assert told == pytest.approx([420.0] * len(told), abs=3)
