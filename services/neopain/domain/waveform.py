"""Waveforms that monitors send in pieces of a few seconds, and what is kept of one until its next piece comes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

import numpy as np
import numpy.typing as npt

from neopain.domain.identity import PatientId
from neopain.domain.vitals import Validity


class WaveKind(Enum):
    """What a waveform shows, as far as it has heart beats. The value is the name on the wire and in files."""

    ECG = "ecg_waveform"
    PLETH = "pleth_waveform"


@dataclass(frozen=True, slots=True, eq=False)
class WavePiece:
    """A few seconds of one channel.

    ``values`` are float64 [n] in ``unit``, NaN where a sample is missing or the device does not stand by it; the first
    one was taken at ``start``, which ``start_text`` gives as sent. ``is_coarse``: that time is cut to whole seconds.
    The lowest ``rank`` is the channel that one would choose.
    """

    code: str
    kind: WaveKind
    rate_hz: float
    values: npt.NDArray[np.float64]
    unit: str
    start: datetime
    start_text: str
    is_coarse: bool = False
    validity: Validity = Validity.GOOD
    rank: int = 1

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.values.size / self.rate_hz

    @property
    def end(self) -> datetime:
        """When the sample after its last one would be taken."""
        return self.start + timedelta(seconds=self.seconds)


@dataclass(frozen=True, slots=True, eq=False)
class BeatTrack:
    """What is kept of a channel between two pieces: its last seconds, and the last beat that was told of.

    ``samples`` are float32 [n], NaN for a missing one, the first at ``begun`` by the source's clock. ``last_beat``,
    ``heard`` (the newest beat that was found, told or not) and ``doubtful_until`` (up to there the device questions its
    samples) are seconds from ``begun``, below 0 before it; None where there is none.
    """

    code: str
    kind: WaveKind
    rate_hz: float
    patient: PatientId | None
    begun: datetime
    samples: npt.NDArray[np.float32]
    last_beat: float | None = None
    heard: float | None = None
    doubtful_until: float | None = None

    @property
    def seconds(self) -> float:
        """How much is kept."""
        return self.samples.size / self.rate_hz

    @property
    def end(self) -> datetime:
        """When its next sample is due."""
        return self.begun + timedelta(seconds=self.seconds)
