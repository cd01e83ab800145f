"""Small data sets, written when a test asks for them."""

from __future__ import annotations

import wave
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from neopain.codecs.manifest import write_manifest
from neopain.codecs.vitals_table import VitalRow, write_vitals
from neopain.domain.annotation import Availability, Rating, Recorded, Scale, Segment, Subject
from neopain.domain.vitals import VitalKind

Pictures = Sequence[NDArray[np.uint8]]
WriteVideo = Callable[..., Path]
WriteSound = Callable[..., Path]
WriteDataset = Callable[..., tuple[Segment, ...]]


@pytest.fixture
def write_video() -> WriteVideo:
    return _write_video


@pytest.fixture
def write_wav() -> WriteSound:
    return _write_wav


@pytest.fixture
def write_dataset() -> WriteDataset:
    return _write_dataset


def _write_video(path: Path, pictures: Pictures, *, rate: float = 7.5) -> Path:
    """A lossless video of the pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(rate).limit_denominator(1000))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "bgr0"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def _write_wav(path: Path, samples: NDArray[np.int16], *, rate_hz: int = 16_000, channels: int = 1) -> Path:
    """16-bit samples, interleaved where there are several channels."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def _write_dataset(folder: Path, *, count: int = 1) -> tuple[Segment, ...]:
    """Segments of 10 s that end 90 s after the start of their sessions, each of an infant of its own.

    The sixteen frames of number n are 10 n, 10 n + 1, ... throughout; the sound is n + 1; the heart rate 140 + n.
    """
    folder.mkdir(exist_ok=True)
    segments = []
    for number in range(count):
        pictures = [np.full((64, 64, 3), 10 * number + place, np.uint8) for place in range(16)]
        _write_video(folder / f"{number}.mkv", pictures)
        _write_wav(folder / f"{number}.wav", np.full(160_000, number + 1, np.int16))
        rows = [VitalRow(float(second), VitalKind.HEART_RATE, 140.0 + number) for second in range(91)]
        (folder / f"{number}.csv").write_text(write_vitals(rows))
        recorded = {
            Recorded.VIDEO: Availability(f"{number}.mkv"),
            Recorded.AUDIO: Availability(f"{number}.wav"),
            Recorded.VITALS: Availability(f"{number}.csv"),
        }
        ratings = (Rating(Scale.NIPS, "r1", 3.0, {"cry": 1.0}), Rating(Scale.NIPS, "r2", 4.0, {"cry": 2.0}))
        subject = Subject(f"i{number}", "north", gestational_age_days=210, age_days=14)
        segments.append(Segment(subject, "s", f"seg-{number}", 80, 90, recorded, ratings))
    (folder / "manifest.csv").write_text(write_manifest(segments))
    return tuple(segments)
