"""An infant as files."""

from __future__ import annotations

import wave
from datetime import UTC, datetime

import av
import hl7
import pytest

from neopain.domain.media import FaceBox
from neopain.simulator.infant import simulated_infant
from neopain.simulator.recording import Recording, around, write_recording

SECONDS = 4


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    folder = tmp_path_factory.mktemp("recording")
    return write_recording(simulated_infant(1, 1), folder, SECONDS, started=datetime(2026, 7, 1, 12, 0, tzinfo=UTC))


def test_the_video_has_fifteen_frames_a_second(recording: Recording) -> None:
    with av.open(str(recording.video)) as container:
        frames = list(container.decode(video=0))

    assert len(frames) == 60
    assert frames[-1].time == pytest.approx(59 / 15)
    assert (frames[0].width, frames[0].height) == (400, 300)


def test_the_sound_is_16_khz_mono(recording: Recording) -> None:
    with wave.open(str(recording.audio)) as sound:
        assert (sound.getnchannels(), sound.getframerate(), sound.getnframes()) == (1, 16_000, 64_000)


def test_the_monitor_says_one_message_a_second(recording: Recording) -> None:
    messages = hl7.split_file(recording.hl7.read_bytes().decode())

    assert len(messages) == 4


def test_every_beat_of_the_recording_is_in_one_message_once(recording: Recording) -> None:
    rows = [line.split("|") for line in recording.hl7.read_bytes().decode().split("\r") if "|147240^" in line]
    times = [row[14] for row in rows]

    assert len(times) > 3 * 110 / 60
    assert times == sorted(set(times))


def test_the_box_holds_the_face_all_the_time() -> None:
    boxes = [FaceBox(10, 20, 30, 40), FaceBox(5, 25, 30, 40)]

    assert around(boxes) == FaceBox(5, 20, 35, 45)
