"""How loud a microphone is, and whether it works: silence to the last bit and clipping are told apart from sound.

A quiet room is data: the cry is present in the window, and the nets hear that nobody cries. No microphone is no data:
the cry is absent. A microphone that gives nothing but zeros is most likely muted: its sound is kept as what it is, and
somebody is told.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

FLOOR_DBFS = -96.0
"""The level of digital silence: below one bit of 16."""
FULL_SCALE = 0.999
"""A sample from here on is at the end of the scale."""
MOST_CLIPPED = 0.01
"""Share of samples at the end of the scale above which a second is clipped."""
SILENT_SECONDS = 30
"""So long nothing but zeros: no room is that quiet."""

Samples = NDArray[np.float32]


class SoundCondition(Enum):
    """What can be said of a microphone."""

    LIVE = "sound-live"
    SILENT = "sound-silent"
    CLIPPED = "sound-clipped"


@dataclass(frozen=True, slots=True)
class Level:
    """One stretch of sound: root mean square in dB below full scale (0 to -96), and the share of clipped samples."""

    rms_dbfs: float
    clipped_share: float


def level_of(samples: Samples) -> Level:
    """The level of samples in -1..1, of any shape, at least one."""
    rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    rms_dbfs = max(20 * math.log10(rms), FLOOR_DBFS) if rms > 0 else FLOOR_DBFS
    return Level(rms_dbfs, float((np.abs(samples) >= FULL_SCALE).mean()))


class SoundWatch:
    """One microphone, judged second by second."""

    def __init__(self) -> None:
        self.condition = SoundCondition.LIVE
        self._silent_seconds = 0

    def judge(self, level: Level) -> SoundCondition:
        """The condition after one more second of that level."""
        self._silent_seconds = self._silent_seconds + 1 if level.rms_dbfs <= FLOOR_DBFS else 0
        if self._silent_seconds >= SILENT_SECONDS:
            self.condition = SoundCondition.SILENT
        elif level.clipped_share > MOST_CLIPPED:
            self.condition = SoundCondition.CLIPPED
        else:
            self.condition = SoundCondition.LIVE
        return self.condition
