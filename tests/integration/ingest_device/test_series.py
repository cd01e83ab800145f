"""Series over the wire: greeting, going on after a break, gaps, and anything at all as a message."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neopain.bus.bus import Bus
from neopain.bus.streams import AUDIO, VITALS
from neopain.domain.identity import BedId
from neopain.wire.common import to_us
from neopain.wire.v1 import device_pb2 as pb
from neopain.wire.v1 import vitals_pb2
from neopain.wire.v1.device_pb2_grpc import DeviceIngestStub
from neopain.wire.vitals import decode_batch

BED = BedId("NICU/1/1")
SERIES = (("neopain-device", "gw"), ("neopain-series", "a"))


class Door(Protocol):
    stub: DeviceIngestStub


def vitals(sequence: int, value: float = 430.0, **fields: int) -> pb.DeviceVitals:
    one = pb.DeviceVital(kind=vitals_pb2.VITAL_KIND_RR_INTERVAL, value=value)
    return pb.DeviceVitals(bed=BED, values=[one], sequence=sequence, **fields)  # type: ignore[arg-type]


async def told(door: Door, *messages: pb.DeviceVitals) -> list[tuple[int, int, int]]:
    call = door.stub.StreamVitals(iter(messages), metadata=SERIES)
    return [(one.sequence, one.accepted, one.refused) async for one in call]


async def stored(bus: Bus) -> list[str]:
    return [decode_batch(one.payload).control_id for one in await bus.read_range(VITALS, bed=BED)]


async def test_a_device_learns_first_what_is_kept_and_nothing_is_doubled(door: Door, bus: Bus) -> None:
    assert await told(door, vitals(1), vitals(2)) == [(0, 0, 0), (1, 1, 0), (2, 1, 0)]
    assert await told(door, vitals(2), vitals(3)) == [(2, 0, 0), (2, 1, 0), (3, 1, 0)]
    assert await stored(bus) == ["1", "2", "3"]


async def test_a_refused_message_leaves_no_gap_and_its_receipt_names_the_field(door: Door, bus: Bus) -> None:
    call = door.stub.StreamVitals(iter([vitals(1), vitals(2, float("nan")), vitals(3)]), metadata=SERIES)
    found = [one async for one in call]
    assert [(one.sequence, one.field) for one in found[1:]] == [(1, ""), (2, "values[0].value"), (3, "")]
    assert await stored(bus) == ["1", "3"]


async def test_vitals_that_are_missing_unsaid_end_the_call(door: Door, bus: Bus) -> None:
    await told(door, vitals(1))
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await told(door, vitals(4))
    assert failure.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "send from 2 on" in str(failure.value.details())
    await told(door, vitals(4, given_up=2))
    assert await stored(bus) == ["1", "4"]


async def test_numbers_that_fall_end_the_call(door: Door) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await told(door, vitals(2), vitals(1))
    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_sound_that_is_kept_is_not_taken_again(door: Door, bus: Bus) -> None:
    def chunk(number: int) -> pb.DeviceAudio:
        return pb.DeviceAudio(bed=BED, sample_rate_hz=16_000, pcm=bytes(3200), sequence=number)

    for numbers in ((1, 2), (2, 3)):
        messages = iter([chunk(number) for number in numbers])
        async for _ in door.stub.StreamAudio(messages, metadata=SERIES):
            pass
    assert len(await bus.read_range(AUDIO, bed=BED)) == 3


async def test_a_late_message_is_placed_by_when_it_was_measured(door: Door, bus: Bus) -> None:
    now = to_us(datetime.now(UTC))
    message = vitals(1, sent_us=now)
    message.values[0].source_us = now - 600_000_000
    await told(door, message)
    (batch,) = [decode_batch(one.payload) for one in await bus.read_range(VITALS, bed=BED)]
    timing = batch.samples[0].timing
    assert (timing.received - timing.aligned).total_seconds() == pytest.approx(600, abs=1)


async def test_streams_above_the_limit_are_sent_away(narrow_door: Door) -> None:
    first = narrow_door.stub.StreamVitals(metadata=SERIES)
    await first.read()
    assert await narrow_door.stub.StreamVitals(metadata=SERIES).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    await first.done_writing()
    assert await first.code() is grpc.StatusCode.OK
    assert await code_of(narrow_door.stub.StreamVitals(iter([vitals(1)]))) is grpc.StatusCode.OK


async def test_a_silent_stream_is_ended(impatient_door: Door) -> None:
    silent = impatient_door.stub.StreamVitals(metadata=SERIES)
    await silent.read()
    assert await silent.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_message_above_the_limit_ends_its_call_alone(narrow_door: Door) -> None:
    large = pb.DeviceFrame(bed=BED, format=pb.PIXEL_FORMAT_JPEG, data=bytes(70_000), sequence=1)
    assert await code_of(narrow_door.stub.StreamFrames(iter([large]))) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await code_of(narrow_door.stub.StreamVitals(iter([vitals(1)]))) is grpc.StatusCode.OK


# Mostly right in all fields but one, so that what is wrong is reached; edges are named.
NOW_US = to_us(datetime.now(UTC))
us = (
    st.none()
    | st.sampled_from([NOW_US, NOW_US, 0, -1, 2**63 - 1, -(2**63), 253_402_300_799_999_999])
    | st.integers(-(2**63), 2**63 - 1)
)
numbers = st.sampled_from([1, 2, 3, 0, 2**53, 2**64 - 1])
ints = st.sampled_from([0, 1, 8, -1, 2**31 - 1, -(2**31)])
beds = st.sampled_from([BED, BED, BED, BED, "recording/1", ""]) | st.text(max_size=8)
value = st.builds(
    pb.DeviceVital,
    kind=st.sampled_from([1, 2, 3, 8, 0, 9]),
    value=st.sampled_from([140.0, 1e300, -1.0, 5e-324]) | st.floats(),
    source_us=us,
    validity=st.sampled_from([0, 1, 3, 4]),
)
any_vitals = st.builds(
    pb.DeviceVitals, bed=beds, values=st.lists(value, max_size=3), sequence=numbers, sent_us=us, given_up=numbers
)
any_audio = st.builds(
    pb.DeviceAudio,
    bed=beds,
    source_us=us,
    sample_rate_hz=st.sampled_from([8000, 16000, 44100]) | ints,
    pcm=st.sampled_from([bytes(64), bytes(2), b""]) | st.binary(max_size=64),
    sequence=numbers,
    sent_us=us,
)
any_frame = st.builds(
    pb.DeviceFrame,
    bed=beds,
    source_us=us,
    format=st.sampled_from([1, 2, 0, 3]),
    width=st.just(8) | ints,
    height=st.just(8) | ints,
    data=st.just(bytes(192)) | st.binary(max_size=32).map(lambda rest: b"\xff\xd8\xff" + rest),
    face=st.none() | st.builds(pb.FaceBox, x=ints, y=ints, width=ints, height=ints),
    sequence=numbers,
    sent_us=us,
)
EXPECTED = {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION}


async def code_of(call: grpc.aio.StreamStreamCall[object, pb.Receipt]) -> grpc.StatusCode:
    try:
        async for _ in call:
            pass
    except grpc.aio.AioRpcError:
        pass
    return await call.code()


async def is_cut_off(call: grpc.aio.StreamStreamCall[object, pb.Receipt]) -> bool:
    """Whether the call ended under a write of grpcio's own client, which then loses what the server said."""
    await code_of(call)
    return await call.details() == "Internal error from Core"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(any_vitals, max_size=3), st.lists(any_audio, max_size=3), st.lists(any_frame, max_size=3), st.booleans()
)
def test_no_message_makes_the_server_fail(
    open_door: tuple[Door, asyncio.AbstractEventLoop],
    some_vitals: Sequence[pb.DeviceVitals],
    sound: Sequence[pb.DeviceAudio],
    frames: Sequence[pb.DeviceFrame],
    numbered: bool,
) -> None:
    door, loop = open_door
    metadata = SERIES if numbered else ()

    async def codes() -> set[grpc.StatusCode]:
        calls = (
            door.stub.StreamVitals(iter(some_vitals), metadata=metadata),
            door.stub.StreamAudio(iter(sound), metadata=metadata),
            door.stub.StreamFrames(iter(frames), metadata=metadata),
        )
        return {await code_of(call) for call in calls if not await is_cut_off(call)}

    assert loop.run_until_complete(codes()) <= EXPECTED
