from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from neopain.domain.identity import BedId, SourceId
from neopain.domain.media import FaceAbsence, FaceBox
from neopain.domain.vitals import Processing, Validity, VitalKind
from neopain.errors import MalformedMessage
from neopain.ingest.device.intake import FrameIntake, SoundIntake, VitalsIntake
from neopain.ingest.device.sender import Sender
from neopain.wire.v1 import device_pb2 as pb
from neopain.wire.v1 import vitals_pb2

BED, SOURCE = BedId("NICU/1/1"), SourceId("device", "cam")
SENDER = Sender(SOURCE, Processing.PRODUCTION)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOON_US = 1_772_366_400_000_000


@pytest.fixture
def jpeg(halves: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(halves, cv2.COLOR_RGB2BGR))[1].tobytes())


def frame_of(data: bytes, **fields: object) -> pb.DeviceFrame:
    return pb.DeviceFrame(bed=BED, source_us=NOON_US, format=pb.PIXEL_FORMAT_JPEG, data=data, **fields)  # type: ignore[arg-type]


def taken(intake: FrameIntake, message: pb.DeviceFrame) -> FaceAbsence | bytes | None:
    frame = intake.take(message, intake.time(message, NOON)).frame
    assert frame is not None
    return frame.absence or frame.crop


def test_the_box_that_comes_with_a_frame_is_used(jpeg: bytes) -> None:
    intake = FrameIntake(BED, SENDER, None)
    crop = taken(intake, frame_of(jpeg, face=pb.FaceBox(x=0, y=0, width=100, height=100)))
    assert isinstance(crop, bytes)
    assert list(crop[:3]) == pytest.approx([255, 0, 0], abs=3)


def test_the_site_s_box_is_used_for_a_frame_without_one(jpeg: bytes) -> None:
    crop = taken(FrameIntake(BED, SENDER, FaceBox(200, 0, 100, 100)), frame_of(jpeg))
    assert isinstance(crop, bytes)
    assert list(crop[:3]) == pytest.approx([0, 0, 255], abs=3)


def test_without_any_box_the_face_is_absent_with_a_reason(jpeg: bytes) -> None:
    assert taken(FrameIntake(BED, SENDER, None), frame_of(jpeg)) is FaceAbsence.NO_FACE_BOX


def test_an_unreadable_frame_leaves_its_place_to_the_next(jpeg: bytes) -> None:
    intake = FrameIntake(BED, SENDER, None)
    broken = frame_of(jpeg[:100])
    with pytest.raises(MalformedMessage):
        intake.take(broken, intake.time(broken, NOON))
    assert intake.track.wants(intake.time(frame_of(jpeg), NOON))


def test_packed_rgb_is_taken_with_its_size(halves: NDArray[np.uint8]) -> None:
    message = pb.DeviceFrame(
        format=pb.PIXEL_FORMAT_RGB24,
        width=320,
        height=240,
        data=halves.tobytes(),
        face=pb.FaceBox(x=10, y=10, width=90, height=90),
    )
    crop = taken(FrameIntake(BED, SENDER, None), message)
    assert isinstance(crop, bytes)
    assert crop[:3] == bytes([255, 0, 0])


def test_a_frame_without_a_format_is_refused(jpeg: bytes) -> None:
    message = pb.DeviceFrame(bed=BED, data=jpeg)
    intake = FrameIntake(BED, SENDER, None)
    with pytest.raises(MalformedMessage, match="send JPEG or RGB24"):
        intake.take(message, intake.time(message, NOON))


def sound_of(sequence: int, source_us: int | None, *, rate: int = 16_000, samples: int = 1_600) -> pb.DeviceAudio:
    return pb.DeviceAudio(bed=BED, source_us=source_us, sample_rate_hz=rate, pcm=bytes(2 * samples), sequence=sequence)


def test_sound_that_is_sent_again_is_not_taken_again() -> None:
    intake, message = SoundIntake(BED, SENDER), sound_of(1, NOON_US)
    assert len(intake.take(message, NOON)) == 1
    intake.remember(message)
    assert intake.take(message, NOON) == []


def test_a_device_that_counts_anew_after_a_restart_is_heard() -> None:
    intake = SoundIntake(BED, SENDER)
    intake.take(sound_of(1, NOON_US), NOON)
    intake.remember(sound_of(1, NOON_US))
    assert len(intake.take(sound_of(1, NOON_US + 5_000_000), NOON + timedelta(seconds=5))) == 1


@pytest.mark.parametrize(
    ("message", "rule"),
    [
        (sound_of(1, None, rate=7_999), "7999 Hz, expected 8000 to 48000"),
        (sound_of(1, None, rate=96_000), "96000 Hz"),
        (sound_of(1, None, samples=0), "0 bytes are no int16 samples"),
        (pb.DeviceAudio(bed=BED, sample_rate_hz=8_000, pcm=b"abc"), "3 bytes are no int16 samples"),
        (sound_of(1, None, rate=8_000, samples=480_001), "more than 60 s"),
    ],
)
def test_what_is_no_sound_is_refused_with_the_rule(message: pb.DeviceAudio, rule: str) -> None:
    with pytest.raises(MalformedMessage, match=rule):
        SoundIntake(BED, SENDER).take(message, NOON)


def vital(value: float, **fields: object) -> pb.DeviceVital:
    return pb.DeviceVital(kind=vitals_pb2.VITAL_KIND_RR_INTERVAL, value=value, **fields)  # type: ignore[arg-type]


def test_beats_become_one_batch_with_their_own_times() -> None:
    message = pb.DeviceVitals(bed=BED, sequence=7, values=[
        vital(420.0, source_us=NOON_US - 900_000),
        vital(431.0, source_us=NOON_US - 470_000, validity=vitals_pb2.VALIDITY_QUESTIONABLE),
    ])  # fmt: skip
    batch = VitalsIntake(BED, SOURCE).take(message, NOON, Processing.TRAINING)
    assert [(one.kind, one.value, one.validity) for one in batch.samples] == [
        (VitalKind.RR_INTERVAL, 420.0, Validity.GOOD),
        (VitalKind.RR_INTERVAL, 431.0, Validity.QUESTIONABLE),
    ]
    assert batch.samples[1].timing.source == NOON - timedelta(milliseconds=470)
    assert (batch.processing, batch.control_id) == (Processing.TRAINING, "7")


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ([], "a message without a value"),
        ([vital(400.0), vital(math.nan)], r"values\[1\].value: nan is not finite"),
        ([pb.DeviceVital(value=3.0)], r"values\[0\].kind: 0 is no kind"),
        ([vital(400.0, validity=9)], r"values\[0\].validity: 9 is no validity"),
    ],
)
def test_vitals_that_break_a_rule_are_refused_with_their_place(values: list[pb.DeviceVital], rule: str) -> None:
    with pytest.raises(MalformedMessage, match=rule):
        VitalsIntake(BED, SOURCE).take(pb.DeviceVitals(bed=BED, values=values), NOON, Processing.PRODUCTION)
