"""The device sender against a device API that refuses, stays silent and dies."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import grpc
import pytest

from neopain.simulator.device_sender import FRAMES_HELD, DeviceSender, DeviceStream, device_channel
from neopain.wire.v1 import device_pb2 as pb
from neopain.wire.v1 import vitals_pb2

if TYPE_CHECKING:
    from .conftest import DeviceApi, Until

BED = "NICU/R1/1@SIM"


@pytest.fixture
async def sender(device_api: DeviceApi) -> AsyncIterator[DeviceSender]:
    async with device_channel(device_api.target) as channel:
        one = DeviceSender(channel, bed=BED)
        task = asyncio.create_task(one.run())
        yield one
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def beat(milliseconds: float) -> pb.DeviceVitals:
    value = pb.DeviceVital(kind=vitals_pb2.VITAL_KIND_RR_INTERVAL, value=milliseconds)
    return pb.DeviceVitals(bed=BED, values=[value])


async def test_each_message_is_numbered_and_its_receipt_counted(
    device_api: DeviceApi, sender: DeviceSender, until: Until
) -> None:
    for number in range(3):
        sender.frames.send(pb.DeviceFrame(bed=BED, data=bytes([number])))
    await until(lambda: sender.frames.count.accepted == 3)

    assert [(one.sequence, one.data) for one in device_api.frames] == [(1, b"\x00"), (2, b"\x01"), (3, b"\x02")]


async def test_the_streams_do_not_share_their_counts(sender: DeviceSender, until: Until) -> None:
    sender.audio.send(pb.DeviceAudio(bed=BED, sample_rate_hz=16_000, pcm=b"\x00\x00"))
    sender.vitals.send(beat(430.0))
    await until(lambda: sender.vitals.count.accepted == 1 and sender.audio.count.accepted == 1)

    assert sender.frames.count.sent == 0


async def test_the_device_says_that_it_is_a_simulator(
    device_api: DeviceApi, sender: DeviceSender, until: Until
) -> None:
    sender.vitals.send(beat(430.0))
    await until(lambda: sender.vitals.count.accepted == 1)

    assert device_api.metadata["neopain-processing"] == "T"
    assert device_api.metadata["neopain-device"] == "simulator NICU/R1/1@SIM"


async def test_vitals_without_a_receipt_are_sent_again_to_the_server_that_comes_back(
    device_api: DeviceApi, sender: DeviceSender, until: Until
) -> None:
    device_api.silent_after = 2
    for number in range(5):
        sender.vitals.send(beat(430.0 + number))
    await until(lambda: len(device_api.vitals) == 5 and sender.vitals.count.accepted == 2)
    await device_api.stop()
    device_api.silent_after = None
    await device_api.start()
    await until(lambda: sender.vitals.count.accepted == 5)

    assert [one.sequence for one in device_api.vitals] == [1, 2, 3, 4, 5, 3, 4, 5]
    assert sender.vitals.waiting == 0


async def test_a_lost_connection_takes_no_more_messages(until: Until) -> None:
    opened: list[AsyncIterator[pb.DeviceVitals]] = []

    async def lose(messages: AsyncIterator[pb.DeviceVitals]) -> AsyncIterator[pb.Receipt]:
        opened.append(messages)
        yield pb.Receipt()
        raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata())

    stream = DeviceStream(lose, name="vitals", held=10, resends=True)
    running = asyncio.create_task(stream.run())
    await until(lambda: len(opened) == 1)
    stream.send(beat(430.0))
    taken = await anext(opened[0], None)
    running.cancel()

    # gRPC goes on asking for one until it notices: what it got would be thought sent, and never come back.
    assert taken is None


async def test_frames_that_went_with_the_server_are_not_sent_again(
    device_api: DeviceApi, sender: DeviceSender, until: Until
) -> None:
    device_api.silent_after = 0
    sender.frames.send(pb.DeviceFrame(bed=BED, data=b"old"))
    await until(lambda: len(device_api.frames) == 1)
    await device_api.stop()
    device_api.silent_after = None
    await device_api.start()
    async with asyncio.timeout(10):
        while not sender.frames.count.accepted:
            sender.frames.send(pb.DeviceFrame(bed=BED, data=b"new"))
            await asyncio.sleep(0.02)

    assert [one.data for one in device_api.frames].count(b"old") == 1


async def test_without_a_server_the_oldest_frames_are_dropped(
    device_api: DeviceApi, sender: DeviceSender, until: Until
) -> None:
    await device_api.stop()
    await until(lambda: device_api.frames == [])
    for number in range(FRAMES_HELD + 5):
        sender.frames.send(pb.DeviceFrame(bed=BED, width=number))

    assert sender.frames.count.dropped == 5
    assert sender.frames.waiting == FRAMES_HELD


async def test_a_refusal_is_counted_with_its_reason(device_api: DeviceApi, sender: DeviceSender, until: Until) -> None:
    device_api.refusal = "pcm: 1 bytes are no int16 samples"
    sender.audio.send(pb.DeviceAudio(bed=BED, pcm=b"\x00"))
    await until(lambda: sender.audio.count.refused == 1)

    assert sender.audio.count.refusal == "pcm: 1 bytes are no int16 samples"
    assert sender.audio.count.accepted == 0


async def test_a_finished_sender_returns_with_its_receipts(device_api: DeviceApi) -> None:
    async with device_channel(device_api.target) as channel:
        sender = DeviceSender(channel, bed=BED)
        for number in range(4):
            sender.vitals.send(beat(430.0 + number))
        sending = asyncio.create_task(sender.run())
        await asyncio.sleep(0)
        sender.finish()
        await asyncio.wait_for(sending, 10)

    assert sender.vitals.count.accepted == 4
