"""What one camera sends for its bed: decoded frames in, domain values out. No socket, no bus."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

import av
import numpy as np

from neopain.domain.media import AudioChunk, CameraRole, FaceAbsence, FaceBox, FaceFrame, MovementSample
from neopain.features.face import Picture
from neopain.features.liveness import PictureWatch
from neopain.ingest.camera.clock import StreamClock
from neopain.ingest.camera.settings import CameraSettings
from neopain.ingest.camera.source import Arrived
from neopain.ingest.media.camera import CameraTrack
from neopain.ingest.media.gathering import SoundGathering
from neopain.ingest.media.level import LevelMeter
from neopain.ingest.media.sound import SoundTrack

Fact = FaceFrame | MovementSample | AudioChunk


class FaceLocator(Protocol):
    """Says where the face is."""

    def locate(self, picture: Picture, moment: datetime) -> FaceBox | FaceAbsence:
        """Where it is in the picture of that moment, or why that cannot be said."""


class CameraIntake:
    """One camera at one bed, over all its connections."""

    def __init__(self, camera: CameraSettings, face: FaceLocator | None, *, frozen_seconds: float) -> None:
        self.camera = camera
        self.face = face if camera.role in (CameraRole.FACE, CameraRole.BOTH) else None
        self.pictures = CameraTrack(camera.bed_id, camera.source, camera.processing, camera.role, judges_crops=True)
        self.sound = SoundTrack(camera.bed_id, camera.source, camera.processing)
        self.watch = PictureWatch(frozen_seconds)
        self.condition: FaceAbsence | None = None
        """Why the last picture showed nothing of the bed; None when it did."""
        self.lag_seconds = 0.0
        """How much later than the quickest ones the last frame arrived."""
        self.meter = LevelMeter()
        self._gathering = SoundGathering()
        self.reconnect()

    def reconnect(self) -> None:
        """A new connection has a new clock; what lies in the bed goes on."""
        self._picture_clock = StreamClock(self.camera.trust_clock)
        self._sound_clock = StreamClock(self.camera.trust_clock)
        self.sound.restart()

    def take(self, arrived: Arrived) -> list[Fact]:
        """What a frame gives. ``CameraUnavailable`` when the camera's clock jumped: reconnect."""
        if isinstance(arrived.frame, av.AudioFrame):
            return [*self._heard(arrived, arrived.frame)]
        return self._seen(arrived, arrived.frame)

    def _seen(self, arrived: Arrived, frame: av.VideoFrame) -> list[Fact]:
        timing = self._picture_clock.align(arrived)
        self.lag_seconds = self._picture_clock.lag.total_seconds() if timing else 0.0
        if timing is None or not self.pictures.wants(timing):
            return []
        picture = picture_of(frame)
        self.condition = self.watch.judge(picture, timing.aligned)
        face = self.face.locate(picture, timing.aligned) if self.face and self.condition is None else None
        seen = self.pictures.take(picture, timing, face, unusable=self.condition)
        return [fact for fact in (seen.frame, seen.movement) if fact is not None]

    def _heard(self, arrived: Arrived, frame: av.AudioFrame) -> list[AudioChunk]:
        length = timedelta(seconds=frame.samples / frame.sample_rate)
        timing = self._sound_clock.align(arrived, length=length)
        if timing is None:
            return []
        self.meter.hear(frame)
        return [ready for chunk in self.sound.take(frame, timing) for ready in self._gathering.add(chunk)]


def picture_of(frame: av.VideoFrame) -> Picture:
    """The frame as RGB, as the camera sends it."""
    return np.ascontiguousarray(frame.to_ndarray(format="rgb24"), np.uint8)
