"""Items of a window, by how many seconds before its end they were measured."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from neopain.domain.identity import BedId, PatientId, SourceId
from neopain.domain.media import AudioChunk, FaceAbsence, FaceFrame, MovementSample
from neopain.domain.time import TimeQuality, Timing
from neopain.domain.vitals import Processing, Validity, VitalKind, VitalSample, VitalsBatch

END = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BED = BedId("NICU/1/1")
CROP_BYTES = 224 * 224 * 3


def timing_at(age: float, quality: TimeQuality = TimeQuality.SOURCE) -> Timing:
    """Aligned ``age`` seconds before the end."""
    moment = END - timedelta(seconds=age)
    return Timing(received=moment, aligned=moment, quality=quality, source=moment)


@pytest.fixture
def end() -> datetime:
    """The end of the window."""
    return END


@pytest.fixture
def vital() -> Callable[..., VitalsBatch]:
    """Makes a batch of one value: ``vital(kind, value, age=)``."""

    def make(
        kind: VitalKind,
        value: float,
        *,
        age: float,
        source: str = "monitor",
        validity: Validity = Validity.GOOD,
        quality: TimeQuality = TimeQuality.SOURCE,
        patient: PatientId | None = None,
        processing: Processing = Processing.PRODUCTION,
    ) -> VitalsBatch:
        sample = VitalSample(kind, value, timing_at(age, quality), validity)
        return VitalsBatch(BED, SourceId("hl7", source), (sample,), processing, patient=patient)

    return make


@pytest.fixture
def frame() -> Callable[..., FaceFrame]:
    """Makes a frame of one colour: ``frame(age=, shade=)``."""

    def make(
        *,
        age: float,
        shade: int = 7,
        camera: str = "camera",
        absence: FaceAbsence | None = None,
        quality: TimeQuality = TimeQuality.SOURCE,
    ) -> FaceFrame:
        crop = b"" if absence else bytes([shade]) * CROP_BYTES
        return FaceFrame(BED, SourceId("device", camera), timing_at(age, quality), crop, absence)

    return make


@pytest.fixture
def chunk() -> Callable[..., AudioChunk]:
    """Makes a chunk whose first sample is ``age`` seconds before the end: ``chunk(age=, seconds=, level=)``."""

    def make(
        *,
        age: float,
        seconds: float,
        level: int = 16384,
        microphone: str = "microphone",
        quality: TimeQuality = TimeQuality.SOURCE,
    ) -> AudioChunk:
        pcm = level.to_bytes(2, "little", signed=True) * round(seconds * 16_000)
        return AudioChunk(BED, SourceId("device", microphone), timing_at(age, quality), pcm)

    return make


@pytest.fixture
def movement() -> Callable[..., MovementSample]:
    """Makes a movement sample: ``movement(energy, age=)``."""

    def make(energy: float, *, age: float) -> MovementSample:
        return MovementSample(BED, SourceId("device", "camera"), timing_at(age), energy)

    return make
