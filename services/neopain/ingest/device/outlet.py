"""What one message gave, onto its server: by its number in a series, or as earlier devices do, by what it says."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from neopain.bus.series import SeriesPublisher
from neopain.bus.streams import AUDIO, FRAMES, MOVEMENT, VITALS, StreamSpec
from neopain.domain.identity import BedId
from neopain.domain.media import AudioChunk
from neopain.domain.vitals import VitalsBatch
from neopain.ingest.device.call import Call
from neopain.ingest.device.sender import Sender
from neopain.ingest.media.camera import Seen
from neopain.ingest.media.publishing import (
    count_audio,
    count_frame,
    publish_audio,
    publish_frame,
    publish_movement,
)
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter
from neopain.wire.media import encode_audio, encode_frame, encode_movement
from neopain.wire.v1 import device_pb2 as pb
from neopain.wire.vitals import encode_batch

LOG = Log(__name__)


class Outlet:
    """Publishes what messages gave. Every method raises ``BusUnavailable`` when that fails."""

    def __init__(self, publisher: SeriesPublisher) -> None:
        self.publisher = publisher
        self.bus = publisher.bus

    async def frame(self, seen: Seen, call: Call) -> None:
        """A picture's face crop and movement, those that it gave."""
        if not call.series:
            if seen.frame is not None:
                await publish_frame(self.bus, seen.frame)
            if seen.movement is not None:
                await publish_movement(self.bus, seen.movement)
            return
        entries = []
        if seen.frame is not None:
            entries.append((FRAMES, encode_frame(seen.frame)))
        if seen.movement is not None:
            entries.append((MOVEMENT, encode_movement(seen.movement)))
        given = seen.frame or seen.movement
        if given is not None and await self._numbered(entries, call, given.bed) and seen.frame is not None:
            count_frame(seen.frame)

    async def sound(self, chunks: Sequence[AudioChunk], call: Call) -> None:
        """The pieces of sound that one message made ready."""
        if not call.series:
            for chunk in chunks:
                await publish_audio(self.bus, chunk)
        elif chunks and await self._numbered([(AUDIO, encode_audio(one)) for one in chunks], call, chunks[0].bed):
            for chunk in chunks:
                count_audio(chunk)

    async def vitals(self, batch: VitalsBatch, message: pb.DeviceVitals, call: Call) -> None:
        """One message of vitals; ``OutOfOrder`` when some before it are missing."""
        if not await self._is_new(batch, message, call):
            counter("ingest_duplicates_total").inc()
            return
        counter("ingest_samples_total").inc(len(batch.samples))
        if message.given_up:
            counter("ingest_device_given_up_total").inc(message.given_up)
            LOG.warning("device_gave_up", source=call.sender.source, count=message.given_up, before=message.sequence)

    async def _is_new(self, batch: VitalsBatch, message: pb.DeviceVitals, call: Call) -> bool:
        payload, number = encode_batch(batch), call.number()
        if number is not None:
            is_new = await self.publisher.publish(VITALS, payload, bed=batch.bed, number=number)
            call.stored()
            return is_new
        mark = vitals_mark(message, call.sender)
        if mark is None:
            await self.bus.publish(VITALS, payload, bed=batch.bed)
            return True
        return (await self.bus.publish_once(VITALS, payload, mark=mark, bed=batch.bed)).is_new

    async def _numbered(self, entries: Sequence[tuple[StreamSpec, bytes]], call: Call, bed: BedId) -> bool:
        is_new = await self.publisher.publish_media(entries, bed=bed, series=call.series, sequence=call.last)
        if not is_new:
            counter("ingest_duplicates_total").inc()
        return is_new


def vitals_mark(message: pb.DeviceVitals, sender: Sender) -> str | None:
    """What a message without a series is known by when it is sent again: its device and all that it says.

    None for a message without source times: after a restart of its device the same words can be new values.
    """
    if not all(value.HasField("source_us") for value in message.values):
        return None
    said = pb.DeviceVitals()
    said.CopyFrom(message)
    said.ClearField("sent_us")
    digest = hashlib.sha256(said.SerializeToString(deterministic=True)).hexdigest()
    return f"{sender.source}:{digest[:32]}"
