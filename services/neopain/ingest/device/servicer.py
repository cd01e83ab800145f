"""The three streams of ``DeviceIngest``: each message onto its server, then its receipt."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

import grpc

from neopain.bus.bus import Bus
from neopain.bus.streams import VITALS
from neopain.domain.identity import BedId
from neopain.domain.media import FaceBox
from neopain.errors import BusUnavailable, MalformedMessage
from neopain.ingest.device.clock import device_bed
from neopain.ingest.device.intake import FrameIntake, SoundIntake, VitalsIntake
from neopain.ingest.device.sender import Sender, sender_of
from neopain.ingest.media.camera import Seen
from neopain.ingest.media.publishing import publish_audio, publish_frame, publish_movement
from neopain.runtime.clock import Clock
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter
from neopain.wire.v1 import device_pb2 as pb
from neopain.wire.v1 import device_pb2_grpc
from neopain.wire.vitals import encode_batch

LOG = Log(__name__)

Message = TypeVar("Message", pb.DeviceFrame, pb.DeviceAudio, pb.DeviceVitals)
Intake = TypeVar("Intake")
Context = grpc.aio.ServicerContext[Any, pb.Receipt]

MOST_INTAKES = 512
"""So many devices at beds are remembered by each stream; the longest unheard goes first."""


class DeviceIngestServicer(device_pb2_grpc.DeviceIngestServicer):
    """Takes what devices send. A receipt goes out only when the message is on its server, or is refused for good."""

    def __init__(self, bus: Bus, clock: Clock, face_boxes: Mapping[BedId, FaceBox]) -> None:
        self.bus = bus
        self.clock = clock
        self.cameras = _Kept(lambda bed, sender: FrameIntake(bed, sender, face_boxes.get(bed)))
        self.microphones = _Kept(SoundIntake)
        self.monitors = _Kept(lambda bed, sender: VitalsIntake(bed, sender.source))

    async def StreamFrames(  # noqa: N802 - the name is the contract's
        self, request_iterator: AsyncIterator[pb.DeviceFrame], context: Context
    ) -> AsyncIterator[pb.Receipt]:
        """Frames of the wide view, with a face box or without."""
        async for receipt in _receipts("frames", request_iterator, context, self._take_frame):
            yield receipt

    async def StreamAudio(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.DeviceAudio], context: Context
    ) -> AsyncIterator[pb.Receipt]:
        """Sound, mono, in chunks of any length up to a minute."""
        async for receipt in _receipts("audio", request_iterator, context, self._take_sound):
            yield receipt

    async def StreamVitals(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.DeviceVitals], context: Context
    ) -> AsyncIterator[pb.Receipt]:
        """Numbers and beat-to-beat intervals."""
        async for receipt in _receipts("vitals", request_iterator, context, self._take_vitals):
            yield receipt

    async def _take_frame(self, message: pb.DeviceFrame, sender: Sender) -> None:
        async with self.cameras.at(device_bed(message.bed), sender) as intake:
            timing = intake.time(message, self.clock.now())
            if not intake.track.wants(timing):
                counter("ingest_frames_total").labels("thinned").inc()
                return
            try:
                # Decoding takes milliseconds and lets go of the interpreter: other cameras go on meanwhile.
                await self._publish_seen(await asyncio.to_thread(intake.take, message, timing))
            except MalformedMessage:
                counter("ingest_frames_total").labels("refused").inc()
                raise
            except BusUnavailable:
                intake.track.restart()
                raise

    async def _publish_seen(self, seen: Seen) -> None:
        if seen.frame is not None:
            await publish_frame(self.bus, seen.frame)
        if seen.movement is not None:
            await publish_movement(self.bus, seen.movement)

    async def _take_sound(self, message: pb.DeviceAudio, sender: Sender) -> None:
        async with self.microphones.at(device_bed(message.bed), sender) as intake:
            try:
                for chunk in intake.take(message, self.clock.now()):
                    await publish_audio(self.bus, chunk)
            except BusUnavailable:
                intake.track.restart()
                raise
            intake.remember(message)

    async def _take_vitals(self, message: pb.DeviceVitals, sender: Sender) -> None:
        async with self.monitors.at(device_bed(message.bed), sender) as intake:
            batch = intake.take(message, self.clock.now(), sender.processing)
            payload, mark = encode_batch(batch), vitals_mark(message, sender)
            if mark is None:
                await self.bus.publish(VITALS, payload, bed=batch.bed)
            elif not (await self.bus.publish_once(VITALS, payload, mark=mark, bed=batch.bed)).is_new:
                counter("ingest_duplicates_total").inc()
                return
            counter("ingest_samples_total").inc(len(batch.samples))


def vitals_mark(message: pb.DeviceVitals, sender: Sender) -> str | None:
    """What a message is known by when it is sent again: its device and all that it says.

    None for a message without source times: after a restart of its device the same words can be new values.
    """
    if not all(value.HasField("source_us") for value in message.values):
        return None
    said = message.SerializeToString(deterministic=True)
    return f"{sender.source}:{hashlib.sha256(said).hexdigest()[:32]}"


async def _receipts(
    stream: str,
    messages: AsyncIterator[Message],
    context: Context,
    take: Callable[[Message, Sender], Awaitable[None]],
) -> AsyncIterator[pb.Receipt]:
    answers = counter("ingest_device_messages_total")
    try:
        sender = sender_of(context)
    except MalformedMessage as error:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
    async for message in messages:
        try:
            await take(message, sender)
        except MalformedMessage as error:
            LOG.warning("device_message_refused", source=sender.source, sequence=message.sequence, why=error)
            answers.labels(stream, "refused").inc()
            yield pb.Receipt(sequence=message.sequence, refused=1, refusal=str(error))
        except BusUnavailable as error:
            LOG.warning("bus_unavailable", source=sender.source, sequence=message.sequence, why=error)
            answers.labels(stream, "unavailable").inc()
            await context.abort(_status(error), f"{error}; keep from sequence {message.sequence} on and send it again")
        else:
            answers.labels(stream, "accepted").inc()
            yield pb.Receipt(sequence=message.sequence, accepted=1)


def _status(error: BusUnavailable) -> grpc.StatusCode:
    is_full = "maxmemory" in str(error)
    return grpc.StatusCode.RESOURCE_EXHAUSTED if is_full else grpc.StatusCode.UNAVAILABLE


class _Kept(Generic[Intake]):
    """The intakes of one stream by device and bed, kept over reconnections, one message at a time in each."""

    def __init__(self, make: Callable[[BedId, Sender], Intake]) -> None:
        self._make = make
        self._kept: OrderedDict[tuple[BedId, Sender], tuple[asyncio.Lock, Intake]] = OrderedDict()

    def at(self, bed: BedId, sender: Sender) -> _Turn[Intake]:
        """The intake of that device at that bed, as a context in which nobody else has it."""
        key = (bed, sender)
        if key not in self._kept:
            self._kept[key] = (asyncio.Lock(), self._make(bed, sender))
        self._kept.move_to_end(key)
        while len(self._kept) > MOST_INTAKES:
            self._kept.popitem(last=False)
        return _Turn(*self._kept[key])


class _Turn(Generic[Intake]):
    def __init__(self, lock: asyncio.Lock, intake: Intake) -> None:
        self._lock = lock
        self._intake = intake

    async def __aenter__(self) -> Intake:
        await self._lock.acquire()
        return self._intake

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()
