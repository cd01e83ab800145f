"""The device API on a real bus, in this process, on a free port."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import cv2
import grpc
import numpy as np
import pytest

from neopain.bus.bus import Bus
from neopain.bus.connection import BusAddress
from neopain.ingest.device.service import make_server
from neopain.ingest.settings import IngestSettings
from neopain.wire.v1.device_pb2_grpc import DeviceIngestStub


@pytest.fixture
async def bus(bus_url: str, media_url: str) -> AsyncIterator[Bus]:
    """The bus in a namespace of the test's own."""
    bus = Bus(BusAddress(bus_url, (media_url,), namespace=f"device-{uuid.uuid4().hex}"))
    yield bus
    await bus.aclose()


class SetClock:
    """A clock that shows what it was set to; the machine's time until then."""

    def __init__(self) -> None:
        self.moment: datetime | None = None

    def now(self) -> datetime:
        return self.moment or datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError("nothing here waits")


@dataclass(frozen=True, slots=True)
class Door:
    """The device API's clock, and a client of it."""

    clock: SetClock
    channel: grpc.aio.Channel
    stub: DeviceIngestStub


async def opened(bus: Bus, **told: float) -> AsyncIterator[Door]:
    clock = SetClock()
    settings = IngestSettings(device_face_boxes={"NICU/1/2": (0, 0, 100, 100)}).model_copy(update=told)
    server, _ = make_server(bus, settings, clock)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    async with grpc.aio.insecure_channel(address) as channel:
        yield Door(clock, channel, DeviceIngestStub(channel))
    await server.stop(0)


@pytest.fixture
async def door(bus: Bus) -> AsyncIterator[Door]:
    """The device API, listening."""
    async for one in opened(bus):
        yield one


@pytest.fixture
async def narrow_door(bus: Bus) -> AsyncIterator[Door]:
    """The device API with room for one stream, and for messages of 64 KiB."""
    async for one in opened(bus, device_most_streams=1, device_largest_message_bytes=65_536):
        yield one


@pytest.fixture
async def impatient_door(bus: Bus) -> AsyncIterator[Door]:
    """The device API that ends a stream after a tenth of a second of silence."""
    async for one in opened(bus, device_idle_seconds=0.1):
        yield one


@pytest.fixture
def open_door(bus_url: str, media_url: str) -> Iterator[tuple[Door, asyncio.AbstractEventLoop]]:
    """The device API, listening on a loop that a plain test turns."""
    with asyncio.Runner() as runner:
        bus = runner.run(make_bus(bus_url, media_url))
        doors = opened(bus)
        yield runner.run(anext(doors)), runner.get_loop()  # type: ignore[arg-type]
        runner.run(closed(doors, bus))


async def make_bus(bus_url: str, media_url: str) -> Bus:
    return Bus(BusAddress(bus_url, (media_url,), namespace=f"device-{uuid.uuid4().hex}"))


async def closed(doors: AsyncIterator[Door], bus: Bus) -> None:
    assert await anext(doors, None) is None
    await bus.aclose()


@pytest.fixture
async def door_without_bus() -> AsyncIterator[Door]:
    """The device API when nothing answers where its bus should be."""
    bus = Bus(BusAddress("redis://127.0.0.1:1/0", ("redis://127.0.0.1:1/0",)))
    async for one in opened(bus):
        yield one
    await bus.aclose()


@pytest.fixture(scope="session")
def jpeg() -> bytes:
    """A 320x240 JPEG: left half red, right half blue."""
    picture = np.zeros((240, 320, 3), np.uint8)
    picture[:, :160] = (0, 0, 255)
    picture[:, 160:] = (255, 0, 0)
    return bytes(cv2.imencode(".jpg", picture)[1].tobytes())
