"""What ingest would have made of a video and a sound file that end with a window: face crops, movement, sound."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import av

from neopain.domain.identity import SourceId
from neopain.domain.media import AudioChunk, FaceBox, FaceFrame, MovementSample
from neopain.domain.time import Timing, recorded_timing
from neopain.domain.window import CRY_SPAN, VITALS_SPAN
from neopain.features.clip import CLIP_LOOKBACK, GRID_SECONDS
from neopain.features.face import crop_face
from neopain.features.movement import STEP_SECONDS, MovementMeter
from neopain.training.media import Timed, picture_of, read_sound, video_frames
from neopain.training.session_vitals import BED, moment

SOURCE: Final = SourceId("recording", "data-set")
MOVEMENT_BACK_SECONDS: Final = VITALS_SPAN.total_seconds() + 5.0
"""As far back as scoring reads movement."""
_EARLY_SECONDS: Final = 0.2 * STEP_SECONDS
"""A picture may come so much before its step, as at ingest."""
ROUNDING_SECONDS: Final = 0.001
"""Files such as Matroska round times to milliseconds. Frames are placed so much earlier: one that was taken at the time
of a place in the clip must not miss it."""


@dataclass(frozen=True, slots=True)
class Filmed:
    """What a camera gives for one window."""

    frames: tuple[FaceFrame, ...] = ()
    movements: tuple[MovementSample, ...] = ()


def film(path: Path, end: float, *, box: tuple[int, int, int, int] | None, with_movement: bool) -> Filmed:
    """The face crops, and the movement of the whole view if asked for, of a video whose last frame is at ``end``.

    ``end`` is in seconds of the session. Without a box, the whole picture is the face. ``UnreadableRecording`` names
    the file and the reason.
    """
    movement = _Movement()
    recent: deque[Timed[av.VideoFrame]] = deque()
    back = MOVEMENT_BACK_SECONDS if with_movement else CLIP_LOOKBACK.total_seconds()
    for timed in video_frames(path, last_seconds=back):
        recent.append(timed)
        while timed.start - recent[0].start > CLIP_LOOKBACK.total_seconds():
            recent.popleft()
        if with_movement:
            movement.take(timed)
    shift = end - recent[-1].start - ROUNDING_SECONDS
    return Filmed(
        frames=tuple(_face_frame(timed, timed.start + shift, box) for timed in _thinned(list(recent))),
        movements=tuple(
            MovementSample(BED, SOURCE, _timing(start + shift), energy) for start, energy in movement.energies
        ),
    )


def hear(path: Path, end: float) -> tuple[AudioChunk, ...]:
    """The sound of a file whose last sample lies at ``end``, in seconds of the session.

    ``UnreadableRecording`` names the file and the reason.
    """
    runs = read_sound(path, last_seconds=CRY_SPAN.total_seconds())
    return tuple(
        AudioChunk(BED, SOURCE, _timing(end + run.begin_seconds), run.samples.astype("<i2", copy=False).tobytes())
        for run in runs
        if run.samples.size
    )


def _thinned(frames: list[Timed[av.VideoFrame]]) -> list[Timed[av.VideoFrame]]:
    """The newest frame at or before each place of the clip, which ends with the last frame."""
    starts = [timed.start - frames[-1].start - ROUNDING_SECONDS for timed in frames]
    chosen = {bisect_right(starts, place) - 1 for place in GRID_SECONDS}
    return [frames[index] for index in sorted(chosen) if index >= 0]


def _face_frame(timed: Timed[av.VideoFrame], seconds: float, box: tuple[int, int, int, int] | None) -> FaceFrame:
    picture = picture_of(timed.frame)
    height, width = picture.shape[:2]
    crop, absence = crop_face(picture, FaceBox(*(box or (0, 0, width, height))))
    return FaceFrame(BED, SOURCE, _timing(seconds), crop, absence)


@dataclass(slots=True)
class _Movement:
    """The movement of a view, about four times a second; ``energies`` with the times of the file's clock."""

    energies: list[tuple[float, float]] = field(default_factory=list)
    meter: MovementMeter = field(default_factory=MovementMeter)
    due: float | None = None

    def take(self, timed: Timed[av.VideoFrame]) -> None:
        if self.due is not None and timed.start < self.due - _EARLY_SECONDS:
            return
        is_late = self.due is None or timed.start - self.due > STEP_SECONDS
        self.due = (timed.start if is_late or self.due is None else self.due) + STEP_SECONDS
        energy = self.meter.measure(picture_of(timed.frame), moment(timed.start))
        if energy is not None:
            self.energies.append((timed.start, energy))


def _timing(seconds: float) -> Timing:
    at = moment(seconds)
    return recorded_timing(received=at, source=at)
