"""Putting media and device vitals on their streams; the same functions for live devices and recordings."""

from __future__ import annotations

from neopain.bus.bus import Bus
from neopain.bus.streams import AUDIO, FRAMES, MOVEMENT
from neopain.domain.media import AudioChunk, FaceFrame, MovementSample
from neopain.ingest.media.sound import BYTES_PER_SECOND
from neopain.runtime.metrics import counter
from neopain.wire.media import encode_audio, encode_frame, encode_movement


async def publish_frame(bus: Bus, frame: FaceFrame) -> str:
    """Puts a frame on its media server and returns its id; ``BusUnavailable`` when that fails."""
    entry_id = await bus.publish(FRAMES, encode_frame(frame), bed=frame.bed)
    count_frame(frame)
    return entry_id


async def publish_movement(bus: Bus, sample: MovementSample) -> str:
    """Puts a movement sample on its media server and returns its id; ``BusUnavailable`` when that fails."""
    return await bus.publish(MOVEMENT, encode_movement(sample), bed=sample.bed)


async def publish_audio(bus: Bus, chunk: AudioChunk) -> str:
    """Puts sound on its media server and returns its id; ``BusUnavailable`` when that fails."""
    entry_id = await bus.publish(AUDIO, encode_audio(chunk), bed=chunk.bed)
    count_audio(chunk)
    return entry_id


def count_frame(frame: FaceFrame) -> None:
    """Counts a frame that is on its media server."""
    counter("ingest_frames_total").labels(frame.absence.value if frame.absence else "kept").inc()


def count_audio(chunk: AudioChunk) -> None:
    """Counts sound that is on its media server."""
    counter("ingest_audio_seconds_total").inc(len(chunk.pcm) / BYTES_PER_SECOND)
