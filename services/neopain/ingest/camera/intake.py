"""What one camera sends for its bed: decoded frames in, domain values out. No socket, no bus."""

from __future__ import annotations

from datetime import timedelta

import av
import numpy as np

from neopain.domain.media import AudioChunk, FaceAbsence, FaceBox, FaceFrame, MovementSample
from neopain.features.face import Picture
from neopain.features.liveness import PictureWatch
from neopain.ingest.camera.clock import StreamClock
from neopain.ingest.camera.settings import CameraSettings
from neopain.ingest.camera.source import Arrived
from neopain.ingest.media.camera import CameraTrack
from neopain.ingest.media.sound import SoundTrack

Fact = FaceFrame | MovementSample | AudioChunk

SAME_SHAPE = 0.02
"""Two pictures whose proportions differ by less than this show the same view in another size."""


class CameraIntake:
    """One camera at one bed, over all its connections."""

    def __init__(self, camera: CameraSettings, *, frozen_seconds: float) -> None:
        self.camera = camera
        self.pictures = CameraTrack(camera.bed_id, camera.source, camera.processing, camera.role)
        self.sound = SoundTrack(camera.bed_id, camera.source, camera.processing)
        self.watch = PictureWatch(frozen_seconds)
        self.condition: FaceAbsence | None = None
        """Why the last picture showed nothing of the bed; None when it did."""
        self.lag_seconds = 0.0
        """How much later than the quickest ones the last frame arrived."""
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
        self.lag_seconds = (timing.received - timing.aligned).total_seconds() if timing else 0.0
        if timing is None or not self.pictures.wants(timing):
            return []
        picture = picture_of(frame)
        self.condition = self.watch.judge(picture, timing.aligned)
        seen = self.pictures.take(picture, timing, site_box(self.camera, picture), unusable=self.condition)
        return [fact for fact in (seen.frame, seen.movement) if fact is not None]

    def _heard(self, arrived: Arrived, frame: av.AudioFrame) -> list[AudioChunk]:
        length = timedelta(seconds=frame.samples / frame.sample_rate)
        timing = self._sound_clock.align(arrived, length=length)
        return self.sound.take(frame, timing) if timing is not None else []


def site_box(camera: CameraSettings, picture: Picture) -> FaceBox | FaceAbsence | None:
    """The site's box in pixels of this picture, or why it does not fit.

    A camera that was set to another size still shows the same view: the box is scaled. One that sends another shape
    (turned, cropped) does not: the box might now lie on something else.
    """
    if camera.box is None or camera.face_box_of is None:
        return None
    (height, width), (box_width, box_height) = picture.shape[:2], camera.face_box_of
    scale_x, scale_y = width / box_width, height / box_height
    if abs(scale_x / scale_y - 1) > SAME_SHAPE:
        return FaceAbsence.OTHER_FRAME
    box = camera.box
    return FaceBox(
        round(box.x * scale_x), round(box.y * scale_y), round(box.width * scale_x), round(box.height * scale_y)
    )


def picture_of(frame: av.VideoFrame) -> Picture:
    """The frame as RGB, as the camera sends it."""
    return np.ascontiguousarray(frame.to_ndarray(format="rgb24"), np.uint8)
