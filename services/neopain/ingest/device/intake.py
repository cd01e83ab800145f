"""What one device sends for one bed: messages in, domain values out. No socket, no bus."""

from __future__ import annotations

import math
from collections import deque
from datetime import datetime, timedelta

from neopain.domain.identity import BedId, SourceId
from neopain.domain.media import AudioChunk, FaceBox
from neopain.domain.time import Timing
from neopain.domain.vitals import Processing, VitalSample, VitalsBatch
from neopain.errors import MalformedMessage
from neopain.features.face import Picture
from neopain.ingest.device.clock import DeviceClock
from neopain.ingest.device.sender import Sender
from neopain.ingest.media.camera import CameraTrack, Seen
from neopain.ingest.media.picture import picture_from_jpeg, picture_from_rgb
from neopain.ingest.media.sound import SoundTrack, frame_of_pcm
from neopain.wire.v1 import device_pb2 as pb
from neopain.wire.v1 import vitals_pb2
from neopain.wire.vitals import KIND_BACK, VALIDITY_BACK

LOWEST_RATE_HZ = 8_000
HIGHEST_RATE_HZ = 48_000
LONGEST_SOUND_SECONDS = 60.0
MOST_VALUES = 4_096
RECENT = 256
"""So many chunks of sound are remembered, to know one that is sent again after a break."""


class FrameIntake:
    """One camera host at one bed. ``box`` is the site's, for frames that bring none."""

    def __init__(self, bed: BedId, sender: Sender, box: FaceBox | None) -> None:
        self.track = CameraTrack(bed, sender.source, sender.processing)
        self.clock = DeviceClock()
        self.box = box

    def time(self, message: pb.DeviceFrame, received: datetime) -> Timing:
        """The frame's times; ``MalformedMessage`` when it gives one that no calendar has."""
        return self.clock.align(received=received, source_us=_source_us(message), sent_us=_sent_us(message))

    def take(self, message: pb.DeviceFrame, timing: Timing) -> Seen:
        """What the frame gives. ``MalformedMessage`` for an unreadable one, which leaves its place to the next."""
        return self.track.take(picture_of(message), timing, box_of(message) or self.box)


class SoundIntake:
    """One microphone at one bed."""

    def __init__(self, bed: BedId, sender: Sender) -> None:
        self.track = SoundTrack(bed, sender.source, sender.processing)
        self.clock = DeviceClock()
        self.recent: deque[tuple[int, int]] = deque(maxlen=RECENT)

    def take(self, message: pb.DeviceAudio, received: datetime) -> list[AudioChunk]:
        """The sound at 16 kHz that is ready now; nothing for a chunk that was taken before (same sequence number and
        source time). ``MalformedMessage`` for one that is no sound."""
        _check_sound(message)
        source_us = _source_us(message)
        if source_us is not None and (message.sequence, source_us) in self.recent:
            return []
        length = timedelta(seconds=len(message.pcm) / 2 / message.sample_rate_hz)
        sent_us = _sent_us(message)
        timing = self.clock.align(received=received, source_us=source_us, length=length, sent_us=sent_us)
        return self.track.take(frame_of_pcm(message.pcm, rate_hz=message.sample_rate_hz), timing)

    def remember(self, message: pb.DeviceAudio) -> None:
        """Says that the chunk is safely on its server."""
        if message.HasField("source_us"):
            self.recent.append((message.sequence, message.source_us))


class VitalsIntake:
    """One monitor or gateway at one bed."""

    def __init__(self, bed: BedId, source: SourceId) -> None:
        self.bed = bed
        self.source = source
        self.clock = DeviceClock()

    def take(self, message: pb.DeviceVitals, received: datetime, processing: Processing) -> VitalsBatch:
        """The message's values; ``MalformedMessage`` names the first one that breaks a rule: none is taken then."""
        if not message.values:
            raise MalformedMessage("values", "a message without a value")
        if len(message.values) > MOST_VALUES:
            raise MalformedMessage("values", f"{len(message.values)} values, at most {MOST_VALUES} are taken at once")
        sent_us = _sent_us(message)
        samples = tuple(self._sample(value, index, received, sent_us) for index, value in enumerate(message.values))
        return VitalsBatch(self.bed, self.source, samples, processing, control_id=str(message.sequence))

    def _sample(self, value: pb.DeviceVital, index: int, received: datetime, sent_us: int | None) -> VitalSample:
        if value.kind not in KIND_BACK:
            raise MalformedMessage(f"values[{index}].kind", f"{value.kind} is no kind of this version")
        if not math.isfinite(value.value):
            raise MalformedMessage(f"values[{index}].value", f"{value.value} is not finite: leave a missing value out")
        if value.validity not in VALIDITY_BACK and value.validity != vitals_pb2.VALIDITY_UNSPECIFIED:
            raise MalformedMessage(f"values[{index}].validity", f"{value.validity} is no validity of this version")
        source_us = value.source_us if value.HasField("source_us") else None
        timing = self.clock.align(received=received, source_us=source_us, sent_us=sent_us)
        validity = VALIDITY_BACK.get(value.validity, VALIDITY_BACK[vitals_pb2.VALIDITY_GOOD])
        return VitalSample(KIND_BACK[value.kind], value.value, timing, validity)


def picture_of(message: pb.DeviceFrame) -> Picture:
    """The frame's picture, RGB; ``MalformedMessage`` when it cannot be read."""
    match message.format:
        case pb.PIXEL_FORMAT_JPEG:
            return picture_from_jpeg(message.data)
        case pb.PIXEL_FORMAT_RGB24:
            return picture_from_rgb(message.data, width=message.width, height=message.height)
        case unknown:
            raise MalformedMessage("format", f"{unknown} is no pixel format of this version: send JPEG or RGB24")


def box_of(message: pb.DeviceFrame) -> FaceBox | None:
    """The face box that came with the frame, if one did."""
    if not message.HasField("face"):
        return None
    return FaceBox(message.face.x, message.face.y, message.face.width, message.face.height)


def _check_sound(message: pb.DeviceAudio) -> None:
    if not LOWEST_RATE_HZ <= message.sample_rate_hz <= HIGHEST_RATE_HZ:
        rule = f"{message.sample_rate_hz} Hz, expected {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ}"
        raise MalformedMessage("sample_rate_hz", rule)
    if not message.pcm or len(message.pcm) % 2:
        raise MalformedMessage("pcm", f"{len(message.pcm)} bytes are no int16 samples")
    if len(message.pcm) / 2 / message.sample_rate_hz > LONGEST_SOUND_SECONDS:
        raise MalformedMessage(
            "pcm", f"more than {LONGEST_SOUND_SECONDS:g} s of sound in one message: send less at once"
        )


def _sent_us(message: pb.DeviceFrame | pb.DeviceAudio | pb.DeviceVitals) -> int | None:
    return message.sent_us if message.HasField("sent_us") else None


def _source_us(message: pb.DeviceFrame | pb.DeviceAudio) -> int | None:
    return message.source_us if message.HasField("source_us") else None
