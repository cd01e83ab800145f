"""One microphone: any rate to 16 kHz mono, without a click where chunks meet, each sample at its right time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import av
import numpy as np

from neopain.domain.identity import BedId, SourceId
from neopain.domain.media import SAMPLE_RATE_HZ, AudioChunk
from neopain.domain.time import TimeQuality, Timing
from neopain.domain.vitals import Processing

DRIFT_LIMIT = timedelta(milliseconds=40)
"""A chunk that begins further than this from where the last one ended begins a new run."""
ARRIVAL_DRIFT_LIMIT = timedelta(milliseconds=500)
"""The same where only receive times are known: they jitter with the network."""
BYTES_PER_SECOND = 2 * SAMPLE_RATE_HZ


@dataclass(slots=True)
class _Run:
    """Sound without a gap. ``first`` is the timing of its first sample; the resampler's output begins there too: it
    holds its delay back at the end, not at the beginning."""

    first: Timing
    shape: tuple[int, str, str]
    resampler: av.AudioResampler
    samples_in: int = 0
    samples_out: int = 0

    def expected(self) -> datetime:
        """When the next chunk's first sample is due."""
        return self.first.aligned + timedelta(seconds=self.samples_in / self.shape[0])


class SoundTrack:
    """The sound of one microphone in the order of time."""

    def __init__(self, bed: BedId, source: SourceId, processing: Processing = Processing.PRODUCTION) -> None:
        self.bed = bed
        self.source = source
        self.processing = processing
        self._run: _Run | None = None

    def restart(self) -> None:
        """Forgets the run, so that a chunk sent again is taken again."""
        self._run = None

    def take(self, frame: av.AudioFrame, timing: Timing) -> list[AudioChunk]:
        """What is ready at 16 kHz after this chunk: pieces of a second or less; a few milliseconds are held back.

        ``frame`` is in any format, layout and rate; ``timing`` is that of its first sample.
        """
        ready: list[AudioChunk] = []
        if self._run is None or not _continues(self._run, frame, timing):
            ready += self.finish()
            self._run = _Run(timing, _shape(frame), _resampler())
        frame.pts = None
        self._run.samples_in += frame.samples
        return ready + self._pieces(self._run, frame, timing)

    def finish(self) -> list[AudioChunk]:
        """What was held back; the next chunk begins a new run."""
        run, self._run = self._run, None
        return self._pieces(run, None, run.first) if run is not None and run.samples_in else []

    def _pieces(self, run: _Run, frame: av.AudioFrame | None, timing: Timing) -> list[AudioChunk]:
        pcm = b"".join(out.to_ndarray().astype("<i2", copy=False).tobytes() for out in run.resampler.resample(frame))
        pieces = [pcm[start : start + BYTES_PER_SECOND] for start in range(0, len(pcm), BYTES_PER_SECOND)]
        return [self._chunk(run, piece, timing) for piece in pieces]

    def _chunk(self, run: _Run, pcm: bytes, timing: Timing) -> AudioChunk:
        since = timedelta(seconds=run.samples_out / SAMPLE_RATE_HZ)
        run.samples_out += len(pcm) // 2
        source = run.first.source + since if run.first.source is not None else None
        own = Timing(timing.received, run.first.aligned + since, run.first.quality, source, timing.source_text)
        return AudioChunk(self.bed, self.source, own, pcm, self.processing)


def frame_of_pcm(pcm: bytes, *, rate_hz: int) -> av.AudioFrame:
    """Mono int16 little-endian bytes as a frame for ``SoundTrack``."""
    samples = np.frombuffer(pcm, "<i2").astype(np.int16, copy=False).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
    frame.sample_rate = rate_hz
    return frame


def _resampler() -> av.AudioResampler:
    return av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)


def _shape(frame: av.AudioFrame) -> tuple[int, str, str]:
    return frame.sample_rate, frame.format.name, frame.layout.name


def _continues(run: _Run, frame: av.AudioFrame, timing: Timing) -> bool:
    is_alike = run.shape == _shape(frame) and run.first.quality is timing.quality
    limit = DRIFT_LIMIT if timing.quality is TimeQuality.SOURCE else ARRIVAL_DRIFT_LIMIT
    return is_alike and abs(timing.aligned - run.expected()) <= limit
