from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from neopain.bus.bus import Bus
from neopain.bus.connection import BusAddress
from neopain.bus.streams import MOVEMENT
from neopain.domain.identity import BedId, SourceId
from neopain.domain.media import MovementSample
from neopain.domain.time import TimeQuality, Timing
from neopain.ingest.camera.outlet import MOST_WAITING, Outlet
from neopain.runtime.metrics import counter
from neopain.wire.media import decode_movement

BED = BedId("NICU/1/1")


def sample(energy: float) -> MovementSample:
    now = datetime.now(UTC)
    return MovementSample(BED, SourceId("camera", "cam"), Timing(now, now, TimeQuality.SOURCE), energy)


async def published(outlet: Outlet, when: Callable[[], bool]) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(outlet.publish())
        async with asyncio.timeout(10):
            while not when():  # noqa: ASYNC110 - another task's doing
                await asyncio.sleep(0.01)
        outlet.close()


def dropped(name: str) -> float:
    return float(counter("ingest_camera_dropped_total").labels(name)._value.get())


async def test_what_comes_faster_than_it_can_be_published_keeps_the_newest(bus: Bus) -> None:
    outlet = Outlet("fast", bus)
    await asyncio.to_thread(lambda: [outlet.give([sample(number / 128)]) for number in range(100)])
    await asyncio.sleep(0)
    await published(outlet, lambda: not outlet._waiting)
    stored = [decode_movement(entry.payload).energy for entry in await bus.read_range(MOVEMENT, bed=BED)]
    assert stored == [number / 128 for number in range(100 - MOST_WAITING, 100)]
    assert dropped("fast") == 100 - MOST_WAITING


async def test_a_media_server_that_is_away_costs_what_it_did_not_take_and_nothing_else() -> None:
    bus = Bus(BusAddress("redis://127.0.0.1:1/0", ("redis://127.0.0.1:1/0",)))
    outlet = Outlet("away", bus)
    outlet.give([sample(0.5), sample(0.25)])
    await asyncio.sleep(0)
    await published(outlet, lambda: dropped("away") == 2)
    await bus.aclose()


async def test_a_media_server_that_is_away_is_told_once_and_what_it_did_not_take_when_it_is_back(
    bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "neopain.ingest.camera.outlet")
    away = Bus(BusAddress("redis://127.0.0.1:1/0", ("redis://127.0.0.1:1/0",)))
    outlet = Outlet("told", away)

    for server, energies in ((away, (0.1, 0.2, 0.3)), (bus, (0.4, 0.5)), (away, (0.6,)), (bus, (0.7,))):
        outlet.bus = server
        for energy in energies:
            await outlet._publish_one(sample(energy))
    await away.aclose()

    told = [(record.message, record.__dict__["fields"].get("dropped")) for record in caplog.records]
    assert told == [("bus_unavailable", None), ("bus_is_back", 3), ("bus_unavailable", None), ("bus_is_back", 1)]
    assert dropped("told") == 4
