"""The level of a microphone, measured on what it sends: after resampling, clipping no longer shows."""

from __future__ import annotations

import av
import numpy as np

from neopain.features.loudness import Level, Samples, SoundCondition, SoundWatch, level_of

WHOLE_SECOND = 0.999
"""A second, less what adding up loses."""


class LevelMeter:
    """One microphone: the level of each second, and what follows from it."""

    def __init__(self) -> None:
        self.watch = SoundWatch()
        self.level: Level | None = None
        """Of the last whole second."""
        self._second: list[Samples] = []
        self._seconds = 0.0

    @property
    def condition(self) -> SoundCondition:
        """What can be said of the microphone."""
        return self.watch.condition

    def hear(self, frame: av.AudioFrame) -> None:
        """Measures one more frame, in any format, layout and rate."""
        self._second.append(samples_of(frame))
        self._seconds += frame.samples / frame.sample_rate
        if self._seconds >= WHOLE_SECOND:
            self.level = level_of(np.concatenate(self._second))
            self.watch.judge(self.level)
            self._second, self._seconds = [], 0.0


def samples_of(frame: av.AudioFrame) -> Samples:
    """All channels' samples in one row, float32, -1..1."""
    values = frame.to_ndarray().reshape(-1)
    if values.dtype.kind == "f":
        return values.astype(np.float32)
    full = 2.0 ** (8 * values.dtype.itemsize - 1)
    middle = full if values.dtype.kind == "u" else 0.0
    return ((values - middle) / full).astype(np.float32)
