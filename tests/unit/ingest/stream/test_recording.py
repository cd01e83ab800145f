from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from neopain.domain.identity import is_recording
from neopain.domain.media import AudioChunk, FaceAbsence, FaceBox, FaceFrame, MovementSample
from neopain.domain.vitals import VitalsBatch
from neopain.errors import UnreadableRecording
from neopain.ingest.stream.recording import Recording, open_recording
from neopain.ingest.stream.timeline import Fact, Item

Write = Callable[..., Path]
EIGHT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@pytest.fixture
def hl7(tmp_path: Path, pcd01: Callable[..., str]) -> Path:
    path = tmp_path / "feed.hl7"
    path.write_text("".join(pcd01(second) for second in range(3)))
    return path


def everything(recording: Recording) -> list[Item]:
    return [item for second in range(1, 400) for item in recording.until(second)]


def of(kind: type[Fact], items: list[Item]) -> list[Item]:
    return [item for item in items if isinstance(item.fact, kind)]


def sound(items: list[Item]) -> NDArray[np.int16]:
    return np.concatenate([np.frombuffer(item.fact.pcm, "<i2") for item in of(AudioChunk, items)])  # type: ignore[union-attr]


def test_all_files_begin_together_where_the_hl7_values_lie_on_the_calendar(
    write_video: Write, write_sound: Write, hl7: Path
) -> None:
    recording = open_recording(
        video=write_video("v.mp4", "libx264"), audio=write_sound("a.wav", "pcm_s16le"), hl7=[hl7]
    )
    items = everything(recording)
    assert recording.timeline.start == EIGHT
    for kind in (FaceFrame, AudioChunk):
        first = of(kind, items)[0]
        assert first.seconds == 0.0
        assert first.fact.timing.aligned == EIGHT  # type: ignore[union-attr]
    assert of(VitalsBatch, items)[0].seconds == 0.0


def test_a_recording_stands_at_a_place_of_its_own(write_sound: Write) -> None:
    path = write_sound("a.wav", "pcm_s16le")
    first, second = open_recording(audio=path), open_recording(audio=path)
    assert is_recording(first.bed)
    assert first.bed != second.bed


def test_a_video_gives_frames_at_seven_and_a_half_a_second_and_movement(write_video: Write) -> None:
    box = FaceBox(0, 0, 60, 60)
    items = everything(open_recording(video=write_video("v.webm", "libvpx", seconds=4.0), face_box=box))
    frames = of(FaceFrame, items)
    assert [round(item.seconds, 2) for item in frames[:4]] == [0.0, 0.13, 0.27, 0.4]
    assert len(frames) == 30
    crop = np.frombuffer(frames[0].fact.crop, np.uint8).reshape(224, 224, 3)  # type: ignore[union-attr]
    assert crop[112, 112].tolist() == pytest.approx([255, 0, 0], abs=12)
    assert len(of(MovementSample, items)) == 15


def test_without_a_box_the_face_is_absent_with_its_reason(write_video: Write) -> None:
    items = everything(open_recording(video=write_video("v.mp4", "libx264")))
    assert {item.fact.absence for item in of(FaceFrame, items)} == {FaceAbsence.NO_FACE_BOX}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "written", "level"),
    [
        ("a.wav", {"codec": "pcm_s16le", "rate": 8_000}, 10_000),
        # Written 3 dB lower in each of the two channels.
        ("a.mp3", {"codec": "libmp3lame", "rate": 44_100, "layout": "stereo"}, 7_071),
        ("a.m4a", {"codec": "aac", "rate": 48_000}, 10_000),
    ],
)
def test_a_tone_of_440_hz_is_still_one_at_16_khz(
    write_sound: Write, name: str, written: dict[str, object], level: int
) -> None:
    found = sound(everything(open_recording(audio=write_sound(name, **written))))
    spectrum = np.abs(np.fft.rfft(found[4_000:28_000] * np.hanning(24_000)))
    assert len(found) == pytest.approx(32_000, abs=1_100)
    assert spectrum.argmax() * 16_000 / 24_000 == pytest.approx(440, abs=1)
    assert np.abs(found[4_000:28_000]).max() == pytest.approx(level, rel=0.06)


def test_an_offset_says_by_how_much_a_file_begins_later(write_video: Write, write_sound: Write) -> None:
    items = everything(
        open_recording(
            video=write_video("v.mp4", "libx264"),
            audio=write_sound("a.wav", "pcm_s16le"),
            audio_offset_seconds=1.5,
        )
    )
    assert of(FaceFrame, items)[0].seconds == 0.0
    assert of(AudioChunk, items)[0].seconds == 1.5


def test_a_file_that_begins_earlier_moves_the_others_back(write_sound: Write, hl7: Path) -> None:
    recording = open_recording(audio=write_sound("a.wav", "pcm_s16le"), hl7=[hl7], hl7_offset_seconds=-0.5)
    items = everything(recording)
    assert of(VitalsBatch, items)[0].seconds == 0.0
    assert of(AudioChunk, items)[0].seconds == 0.5
    assert recording.timeline.start == EIGHT


def test_hl7_that_begins_later_keeps_its_place_on_the_calendar(write_sound: Write, hl7: Path) -> None:
    recording = open_recording(audio=write_sound("a.wav", "pcm_s16le"), hl7=[hl7], hl7_offset_seconds=2.0)
    batch = of(VitalsBatch, everything(recording))[0]
    assert batch.seconds == 2.0
    assert batch.fact.samples[0].timing.aligned == EIGHT  # type: ignore[union-attr]


def test_a_value_of_an_hour_ago_does_not_pull_the_recording_apart(
    tmp_path: Path, write_sound: Write, pcd01: Callable[..., str]
) -> None:
    path = tmp_path / "feed.hl7"
    pressure = "OBX|3|NM|150035^MDC_PRESS_BLD_ART_MEAN^MDC|1|44|266016^MDC_DIM_MMHG^MDC|||||R|||20260302070000+0000\r"
    path.write_text(pcd01(0) + pressure + pcd01(1))
    recording = open_recording(audio=write_sound("a.wav", "pcm_s16le"), hl7=[path])
    batches = of(VitalsBatch, everything(recording))
    assert recording.timeline.start == EIGHT
    assert [item.seconds for item in batches] == [-3_600.0, 0.0, 1.0]


def test_without_a_sound_file_the_sound_of_the_video_is_used_and_told(write_video: Write) -> None:
    recording = open_recording(video=write_video("v.mp4", "libx264", sound_hz=440.0))
    items = everything(recording)
    assert of(AudioChunk, items)[0].seconds == pytest.approx(0.0, abs=0.07)
    assert recording.notes == ["v.mp4: the sound of the video is used, since no sound file was given"]


def test_a_sound_file_stands_before_the_sound_of_the_video(write_video: Write, write_sound: Write) -> None:
    recording = open_recording(
        video=write_video("v.mp4", "libx264", sound_hz=440.0), audio=write_sound("a.wav", "pcm_s16le", seconds=1.0)
    )
    assert len(sound(everything(recording))) == 16_000
    assert recording.notes == []


@pytest.mark.parametrize(("seconds", "whole"), [(0.4, 1), (2.0, 2), (2.9, 2), (3.98, 3 + 1)])
def test_a_recording_has_a_window_for_each_second_that_it_fills(write_sound: Write, seconds: float, whole: int) -> None:
    recording = open_recording(audio=write_sound("a.wav", "pcm_s16le", seconds=seconds))
    everything(recording)
    assert recording.whole_seconds == whole
    assert recording.next_seconds is None


def test_a_single_message_is_held_for_three_seconds(tmp_path: Path, pcd01: Callable[..., str]) -> None:
    path = tmp_path / "one.hl7"
    path.write_text(pcd01(0))
    recording = open_recording(hl7=[path])
    everything(recording)
    assert recording.whole_seconds == 3


def test_hl7_without_any_vital_sign_is_refused_when_there_is_nothing_else(
    tmp_path: Path, pcd01: Callable[..., str]
) -> None:
    path = tmp_path / "adt.hl7"
    path.write_text(pcd01(0).replace("ORU^R01^ORU_R01", "ADT^A01^ADT_A01"))
    with pytest.raises(UnreadableRecording, match=r"adt\.hl7: no vital sign that is scored"):
        open_recording(hl7=[path])


def test_hl7_without_any_vital_sign_is_told_beside_sound(
    tmp_path: Path, write_sound: Write, pcd01: Callable[..., str]
) -> None:
    path = tmp_path / "adt.hl7"
    path.write_text(pcd01(0).replace("ORU^R01^ORU_R01", "ADT^A01^ADT_A01"))
    recording = open_recording(audio=write_sound("a.wav", "pcm_s16le"), hl7=[path])
    assert recording.notes == [
        f"{path}: no vital sign that is scored and has a time",
        "adt.hl7: 1 messages other than ORU^R01 were passed over",
    ]


def test_a_video_with_an_empty_sound_track_is_taken_for_its_pictures(write_video: Write) -> None:
    recording = open_recording(video=write_video("v.mkv", "libx264", sound_hz=440.0, is_silent=True))
    assert [file.role for file in recording.files] == ["video"]
    assert of(FaceFrame, everything(recording))
    assert recording.notes == [
        "v.mkv: the sound of the video is left out: no sound could be decoded (there is none)",
    ]


def test_a_video_whose_sound_nothing_here_decodes_is_taken_for_its_pictures(write_video: Write) -> None:
    path = write_video("v.mp4", "libx264", sound_hz=440.0)
    path.write_bytes(path.read_bytes().replace(b"mp4a", b"zzzz").replace(b"esds", b"free"))
    recording = open_recording(video=path)
    assert of(FaceFrame, everything(recording))
    assert recording.notes == ["v.mp4: the sound of the video is left out: its codec is not known here"]


def test_a_file_whose_time_stamps_begin_anew_ends_there_and_says_so(write_video: Write) -> None:
    path = write_video("v.ts", "libx264", seconds=3.0, sound_hz=440.0)
    path.write_bytes(2 * path.read_bytes())
    recording = open_recording(video=path)
    frames = [item.seconds for item in of(FaceFrame, everything(recording))]
    assert (len(frames), round(frames[-1], 2)) == (23, 2.93)
    assert recording.whole_seconds == 3
    assert [note for note in recording.notes if "anew" in note] == [
        "v.ts: the picture breaks off (its time stamps begin anew after 2.9 s; what follows is left out)",
        "v.ts: the sound breaks off (its time stamps begin anew after 3.0 s; what follows is left out)",
    ]


def test_one_unreadable_file_refuses_the_recording_before_anything_is_sent(write_sound: Write, tmp_path: Path) -> None:
    with pytest.raises(UnreadableRecording, match=r"gone\.mp4: does not exist"):
        open_recording(audio=write_sound("a.wav", "pcm_s16le"), video=tmp_path / "gone.mp4")
