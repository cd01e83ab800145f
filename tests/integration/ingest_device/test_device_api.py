from __future__ import annotations

import time
from collections.abc import AsyncIterable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from neopain.bus.bus import Bus
from neopain.bus.streams import AUDIO, FRAMES, MOVEMENT, VITALS
from neopain.domain.identity import BedId
from neopain.domain.media import FaceAbsence
from neopain.domain.time import TimeQuality
from neopain.domain.vitals import Processing
from neopain.wire.common import from_us
from neopain.wire.media import decode_audio, decode_frame, decode_movement
from neopain.wire.v1 import device_pb2 as pb
from neopain.wire.v1 import vitals_pb2
from neopain.wire.v1.device_pb2_grpc import DeviceIngestStub
from neopain.wire.vitals import decode_batch

Message = TypeVar("Message", pb.DeviceFrame, pb.DeviceAudio)

BED, BED_WITH_BOX = BedId("NICU/1/1"), BedId("NICU/1/2")


class Clock(Protocol):
    moment: datetime | None


class Door(Protocol):
    clock: Clock
    channel: grpc.aio.Channel
    stub: DeviceIngestStub


def now_us() -> int:
    return time.time_ns() // 1000


def frames(jpeg: bytes, *, bed: str = BED, count: int = 3, step: float = 4 / 30) -> list[pb.DeviceFrame]:
    begin = now_us() - int(count * step * 1e6)
    return [
        pb.DeviceFrame(
            bed=bed,
            source_us=begin + int(number * step * 1e6),
            format=pb.PIXEL_FORMAT_JPEG,
            data=jpeg,
            sequence=number + 1,
        )
        for number in range(count)
    ]


def sound(*, count: int, rate: int = 8_000, begin: int | None = None, first: int = 1) -> list[pb.DeviceAudio]:
    begin = now_us() - count * 100_000 if begin is None else begin
    return [
        pb.DeviceAudio(
            bed=BED,
            source_us=begin + (number - 1) * 100_000,
            sample_rate_hz=rate,
            pcm=bytes(rate // 5),
            sequence=number,
        )
        for number in range(first, first + count)
    ]


def beats(sequence: int, *intervals_ms: float, source_us: int | None = None) -> pb.DeviceVitals:
    values = [
        pb.DeviceVital(kind=vitals_pb2.VITAL_KIND_RR_INTERVAL, value=value, source_us=source_us)
        for value in intervals_ms
    ]
    return pb.DeviceVitals(bed=BED, values=values, sequence=sequence)


async def sent_live(
    door: Door, call: grpc.aio.StreamStreamCall[Message, pb.Receipt], messages: Sequence[Message]
) -> list[pb.Receipt]:
    """The receipts of messages that each arrive 5 ms after they end."""
    found = []
    for message in messages:
        length_us = 100_000 if isinstance(message, pb.DeviceAudio) else 0
        door.clock.moment = from_us(message.source_us + length_us + 5_000)
        await call.write(message)
        receipt = await call.read()
        assert isinstance(receipt, pb.Receipt)
        found.append(receipt)
    await call.done_writing()
    return found


async def receipts(call: AsyncIterable[pb.Receipt]) -> list[pb.Receipt]:
    return [receipt async for receipt in call]


def outcome(found: Sequence[pb.Receipt]) -> list[tuple[int, int, int]]:
    return [(one.sequence, one.accepted, one.refused) for one in found]


async def test_each_frame_gets_its_receipt_and_lies_on_the_media_server(door: Door, bus: Bus, jpeg: bytes) -> None:
    sent = frames(jpeg, bed=BED_WITH_BOX)
    found = await sent_live(door, door.stub.StreamFrames(), sent)
    stored = [decode_frame(entry.payload) for entry in await bus.read_range(FRAMES, bed=BED_WITH_BOX)]
    assert outcome(found) == [(1, 1, 0), (2, 1, 0), (3, 1, 0)]
    assert len(stored) == 3
    assert list(stored[0].crop[:3]) == pytest.approx([255, 0, 0], abs=3)
    assert stored[0].timing.quality is TimeQuality.SOURCE
    assert stored[0].timing.source is not None
    assert int(stored[0].timing.source.timestamp() * 1e6) == pytest.approx(sent[0].source_us, abs=1)


async def test_a_camera_of_30_fps_is_thinned_and_every_frame_still_gets_a_receipt(
    door: Door, bus: Bus, jpeg: bytes
) -> None:
    found = await sent_live(door, door.stub.StreamFrames(), frames(jpeg, count=30, step=1 / 30))
    assert sum(one.accepted for one in found) == 30
    assert len(await bus.read_range(FRAMES, bed=BED)) == 8


async def test_movement_of_the_wide_view_needs_no_face_box(door: Door, bus: Bus, jpeg: bytes) -> None:
    await sent_live(door, door.stub.StreamFrames(), frames(jpeg, count=9))
    stored = [decode_frame(entry.payload) for entry in await bus.read_range(FRAMES, bed=BED)]
    moved = [decode_movement(entry.payload) for entry in await bus.read_range(MOVEMENT, bed=BED)]
    assert {frame.absence for frame in stored} == {FaceAbsence.NO_FACE_BOX}
    assert [sample.energy for sample in moved] == [0.0, 0.0, 0.0, 0.0]


async def test_a_broken_jpeg_is_refused_in_its_receipt_and_the_stream_goes_on(
    door: Door, bus: Bus, jpeg: bytes
) -> None:
    sent = frames(jpeg)
    sent[1].data = jpeg[:200]
    found = await sent_live(door, door.stub.StreamFrames(), sent)
    assert outcome(found) == [(1, 1, 0), (2, 0, 1), (3, 1, 0)]
    assert found[1].refusal.startswith("data: the JPEG")
    assert len(await bus.read_range(FRAMES, bed=BED)) == 2


async def test_a_device_may_not_write_to_the_place_of_a_recording(door: Door, jpeg: bytes) -> None:
    found = await receipts(door.stub.StreamFrames(iter(frames(jpeg, bed="recording/1", count=1))))
    assert found[0].refusal == "bed: a device stands at a bed; places of recordings are not open to it"


async def test_sound_of_8_khz_lies_on_the_media_server_at_16_khz(door: Door, bus: Bus) -> None:
    found = await sent_live(door, door.stub.StreamAudio(), sound(count=5))
    chunks = [decode_audio(entry.payload) for entry in await bus.read_range(AUDIO, bed=BED)]
    assert [one.sequence for one in found] == [1, 2, 3, 4, 5]
    assert sum(len(chunk.pcm) // 2 for chunk in chunks) == pytest.approx(8_000, abs=40)


async def test_after_a_break_a_device_goes_on_and_what_it_sends_twice_is_there_once(door: Door, bus: Bus) -> None:
    begin = now_us() - 600_000
    await sent_live(door, door.stub.StreamAudio(), sound(count=4, rate=16_000, begin=begin))
    again = sound(count=4, rate=16_000, begin=begin, first=3)
    found = await sent_live(door, door.stub.StreamAudio(), again)
    chunks = [decode_audio(entry.payload) for entry in await bus.read_range(AUDIO, bed=BED)]
    times = [round((chunk.timing.aligned - chunks[0].timing.aligned).total_seconds(), 3) for chunk in chunks]
    assert [one.sequence for one in found] == [3, 4, 5, 6]
    assert times == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]


async def test_beats_are_on_the_durable_bus_when_their_receipt_comes(door: Door, bus: Bus) -> None:
    call = door.stub.StreamVitals(metadata=(("neopain-device", "ecg-7"), ("neopain-processing", "T")))
    await call.write(beats(41, 420.0, 431.0, source_us=now_us()))
    receipt = await call.read()
    stored = [decode_batch(entry.payload) for entry in await bus.read_range(VITALS, bed=BED)]
    await call.done_writing()
    assert isinstance(receipt, pb.Receipt)
    assert outcome([receipt]) == [(41, 1, 0)]
    assert [[sample.value for sample in batch.samples] for batch in stored] == [[420.0, 431.0]]
    assert (str(stored[0].source), stored[0].processing) == ("device:ecg-7", Processing.TRAINING)


async def test_vitals_that_are_sent_twice_are_stored_once(door: Door, bus: Bus) -> None:
    message = beats(1, 420.0, source_us=now_us())
    for _ in range(2):
        assert outcome(await receipts(door.stub.StreamVitals(iter([message])))) == [(1, 1, 0)]
    assert len(await bus.read_range(VITALS, bed=BED)) == 1


async def test_the_same_words_without_a_source_time_are_new_values(door: Door, bus: Bus) -> None:
    for _ in range(2):
        await receipts(door.stub.StreamVitals(iter([beats(1, 420.0)])))
    assert len(await bus.read_range(VITALS, bed=BED)) == 2


async def test_a_value_that_is_not_finite_is_refused(door: Door, bus: Bus) -> None:
    found = await receipts(door.stub.StreamVitals(iter([beats(1, float("inf")), beats(2, 420.0)])))
    assert outcome(found) == [(1, 0, 1), (2, 1, 0)]
    assert len(await bus.read_range(VITALS, bed=BED)) == 1


async def test_a_processing_id_that_hl7_does_not_know_ends_the_call(door: Door) -> None:
    call = door.stub.StreamVitals(iter([beats(1, 420.0)]), metadata=(("neopain-processing", "X"),))
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await receipts(call)
    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_without_a_bus_there_is_no_receipt_and_the_device_is_told_what_to_keep(
    door_without_bus: Door, jpeg: bytes
) -> None:
    stub = door_without_bus.stub
    for call in (
        stub.StreamFrames(iter(frames(jpeg, count=1))),
        stub.StreamVitals(iter([beats(1, 420.0, source_us=now_us())])),
        stub.StreamAudio(iter(sound(count=1, rate=16_000))),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await receipts(call)
        assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
        assert "keep from sequence 1 on and send it again" in str(failure.value.details())


async def test_the_standard_health_service_answers(door: Door) -> None:
    answer = await health_pb2_grpc.HealthStub(door.channel).Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_reflection_lists_the_device_api(door: Door) -> None:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    call = reflection_pb2_grpc.ServerReflectionStub(door.channel).ServerReflectionInfo(iter([request]))
    names = [one.name async for answer in call for one in answer.list_services_response.service]
    assert "neopain.wire.v1.DeviceIngest" in names


async def test_what_a_training_camera_and_microphone_send_is_marked_as_training(
    door: Door, bus: Bus, jpeg: bytes
) -> None:
    training = (("neopain-device", "sim"), ("neopain-processing", "T"))
    await sent_live(door, door.stub.StreamFrames(metadata=training), frames(jpeg))
    await sent_live(door, door.stub.StreamAudio(metadata=training), sound(count=3))

    crops = [decode_frame(one.payload) for one in await bus.read_range(FRAMES, bed=BED)]
    movements = [decode_movement(one.payload) for one in await bus.read_range(MOVEMENT, bed=BED)]
    chunks = [decode_audio(one.payload) for one in await bus.read_range(AUDIO, bed=BED)]
    assert crops
    assert movements
    assert chunks
    assert {one.processing for one in (*crops, *movements, *chunks)} == {Processing.TRAINING}


async def test_a_device_that_is_put_to_production_is_believed_from_then_on(door: Door, bus: Bus, jpeg: bytes) -> None:
    for code in ("T", "P"):
        metadata = (("neopain-device", "cam"), ("neopain-processing", code))
        await sent_live(door, door.stub.StreamFrames(metadata=metadata), frames(jpeg, count=1))

    crops = [decode_frame(one.payload) for one in await bus.read_range(FRAMES, bed=BED)]
    assert [one.processing for one in crops] == [Processing.TRAINING, Processing.PRODUCTION]
