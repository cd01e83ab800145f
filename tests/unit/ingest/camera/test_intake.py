from __future__ import annotations

from datetime import timedelta

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from neopain.domain.media import AudioChunk, FaceAbsence, FaceFrame, MovementSample
from neopain.domain.vitals import Processing
from neopain.ingest.camera.intake import CameraIntake, Fact
from neopain.ingest.camera.settings import CameraSettings
from neopain.ingest.camera.source import Arrived

from ...conftest import START


def intake_of(**fields: object) -> CameraIntake:
    said = {"name": "cam", "bed": "NICU/1/1", "url": "rtsp://10.0.0.7/", **fields}
    camera = CameraSettings.model_validate(said)
    return CameraIntake(camera, camera.site_box, frozen_seconds=2.0)


def noisy(number: int, size: tuple[int, int] = (240, 320)) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(number).integers(0, 255, (size[0] // 8, size[1] // 8, 3)).astype(np.uint8)
    return coarse.repeat(8, axis=0).repeat(8, axis=1)


def shown(intake: CameraIntake, pictures: list[NDArray[np.uint8]], *, begins: float = 0.0) -> list[Fact]:
    """What the pictures give at ten a second, the first half second of which settles the connection."""
    facts: list[Fact] = []
    for number, picture in enumerate(pictures):
        seconds = begins + number / 10
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        facts += intake.take(Arrived(frame, START + timedelta(seconds=seconds), seconds, None))
    return facts


def faces(facts: list[Fact]) -> list[FaceAbsence | None]:
    return [fact.absence for fact in facts if isinstance(fact, FaceFrame)]


BOX = {"face_box": (80, 40, 120, 120), "face_box_of": (320, 240)}


def test_a_live_picture_gives_face_and_movement() -> None:
    facts = shown(intake_of(**BOX, processing="T"), [noisy(number) for number in range(20)])
    assert set(faces(facts)) == {None}
    assert [fact.energy for fact in facts if isinstance(fact, MovementSample)]
    assert {fact.processing for fact in facts} == {Processing.TRAINING}


@pytest.mark.parametrize(
    ("role", "kinds"), [("face", {FaceFrame}), ("wide", {MovementSample}), ("both", {FaceFrame, MovementSample})]
)
def test_a_camera_gives_what_it_is_there_for(role: str, kinds: set[type[Fact]]) -> None:
    assert {type(fact) for fact in shown(intake_of(**BOX, role=role), [noisy(n) for n in range(20)])} == kinds


def test_without_a_box_and_a_finder_the_face_is_absent_with_that_reason() -> None:
    facts = shown(intake_of(), [noisy(number) for number in range(20)])
    assert set(faces(facts)) == {FaceAbsence.NO_FACE_BOX}


def test_a_frozen_picture_gives_neither_face_nor_stillness() -> None:
    facts = shown(intake_of(**BOX), [noisy(0)] * 60)
    late = [fact for fact in facts if fact.timing.aligned >= START + timedelta(seconds=3)]
    assert set(faces(late)) == {FaceAbsence.FROZEN}
    assert not [fact for fact in late if isinstance(fact, MovementSample)]


def test_a_black_picture_gives_neither_face_nor_stillness() -> None:
    black = np.random.default_rng(0).integers(0, 8, (20, 240, 320, 3)).astype(np.uint8)
    facts = shown(intake_of(**BOX), list(black))
    assert set(faces(facts)) == {FaceAbsence.BLACK}
    assert not [fact for fact in facts if isinstance(fact, MovementSample)]


def test_when_the_picture_comes_back_so_do_face_and_movement() -> None:
    intake = intake_of(**BOX)
    shown(intake, [noisy(0)] * 40)
    facts = shown(intake, [noisy(number) for number in range(1, 20)], begins=4.0)
    assert set(faces(facts)) == {None}
    assert [fact for fact in facts if isinstance(fact, MovementSample)]


def test_a_camera_that_is_set_to_another_size_goes_on_and_to_another_shape_loses_the_face_alone() -> None:
    intake = intake_of(**BOX)
    assert set(faces(shown(intake, [noisy(number, (480, 640)) for number in range(20)]))) == {None}
    facts = shown(intake, [noisy(number, (240, 400)) for number in range(20)], begins=2.0)
    assert set(faces(facts)) == {FaceAbsence.OTHER_FRAME}
    assert [fact for fact in facts if isinstance(fact, MovementSample)]


def test_a_box_on_a_plain_sheet_is_a_covered_face() -> None:
    pictures = [noisy(number) for number in range(20)]
    for number, picture in enumerate(pictures):
        picture[40:160, 80:200] = 180 + number % 2
    assert set(faces(shown(intake_of(**BOX), pictures))) == {FaceAbsence.COVERED}


def heard(intake: CameraIntake, samples: NDArray[np.int16], *, rate: int, piece: int) -> list[AudioChunk]:
    chunks: list[Fact] = []
    for begin in range(0, len(samples), piece):
        part = samples[begin : begin + piece].reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
        frame.sample_rate = rate
        seconds = begin / rate
        received = START + timedelta(seconds=seconds + part.shape[1] / rate)
        chunks += intake.take(Arrived(frame, received, seconds, None))
    return [chunk for chunk in chunks if isinstance(chunk, AudioChunk)]


def test_telephone_sound_in_20_ms_becomes_tenths_of_a_second_at_16_khz() -> None:
    tone = np.round(8000 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 8_000)).astype(np.int16)
    chunks = heard(intake_of(microphone=True), tone, rate=8_000, piece=160)
    assert {len(chunk.pcm) >= 3_200 for chunk in chunks} == {True}
    assert 20_000 < sum(len(chunk.pcm) // 2 for chunk in chunks) <= 24_000
    assert chunks[0].timing.aligned == START + timedelta(seconds=0.5)
