"""What a measurement reads beside the load: a process's time and memory, and what the bus was given."""

from __future__ import annotations

import os
from pathlib import Path

from neopain.bootstrap.ingest_bench.load import BENCH_UNIT
from neopain.bus.bus import Bus
from neopain.bus.connection import BusAddress
from neopain.bus.streams import VITALS


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far (proc(5), stat: fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Resident memory of a process, in MiB (proc(5), statm)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


async def entries_added(address: BusAddress) -> int:
    """How many entries the beds of the load were ever given, trimmed ones too."""
    bus = Bus(address)
    try:
        added = 0
        async for key in bus.durable.scan_iter(match=bus.key(VITALS.name, f"{BENCH_UNIT}/*"), count=1000):
            added += (await bus.durable.xinfo_stream(key))["entries-added"]
        return added
    finally:
        await bus.aclose()


async def trim(bus: Bus, *, keep: int) -> None:
    """Leaves about so many entries at each bed of the load."""
    async for key in bus.durable.scan_iter(match=bus.key(VITALS.name, f"{BENCH_UNIT}/*"), count=1000):
        await bus.durable.xtrim(key, maxlen=keep, approximate=True)
