"""Joining pieces of sound that follow each other: a microphone that sends 20 ms at a time would fill the stream with
entries, each of which a window has to read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from neopain.domain.media import AudioChunk
from neopain.ingest.media.sound import BYTES_PER_SECOND

LONG_ENOUGH_BYTES = BYTES_PER_SECOND // 10
"""A tenth of a second: a window closes half a second after its end, and must have its last sound by then."""
SEAM = timedelta(milliseconds=1)


class SoundGathering:
    """What waits of one microphone."""

    def __init__(self) -> None:
        self._waiting: AudioChunk | None = None

    def add(self, chunk: AudioChunk) -> list[AudioChunk]:
        """What is long enough now, in order; a piece that does not follow what waits sends that on its way."""
        waiting, self._waiting = self._waiting, None
        ready = []
        if waiting is not None and not _follows(waiting, chunk):
            ready.append(waiting)
        elif waiting is not None:
            timing = replace(waiting.timing, received=chunk.timing.received)
            chunk = replace(waiting, pcm=waiting.pcm + chunk.pcm, timing=timing)
        if len(chunk.pcm) >= LONG_ENOUGH_BYTES:
            ready.append(chunk)
        else:
            self._waiting = chunk
        return ready

    def finish(self) -> list[AudioChunk]:
        """What still waits."""
        waiting, self._waiting = self._waiting, None
        return [waiting] if waiting is not None else []


def _follows(waiting: AudioChunk, chunk: AudioChunk) -> bool:
    end = waiting.timing.aligned + timedelta(seconds=len(waiting.pcm) / BYTES_PER_SECOND)
    return abs(chunk.timing.aligned - end) <= SEAM and chunk.timing.quality is waiting.timing.quality
