"""An infant as three files: video (mp4, H.264), sound (wav) and what its monitor said (HL7 v2 text)."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import takewhile
from pathlib import Path

import av

from neopain.domain.media import SAMPLE_RATE_HZ, FaceBox
from neopain.simulator.bedside import SimulatedBed
from neopain.simulator.course import PainCourse
from neopain.simulator.infant import SimulatedInfant
from neopain.simulator.monitor import RR_INTERVAL, Measurement, measurements, observation_message, pressure_measurements
from neopain.simulator.segments import Cot
from neopain.simulator.vitals import Beat

RECORDING_COT = Cot("SIM", "REC", "1", "SIM")
FRAME_RATE = 15
PRESSURE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Recording:
    """The files, and a box that the face never leaves, in pixels of the video."""

    video: Path
    audio: Path
    hl7: Path
    face: FaceBox


def write_recording(
    infant: SimulatedInfant,
    folder: Path,
    seconds: int,
    *,
    started: datetime,
    course: PainCourse | None = None,
    frame_rate: int = FRAME_RATE,
) -> Recording:
    """Writes the infant's first seconds into the folder, which must exist; ``started`` must have a zone.

    The HL7 file holds one message a second, each segment ended by a carriage return, with the beats of that second.
    """
    bed = SimulatedBed(infant, RECORDING_COT, course or PainCourse())
    video, audio, hl7 = (folder / f"{infant.mrn}{ending}" for ending in (".mp4", ".wav", ".hl7"))
    face = _write_video(bed, video, count=seconds * frame_rate, frame_rate=frame_rate)
    _write_audio(bed, audio, seconds)
    _write_hl7(bed, hl7, seconds, started)
    return Recording(video, audio, hl7, face)


def _write_video(bed: SimulatedBed, path: Path, *, count: int, frame_rate: int) -> FaceBox:
    boxes = []
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=frame_rate, options={"preset": "veryfast", "crf": "20"})
        height, width, _ = bed.view.frame(0, 0.0).rgb.shape
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(count):
            drawn = bed.view.frame(number, number / frame_rate)
            boxes.append(drawn.face)
            frame = av.VideoFrame.from_ndarray(drawn.rgb, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, frame_rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return around(boxes)


def _write_audio(bed: SimulatedBed, path: Path, seconds: int) -> None:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SAMPLE_RATE_HZ)
        for second in range(seconds):
            sound.writeframes(bed.room.pcm(second * SAMPLE_RATE_HZ, SAMPLE_RATE_HZ).astype("<i2").tobytes())


def _write_hl7(bed: SimulatedBed, path: Path, seconds: int, started: datetime) -> None:
    beats = list(takewhile(lambda beat: beat.seconds < seconds, bed.vitals.beats()))
    messages = [_message(bed, second, beats, started) for second in range(seconds)]
    path.write_bytes(b"".join(messages))


def _message(bed: SimulatedBed, second: int, beats: list[Beat], started: datetime) -> bytes:
    at = started + timedelta(seconds=second)
    values = measurements(bed.vitals.numerics(second), at)
    values += [
        Measurement(RR_INTERVAL, beat.rr_ms, started + timedelta(seconds=beat.seconds))
        for beat in beats
        if second - 1 <= beat.seconds < second
    ]
    if second % PRESSURE_SECONDS == 0:
        values += pressure_measurements(bed.vitals.blood_pressure(second), at)
    return observation_message(bed.infant, bed.cot, values, control_id=f"{bed.infant.mrn}-{second + 1}", sent=at)


def around(boxes: list[FaceBox]) -> FaceBox:
    """The smallest box that holds them all."""
    left, top = min(box.x for box in boxes), min(box.y for box in boxes)
    right = max(box.x + box.width for box in boxes)
    bottom = max(box.y + box.height for box in boxes)
    return FaceBox(left, top, right - left, bottom - top)
