"""A bed's input, rendered once and then played to the streams in real time, as ingest would have put it there."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from neopain.bus.bus import Bus
from neopain.bus.streams import AUDIO, FRAMES, MOVEMENT, VITALS, StreamSpec
from neopain.domain.identity import BedId, SourceId
from neopain.domain.media import FRAME_INTERVAL_SECONDS, SAMPLE_RATE_HZ, AudioChunk, FaceFrame, MovementSample
from neopain.domain.time import TimeQuality, Timing
from neopain.domain.vitals import Processing, VitalKind, VitalSample, VitalsBatch
from neopain.features.face import crop_face
from neopain.simulator.behaviour import Behaviour
from neopain.simulator.circumstances import circumstances
from neopain.simulator.condition import Condition
from neopain.simulator.course import PainCourse
from neopain.simulator.feed import movement_rows
from neopain.simulator.infant import simulated_infant
from neopain.simulator.sound import Room
from neopain.simulator.view import View
from neopain.simulator.vitals import Vitals
from neopain.wire.media import encode_audio, encode_frame, encode_movement
from neopain.wire.vitals import encode_batch

LOOP_SECONDS = 50
CHUNK_SECONDS = 0.5
MOVEMENT_SECONDS = 0.25
SOURCE = SourceId("bench", "prerecorded")

Encode = Callable[[BedId, Timing], bytes]


@dataclass(frozen=True, slots=True)
class Item:
    """Something to put on a stream at an offset into the loop. For sound, the offset is the *end* of the chunk."""

    seconds: float
    stream: StreamSpec
    encode: Encode
    lasts_seconds: float = 0.0


class PrerecordedBed:
    """One bed with a simulated infant, seen and heard as a cohort's are; the loop holds a whole heel lance, every frame
    of it distinct. Of a loop that is not played to its end, the first ``seconds`` alone are rendered."""

    def __init__(self, bed: BedId, *, seed: int, seconds: float = LOOP_SECONDS) -> None:
        self.bed = bed
        self.seconds = min(math.ceil(seconds), LOOP_SECONDS)
        infant = simulated_infant(seed, 1)
        condition = Condition(PainCourse())
        behaviour, around = Behaviour(infant, condition), circumstances(infant)
        view = View(infant, behaviour, around.camera)
        items = [
            *_frames(view, self.seconds),
            *_sound(Room(infant, behaviour, around), self.seconds),
            *_movement(view, self.seconds),
            *_vitals(Vitals(infant, condition, ventilated_bpm=around.ventilated_bpm), self.seconds),
        ]
        self.items = sorted(items, key=lambda item: item.seconds)

    async def play(self, bus: Bus, stop: asyncio.Event, *, past_seconds: float = 0.0) -> None:
        """Puts the loop on the streams again and again, each item at its time, until asked to stop; it begins with what
        is that long past, all at once."""
        begun = datetime.now(UTC) - timedelta(seconds=past_seconds)
        while not stop.is_set():
            for item in self.items:
                due = begun + timedelta(seconds=item.seconds)
                await asyncio.sleep(max((due - datetime.now(UTC)).total_seconds(), 0.0))
                if stop.is_set():
                    return
                aligned = due - timedelta(seconds=item.lasts_seconds)
                timing = Timing(received=due, aligned=aligned, quality=TimeQuality.SOURCE, source=aligned)
                await bus.publish(item.stream, item.encode(self.bed, timing), bed=self.bed)
            begun += timedelta(seconds=self.seconds)


def _frames(view: View, seconds: int) -> list[Item]:
    times = np.asarray(np.arange(round(seconds / FRAME_INTERVAL_SECONDS)) * FRAME_INTERVAL_SECONDS, np.float64)
    crops = (crop_face(frame.rgb, frame.face)[0] for frame in view.frames(times))
    return [Item(float(s), FRAMES, _frame_encoder(crop)) for s, crop in zip(times, crops, strict=True)]


def _frame_encoder(crop: bytes) -> Encode:
    return lambda bed, timing: encode_frame(FaceFrame(bed, SOURCE, timing, crop))


def _sound(room: Room, seconds: int) -> list[Item]:
    samples = int(CHUNK_SECONDS * SAMPLE_RATE_HZ)
    items = []
    for number in range(round(seconds / CHUNK_SECONDS)):
        pcm = room.pcm(number * samples, samples).tobytes()
        items.append(Item((number + 1) * CHUNK_SECONDS, AUDIO, _sound_encoder(pcm), CHUNK_SECONDS))
    return items


def _sound_encoder(pcm: bytes) -> Encode:
    return lambda bed, timing: encode_audio(AudioChunk(bed, SOURCE, timing, pcm))


def _movement(view: View, seconds: int) -> list[Item]:
    times = np.arange(0.0, seconds, MOVEMENT_SECONDS)
    rows = movement_rows(times, view.outlines(times))
    return [Item(row.seconds, MOVEMENT, _movement_encoder(row.value)) for row in rows]


def _movement_encoder(energy: float) -> Encode:
    return lambda bed, timing: encode_movement(MovementSample(bed, SOURCE, timing, energy))


def _vitals(vitals: Vitals, seconds: int) -> list[Item]:
    items = []
    for second in range(seconds):
        shown = vitals.numerics(float(second))
        values = {
            VitalKind.HEART_RATE: float(shown.heart_rate_bpm),
            VitalKind.SPO2: float(shown.spo2_percent),
            VitalKind.RESPIRATION: float(shown.respiration_bpm),
        }
        items.append(Item(float(second), VITALS, _vitals_encoder(values)))
    for beat in vitals.beats():
        if beat.seconds >= seconds:
            break
        items.append(Item(beat.seconds, VITALS, _vitals_encoder({VitalKind.RR_INTERVAL: beat.rr_ms})))
    return items


def _vitals_encoder(values: dict[VitalKind, float]) -> Encode:
    def encode(bed: BedId, timing: Timing) -> bytes:
        samples = tuple(VitalSample(kind, value, timing) for kind, value in values.items())
        return encode_batch(VitalsBatch(bed, SOURCE, samples, Processing.TRAINING))

    return encode
