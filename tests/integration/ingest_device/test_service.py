from __future__ import annotations

import asyncio
import contextlib
import socket
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from neopain.bus.bus import Bus
from neopain.bus.connection import BusAddress, connect
from neopain.bus.streams import VITALS
from neopain.domain.identity import BedId
from neopain.embedded.state import StateFolder
from neopain.embedded.valkey import Valkey
from neopain.errors import ConfigurationError
from neopain.ingest.device.service import serve_device
from neopain.ingest.settings import IngestSettings
from neopain.runtime.metrics import gauge
from neopain.runtime.service import Running
from neopain.runtime.settings import BusSettings
from neopain.wire.v1 import device_pb2 as pb
from neopain.wire.v1 import vitals_pb2
from neopain.wire.v1.device_pb2_grpc import DeviceIngestStub
from neopain.wire.vitals import decode_batch

NAMESPACE = uuid.uuid4().hex
BED = BedId("NICU/1/1")


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def own_bus(tmp_path: Path) -> Iterator[Valkey]:
    with Valkey.bus(StateFolder(tmp_path)) as bus:
        yield bus


@asynccontextmanager
async def served(bus_url: str, media_url: str, port: int, *others: str) -> AsyncIterator[Running]:
    running = Running()
    settings = IngestSettings(device_port=port)
    urls = BusSettings(url=bus_url, media_urls=(media_url, *others), namespace=NAMESPACE)
    task = asyncio.create_task(serve_device(running, settings=settings, bus_settings=urls))
    deadline = time.monotonic() + 10
    while not running.health.is_ready and time.monotonic() < deadline:
        await asyncio.wait((task,), timeout=0.01)
        if task.done():
            task.result()
    yield running
    running.stop()
    await task


async def test_the_service_is_ready_when_it_listens_and_ends_when_asked(
    bus_url: str, media_url: str, port: int
) -> None:
    async with served(bus_url, media_url, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_the_service_refuses_a_media_server_that_would_write_to_a_disk(bus_url: str, port: int) -> None:
    with pytest.raises(ConfigurationError, match="live media would reach a disk"):
        async with served(bus_url, bus_url, port):
            pass


async def test_the_service_refuses_an_address_that_is_taken(bus_url: str, media_url: str, port: int) -> None:
    async with served(bus_url, media_url, port):
        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1:{port}"):
            async with served(bus_url, media_url, port):
                pass


@asynccontextmanager
async def device(port: int) -> AsyncIterator[DeviceIngestStub]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield DeviceIngestStub(channel)


def beat(sequence: int) -> pb.DeviceVitals:
    value = pb.DeviceVital(
        kind=vitals_pb2.VITAL_KIND_RR_INTERVAL, value=400.0 + sequence, source_us=1_772_366_400_000_000
    )
    return pb.DeviceVitals(bed=BED, values=[value], sequence=sequence)


async def test_a_bus_that_is_killed_loses_nothing_that_had_its_receipt_and_nothing_is_doubled(
    own_bus: Valkey, media_url: str, port: int
) -> None:
    async with served(own_bus.url, media_url, port), device(port) as stub:
        call = stub.StreamVitals()
        for sequence in (1, 2):
            await call.write(beat(sequence))
            receipt = await call.read()
            assert isinstance(receipt, pb.Receipt)
            assert receipt.sequence == sequence
        await asyncio.to_thread(own_bus.kill)
        await call.write(beat(3))
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await call.read()
        assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
        await asyncio.to_thread(own_bus.restart)
        again = stub.StreamVitals(iter([beat(2), beat(3)]))
        assert [receipt.sequence async for receipt in again] == [2, 3]
    bus = Bus(BusAddress(own_bus.url, (media_url,), NAMESPACE))
    stored = [decode_batch(entry.payload) for entry in await bus.read_range(VITALS, bed=BED)]
    await bus.aclose()
    assert [batch.samples[0].value for batch in stored] == [401.0, 402.0, 403.0]


@pytest.fixture
def other_media(tmp_path: Path) -> Iterator[Valkey]:
    """A second media server that does not answer until it is started anew."""
    with Valkey.media(StateFolder(tmp_path), maxmemory_mb=32) as media:
        media.kill()
        yield media


# CRC-32 of the first is even, of the other odd.
HERE, THERE = "NICU/1/1@A", "NICU/1/2@A"


async def pictured(stub: DeviceIngestStub, bed: str) -> grpc.StatusCode:
    """What comes of one picture of a bed."""
    picture = pb.DeviceFrame(
        bed=bed,
        format=pb.PIXEL_FORMAT_RGB24,
        width=64,
        height=64,
        data=bytes(64 * 64 * 3),
        face=pb.FaceBox(x=0, y=0, width=64, height=64),
        sequence=1,
    )
    call = stub.StreamFrames(iter([picture]))
    with contextlib.suppress(grpc.aio.AioRpcError):
        assert [receipt.accepted async for receipt in call] == [1]
    return await call.code()


async def test_a_door_opens_without_one_of_its_media_servers_and_takes_its_beds_when_it_is_back(
    bus_url: str, media_url: str, other_media: Valkey, port: int
) -> None:
    away = gauge("ingest_media_server_away").labels(f"127.0.0.1:{other_media.port}")
    async with served(bus_url, media_url, port, other_media.url) as running, device(port) as stub:
        assert running.health.is_ready
        found = [await pictured(stub, bed) for bed in (HERE, THERE)]
        assert (found, away._value.get()) == ([grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE], 1)
        await asyncio.to_thread(other_media.restart)
        async with asyncio.timeout(20):
            while await pictured(stub, THERE) is not grpc.StatusCode.OK:  # noqa: ASYNC110 - a server is awaited
                await asyncio.sleep(0.1)
    assert away._value.get() == 0


async def test_nothing_is_put_on_a_media_server_that_comes_back_and_would_write_to_a_disk(
    bus_url: str, media_url: str, other_media: Valkey, port: int
) -> None:
    async with served(bus_url, media_url, port, other_media.url) as running, device(port) as stub:
        await asyncio.to_thread(other_media.restart)
        server = connect(other_media.url)
        await server.config_set("save", "60 1")
        async with asyncio.timeout(20):
            while "reach a disk" not in running.health.reason:  # noqa: ASYNC110 - a thread's probe reads it
                await asyncio.sleep(0.1)
        assert [await pictured(stub, bed) for bed in (HERE, THERE)] == [
            grpc.StatusCode.OK,
            grpc.StatusCode.UNAVAILABLE,
        ]
        assert await server.dbsize() == 0
        await server.aclose()


async def test_a_full_media_server_gives_no_receipt_and_says_that_it_is_full(
    bus_url: str, tmp_path: Path, port: int
) -> None:
    picture = bytes(64 * 64 * 3)
    messages = [
        pb.DeviceFrame(
            bed=f"NICU/1/{number}",
            format=pb.PIXEL_FORMAT_RGB24,
            width=64,
            height=64,
            data=picture,
            face=pb.FaceBox(x=0, y=0, width=64, height=64),
            sequence=number,
        )
        for number in range(1, 200)
    ]
    with Valkey.media(StateFolder(tmp_path), maxmemory_mb=8) as media:
        async with served(bus_url, media.url, port), device(port) as stub:
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                async for _ in stub.StreamFrames(iter(messages)):
                    pass
    assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
