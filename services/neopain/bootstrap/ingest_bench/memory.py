"""``neopain bench ingest --messages N``: whether the listener's memory stays as it is over so many messages.

They are sent as fast as they are answered. The bus would keep all that comes within a quarter of an hour, which at that
speed is more than it holds: its streams are trimmed here meanwhile, and what it was given is counted all the same.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from neopain.bootstrap.ingest_bench.load import Load, Sent, send
from neopain.bootstrap.ingest_bench.readings import entries_added, resident_mib, trim
from neopain.bootstrap.line import Line, LineSettings
from neopain.bootstrap.places import state_folder
from neopain.bus.bus import Bus

PARTS = 20
"""Readings; the first one, after a twentieth of the messages, is the beginning: caches and pools are filled then."""
MOST_GROWTH_MIB = 10.0
KEPT_AT_A_BED = 1000
LOOK_SECONDS = 0.2
LONGEST_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class MemoryBenchOptions:
    """What the command line asked for."""

    messages: int
    connections: int
    as_json: bool
    state_dir: Path | None


@dataclass(frozen=True, slots=True)
class MemoryBenchResult:
    """``resident_mib`` at the beginning, in the middle and at the end; ``readings`` after each twentieth."""

    messages: int
    connections: int
    acknowledged: int
    refused: int
    on_the_bus: int
    wall_seconds: float
    resident_mib: tuple[float, float, float]
    growth_mib: float
    readings: tuple[float, ...]


def run_memory_bench(options: MemoryBenchOptions) -> int:
    """Measures and prints; 1 when memory grew by more than 10 MiB, or a message was refused or is not on the bus."""
    settings = LineSettings(state_folder(options.state_dir, "bench"), Path(), with_charting=False)
    with Line(settings) as line:
        line.start_bus()
        listener = line.start_service("ingest", "hl7")
        line.wait_ready("ingest-hl7")
        result = asyncio.run(_measure(line, listener.pid, options))
    print(json.dumps(asdict(result)) if options.as_json else _as_text(result))
    is_whole = result.on_the_bus == result.acknowledged == result.messages
    return 0 if is_whole and result.growth_mib <= MOST_GROWTH_MIB else 1


async def _measure(line: Line, pid: int, options: MemoryBenchOptions) -> MemoryBenchResult:
    address = line.bus_settings.address()
    before, begun, sent = await entries_added(address), time.perf_counter(), Sent()
    load = Load(options.connections, LONGEST_SECONDS, messages=options.messages)
    bus = Bus(address)
    try:
        sending = asyncio.create_task(send(line.ports.hl7, load, sent))
        readings = await _follow(sending, sent, pid, options.messages, bus)
        await sending
    finally:
        await bus.aclose()
    first, middle, last = readings[0], readings[PARTS // 2 - 1], readings[-1]
    return MemoryBenchResult(
        messages=options.messages,
        connections=options.connections,
        acknowledged=sent.acknowledged,
        refused=sent.refused,
        on_the_bus=await entries_added(address) - before,
        wall_seconds=round(time.perf_counter() - begun, 1),
        resident_mib=(first, middle, last),
        growth_mib=round(last - first, 1),
        readings=tuple(readings),
    )


async def _follow(sending: asyncio.Task[Sent], sent: Sent, pid: int, messages: int, bus: Bus) -> list[float]:
    readings: list[float] = []
    while len(readings) < PARTS:
        await asyncio.sleep(LOOK_SECONDS)
        answered = sent.acknowledged + sent.refused
        if answered >= messages * (len(readings) + 1) / PARTS or sending.done():
            readings.append(resident_mib(pid))
            told = f"{answered} of {messages} messages, {readings[-1]} MiB"
            print(f"neopain: {told}", file=sys.stderr, flush=True)
            await trim(bus, keep=KEPT_AT_A_BED)
    return readings


def _as_text(result: MemoryBenchResult) -> str:
    return "\n".join(f"{name}: {value}" for name, value in asdict(result).items())
