"""The three streams of ``DeviceIngest``: what is done with a message of each."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Generic, TypeVar

from neopain.domain.identity import BedId
from neopain.domain.media import FaceBox
from neopain.errors import BusUnavailable, MalformedMessage
from neopain.ingest.device.call import Call, Calls, Context
from neopain.ingest.device.intake import FrameIntake, SoundIntake, VitalsIntake
from neopain.ingest.device.outlet import Outlet
from neopain.ingest.device.sender import Sender
from neopain.runtime.clock import Clock
from neopain.runtime.metrics import counter
from neopain.wire.v1 import device_pb2 as pb
from neopain.wire.v1 import device_pb2_grpc

Intake = TypeVar("Intake")

MOST_INTAKES = 512
"""So many devices at beds are remembered by each stream; the longest unheard goes first."""


class DeviceIngestServicer(device_pb2_grpc.DeviceIngestServicer):
    """Takes what devices send. A receipt goes out only when the message is on its server, or is refused for good."""

    def __init__(self, calls: Calls, outlet: Outlet, clock: Clock, face_boxes: Mapping[BedId, FaceBox]) -> None:
        self.calls = calls
        self.outlet = outlet
        self.clock = clock
        self.cameras = _Kept(lambda bed, sender: FrameIntake(bed, sender, face_boxes.get(bed)))
        self.microphones = _Kept(SoundIntake)
        self.monitors = _Kept(lambda bed, sender: VitalsIntake(bed, sender.source))

    async def StreamFrames(  # noqa: N802 - the name is the contract's
        self, request_iterator: AsyncIterator[pb.DeviceFrame], context: Context
    ) -> AsyncIterator[pb.Receipt]:
        """Frames of the wide view, with a face box or without."""
        async for receipt in self.calls.receipts("frames", request_iterator, context, self._take_frame):
            yield receipt

    async def StreamAudio(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.DeviceAudio], context: Context
    ) -> AsyncIterator[pb.Receipt]:
        """Sound, mono, in chunks of any length up to a minute."""
        async for receipt in self.calls.receipts("audio", request_iterator, context, self._take_sound):
            yield receipt

    async def StreamVitals(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.DeviceVitals], context: Context
    ) -> AsyncIterator[pb.Receipt]:
        """Numbers and beat-to-beat intervals."""
        async for receipt in self.calls.receipts("vitals", request_iterator, context, self._take_vitals):
            yield receipt

    async def _take_frame(self, message: pb.DeviceFrame, call: Call) -> None:
        async with self.cameras.at(call.bed(message), call.sender) as intake:
            timing = intake.time(message, self.clock.now())
            if not intake.track.wants(timing):
                counter("ingest_frames_total").labels("thinned").inc()
                return
            try:
                # Decoding takes milliseconds and lets go of the interpreter: other cameras go on meanwhile.
                await self.outlet.frame(await asyncio.to_thread(intake.take, message, timing), call)
            except MalformedMessage:
                counter("ingest_frames_total").labels("refused").inc()
                raise
            except BusUnavailable:
                intake.track.restart()
                raise

    async def _take_sound(self, message: pb.DeviceAudio, call: Call) -> None:
        async with self.microphones.at(call.bed(message), call.sender) as intake:
            try:
                await self.outlet.sound(intake.take(message, self.clock.now()), call)
            except BusUnavailable:
                intake.track.restart()
                raise
            intake.remember(message)

    async def _take_vitals(self, message: pb.DeviceVitals, call: Call) -> None:
        async with self.monitors.at(call.bed(message), call.sender) as intake:
            batch = intake.take(message, self.clock.now(), call.sender.processing)
            await self.outlet.vitals(batch, message, call)


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
