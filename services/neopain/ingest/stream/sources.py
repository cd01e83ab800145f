"""The files of a recording as sources on its time axis: video, sound, vitals."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Generic

import av
import numpy as np

from neopain.domain.media import FaceBox
from neopain.domain.vitals import VitalsBatch
from neopain.domain.window import SHORTEST_DATA
from neopain.features.face import Picture
from neopain.ingest.media.camera import CameraTrack
from neopain.ingest.media.sound import SoundTrack
from neopain.ingest.stream.container import Decoded, Frame, Track
from neopain.ingest.stream.timeline import Item, Timeline

SOUND_AHEAD_SECONDS = 0.05
"""Sound is read this much further than asked for: the resampler holds a little back."""


class _Ahead(Generic[Frame]):
    """A track's frames with the next one in view, on the recording's axis: its first frame lies at ``begins``."""

    def __init__(self, track: Track[Frame], begins: float) -> None:
        self.track: Track[Frame] = track
        self.shift = begins - track.begins
        self.end_seconds = begins
        self._frames: Iterator[Decoded[Frame]] = iter(track)
        self._next: Decoded[Frame] | None = next(self._frames, None)

    @property
    def next_seconds(self) -> float | None:
        return None if self._next is None else self._next.start + self.shift

    def until(self, seconds: float) -> Iterator[tuple[float, Frame]]:
        while self._next is not None and self._next.start + self.shift <= seconds:
            decoded, self._next = self._next, next(self._frames, None)
            self.end_seconds = max(self.end_seconds, decoded.end + self.shift)
            yield decoded.start + self.shift, decoded.frame


class VideoSource:
    """A video file: face crops by one box for all of it, movement of the whole view."""

    def __init__(
        self,
        track: Track[av.VideoFrame],
        camera: CameraTrack,
        timeline: Timeline,
        *,
        begins: float,
        box: FaceBox | None,
    ) -> None:
        self.camera = camera
        self.timeline = timeline
        self.box = box
        self._ahead = _Ahead(track, begins)

    @property
    def next_seconds(self) -> float | None:
        """Where the next frame lies."""
        return self._ahead.next_seconds

    @property
    def end_seconds(self) -> float:
        """Where the last frame that was read ends."""
        return self._ahead.end_seconds

    @property
    def notes(self) -> list[str]:
        """What was damaged."""
        return self._ahead.track.notes

    def until(self, seconds: float) -> list[Item]:
        """The face crops and movement samples up to there."""
        return [item for at, frame in self._ahead.until(seconds) for item in self._seen(at, frame)]

    def close(self) -> None:
        """Closes the file."""
        self._ahead.track.close()

    def _seen(self, at: float, frame: av.VideoFrame) -> list[Item]:
        timing = self.timeline.timing(at)
        if not self.camera.wants(timing):
            return []
        seen = self.camera.take(upright(frame), timing, self.box)
        return [Item(at, fact) for fact in (seen.frame, seen.movement) if fact is not None]


class SoundSource:
    """A sound file, or the sound of a video file."""

    def __init__(
        self, track: Track[av.AudioFrame], microphone: SoundTrack, timeline: Timeline, *, begins: float
    ) -> None:
        self.microphone = microphone
        self.timeline = timeline
        self._ahead = _Ahead(track, begins)

    @property
    def next_seconds(self) -> float | None:
        """Where the next sound lies."""
        return self._ahead.next_seconds

    @property
    def end_seconds(self) -> float:
        """Where the last sound that was read ends."""
        return self._ahead.end_seconds

    @property
    def notes(self) -> list[str]:
        """What was damaged."""
        return self._ahead.track.notes

    def until(self, seconds: float) -> list[Item]:
        """The sound at 16 kHz up to there, and a little further."""
        chunks = [
            chunk
            for at, frame in self._ahead.until(seconds + SOUND_AHEAD_SECONDS)
            for chunk in self.microphone.take(frame, self.timeline.timing(at))
        ]
        if self._ahead.next_seconds is None:
            chunks += self.microphone.finish()
        start = self.timeline.start
        return [Item((chunk.timing.aligned - start).total_seconds(), chunk) for chunk in chunks]

    def close(self) -> None:
        """Closes the file."""
        self._ahead.track.close()


class VitalsSource:
    """The values of HL7 files, in the order of their own times. A value is held: even a single one lasts as long as the
    shortest window that is scored."""

    def __init__(self, batches: Sequence[tuple[float, VitalsBatch]], notes: Sequence[str], *, begins: float) -> None:
        self.notes = list(notes)
        self.end_seconds = begins + SHORTEST_DATA.total_seconds() if batches else begins
        self._left = deque(sorted(batches, key=lambda placed: placed[0]))

    @property
    def next_seconds(self) -> float | None:
        """Where the next value lies."""
        return self._left[0][0] if self._left else None

    def until(self, seconds: float) -> list[Item]:
        """The batches up to there."""
        items = []
        while self._left and self._left[0][0] <= seconds:
            items.append(Item(*self._left.popleft()))
            self.end_seconds = max(self.end_seconds, items[-1].seconds)
        return items

    def close(self) -> None:
        """Nothing is open."""


def upright(frame: av.VideoFrame) -> Picture:
    """The frame as RGB, turned as its display matrix says (FFmpeg gives the angle counterclockwise)."""
    turned = np.rot90(frame.to_ndarray(format="rgb24"), k=round(frame.rotation / 90))
    return np.ascontiguousarray(turned, np.uint8)
