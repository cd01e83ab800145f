"""The client against the real service in a process of its own, on a real bus: kill -9 of each in the middle."""

from __future__ import annotations

import asyncio
import json
import os
import runpy
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import cv2
import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from neopain.bus.bus import Bus
from neopain.bus.connection import BusAddress
from neopain.bus.streams import AUDIO, FRAMES, VITALS
from neopain.client.channel import Target
from neopain.client.device import DeviceClient, DeviceLimits
from neopain.client.stream import Limits
from neopain.domain.identity import BedId
from neopain.domain.vitals import VitalsBatch
from neopain.embedded.loopback import free_port
from neopain.embedded.state import StateFolder
from neopain.embedded.valkey import Valkey
from neopain.errors import BufferFull
from neopain.wire.media import decode_audio
from neopain.wire.v1 import device_pb2 as pb
from neopain.wire.v1 import vitals_pb2
from neopain.wire.vitals import decode_batch

ROOT = Path(__file__).resolve().parents[3]
BED = BedId("NICU/1/1")
QUICK = Limits(held=10_000, unanswered=8, answer_seconds=10.0, first_pause_seconds=0.05, longest_pause_seconds=0.5)
LIMITS = DeviceLimits(frames=QUICK, audio=QUICK, vitals=QUICK)


class Door:
    """``neopain ingest device`` in a process of its own, with a bus of its own."""

    def __init__(self, bus: Valkey, media_url: str) -> None:
        self.bus = bus
        self.port = free_port()
        self.namespace = uuid.uuid4().hex
        self.address = BusAddress(bus.url, (media_url,), self.namespace)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def target(self) -> Target:
        return Target(f"127.0.0.1:{self.port}")

    def start(self) -> None:
        told = {
            "NEOPAIN_BUS_URL": self.address.bus_url,
            "NEOPAIN_BUS_MEDIA_URLS": json.dumps(self.address.media_urls),
            "NEOPAIN_BUS_NAMESPACE": self.namespace,
            "NEOPAIN_INGEST_DEVICE_PORT": str(self.port),
            "PYTHONPATH": str(ROOT / "services"),
        }
        command = [sys.executable, "-m", "neopain", "ingest", "device"]
        self.process = subprocess.Popen(command, env=os.environ | told, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    async def batches(self) -> list[VitalsBatch]:
        bus = Bus(self.address)
        found = [decode_batch(one.payload) for one in await bus.read_range(VITALS, bed=BED)]
        await bus.aclose()
        return found


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, media_url: str) -> Iterator[Door]:
    with Valkey.bus(StateFolder(tmp_path_factory.mktemp("client"))) as bus:
        one = Door(bus, media_url)
        one.start()
        yield one
        one.kill()


@pytest.fixture
async def device(door: Door) -> AsyncIterator[DeviceClient]:
    async with DeviceClient(door.target, device="gw", processing="T", limits=LIMITS) as one:
        yield one


async def until(holds: Callable[[], bool], *, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"it did not come to hold in {seconds:g} s"
        await asyncio.sleep(0.01)


def beat(number: int) -> pb.DeviceVitals:
    value = pb.DeviceVital(kind=vitals_pb2.VITAL_KIND_RR_INTERVAL, value=400.0 + number)
    return pb.DeviceVitals(bed=BED, values=[value])


def sound(number: int, began_us: int) -> pb.DeviceAudio:
    """A tenth of a second whose samples all say its number."""
    pcm = np.full(1600, number, "<i2").tobytes()
    return pb.DeviceAudio(bed=BED, sample_rate_hz=16_000, pcm=pcm, source_us=began_us + number * 100_000)


async def status_of(channel: grpc.aio.Channel) -> int:
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), wait_for_ready=True)
    return int(answer.status)


async def test_nothing_acknowledged_is_lost_and_nothing_doubled_when_ingest_and_the_bus_are_killed(
    door: Door, device: DeviceClient
) -> None:
    before, began_us = len(await door.batches()), time.time_ns() // 1000 - 11_000_000

    def send(count: int) -> None:
        for _ in range(count):
            device.vitals.send(beat(device.vitals.count.taken + 1))
            device.audio.send(sound(device.audio.count.taken + 1, began_us))

    for kill, restart in ((door.kill, door.start), (door.bus.kill, door.bus.restart)):
        accepted = device.vitals.count.accepted
        send(40)
        await until(lambda: device.vitals.count.accepted > accepted + 10)  # noqa: B023 - awaited at once
        await asyncio.to_thread(kill)
        assert device.vitals.held
        send(10)
        await asyncio.to_thread(restart)
    send(10)
    assert await device.settled(within_seconds=120)

    found = [batch.samples[0].value - 400.0 for batch in (await door.batches())[before:]]
    assert found == list(range(1, 111))
    assert (device.vitals.count.accepted, device.vitals.count.refused) == (110, 0)
    assert device.vitals.count.breaks >= 2
    assert await heard_twice(door) == []


async def heard_twice(door: Door) -> list[int]:
    """Numbers of chunks of which more samples lie on the media server than were sent."""
    bus = Bus(door.address)
    pcm = [decode_audio(one.payload).pcm for one in await bus.read_range(AUDIO, bed=BED)]
    await bus.aclose()
    numbers, counts = np.unique(np.concatenate([np.frombuffer(one, "<i2") for one in pcm]), return_counts=True)
    assert len(numbers)
    return [int(number) for number, count in zip(numbers, counts, strict=True) if count > 1600]


async def test_health_follows_the_bus(door: Door) -> None:
    statuses = health_pb2.HealthCheckResponse
    async with door.target.channel() as channel:
        deadline = time.monotonic() + 120
        wanted, strikes = [statuses.SERVING, statuses.NOT_SERVING, statuses.SERVING], [door.bus.kill, door.bus.restart]
        for want in wanted:
            while await status_of(channel) != want:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.1)
            if strikes:
                await asyncio.to_thread(strikes.pop(0))


async def test_a_bus_that_does_not_answer_slows_the_device_and_fills_no_memory(door: Door) -> None:
    frozen = door.bus.child.pid
    limits = DeviceLimits(vitals=Limits(held=50, unanswered=4, answer_seconds=60.0))
    async with DeviceClient(door.target, device="slow", limits=limits) as device:
        device.vitals.send(beat(1))
        await until(lambda: device.vitals.count.accepted == 1)
        os.kill(frozen, signal.SIGSTOP)
        try:
            for number in range(50):
                device.vitals.send(beat(number))
            with pytest.raises(BufferFull, match="50 messages wait for a receipt"):
                device.vitals.send(beat(99))
            await asyncio.sleep(0.5)
            assert device.vitals.count.accepted == 1
        finally:
            os.kill(frozen, signal.SIGCONT)
        assert await device.settled(within_seconds=120)
        assert device.vitals.count.accepted == 51


async def test_what_a_device_gives_up_is_told_and_the_rest_goes_through(door: Door) -> None:
    before = len(await door.batches())
    client = DeviceClient(door.target, device="full", limits=LIMITS)
    for number in range(1, 6):
        client.vitals.send(beat(number))
    async with client as device:
        assert await device.settled(within_seconds=60)
        await asyncio.to_thread(door.bus.kill)
        for number in range(6, 10):
            device.vitals.send(beat(number))
        await until(lambda: device.vitals.count.breaks >= 1)
        assert device.vitals.give_up_oldest(3) == 3
        await asyncio.to_thread(door.bus.restart)
        assert await device.settled(within_seconds=60)
    found = [batch.samples[0].value - 400.0 for batch in (await door.batches())[before:]]
    assert found == [1, 2, 3, 4, 5, 9]


async def test_a_message_that_its_maker_uses_again_goes_out_as_it_was_sent(door: Door) -> None:
    bus, beds = Bus(door.address), (BedId("NICU/again/1"), BedId("NICU/again/2"))
    message = beat(1)
    async with DeviceClient(door.target, device="again", processing="T", limits=LIMITS) as device:
        for number, bed in enumerate(beds, 1):
            message.bed, message.values[0].value = bed, 400.0 + number
            device.vitals.send(message)
        assert await device.settled(within_seconds=60)
    found = [[decode_batch(one.payload) for one in await bus.read_range(VITALS, bed=bed)] for bed in beds]
    await bus.aclose()
    assert [[one.samples[0].value for one in batches] for batches in found] == [[401.0], [402.0]]


async def test_frames_that_cannot_be_sent_are_dropped_oldest_first() -> None:
    limits = DeviceLimits(frames=Limits(held=3))
    async with DeviceClient(Target("127.0.0.1:1"), device="cam", limits=limits) as device:
        for number in range(5):
            device.frames.send(pb.DeviceFrame(width=number))
        assert (device.frames.held, device.frames.count.dropped) == (3, 2)
        assert not await device.settled(within_seconds=0.01)


async def test_the_example_gateway_gives_up_its_oldest_values_for_those_in_hand(door: Door) -> None:
    example = runpy.run_path(str(ROOT / "examples/edge_gateway.py"))
    client = DeviceClient(door.target, device="full-example", limits=DeviceLimits(vitals=Limits(held=3, unanswered=2)))
    before = len(await door.batches())
    for number in range(1, 5):
        example["send_newest"](client.vitals, beat(number))
    assert (client.vitals.count.dropped, client.vitals.held) == (3, 1)
    async with client as device:
        assert await device.settled(within_seconds=60)
    assert [batch.samples[0].value - 400.0 for batch in (await door.batches())[before:]] == [4]


@pytest.mark.parametrize("kind", ["vitals", "video"])
async def test_the_example_gateway_sends_what_it_says(door: Door, tmp_path: Path, kind: str) -> None:
    bed = BedId(f"NICU/example/{kind}")
    command = [sys.executable, "examples/edge_gateway.py", "--target", door.target.address, "--bed", bed]
    command += ["--seconds", "2", "--wait", "60"]
    if kind == "video":
        video = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 30, (64, 48))
        for level in range(45):
            video.write(np.full((48, 64, 3), 5 * level, np.uint8))
        video.release()
        command += ["--video", str(tmp_path / "v.avi")]
    environment = os.environ | {"PYTHONPATH": "services"}
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    told = json.loads(printed)
    assert process.returncode == 0
    assert told["taken"] == told["accepted"] > 0
    # A second and a half at seven and a half pictures a second, however many the file has.
    assert kind != "video" or told["taken"] <= 12
    bus = Bus(door.address)
    assert await bus.read_range(VITALS if kind == "vitals" else FRAMES, bed=bed)
    await bus.aclose()
