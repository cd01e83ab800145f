"""Video and sound files as ingest would have put them on the streams."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from neopain.domain.media import FaceAbsence
from neopain.training.footage import film, hear
from neopain.training.session_vitals import moment

Write = Callable[..., Path]


def test_the_last_frame_lies_at_the_end_of_the_window(tmp_path: Path, write_video: Write) -> None:
    pictures = [np.full((224, 224, 3), level, np.uint8) for level in (10, 20, 30)]
    path = write_video(tmp_path / "a.mkv", pictures, rate=5)
    frames = film(path, 100.0, box=None, with_movement=False).frames
    assert [frame.timing.aligned for frame in frames] == [moment(99.599), moment(99.799), moment(99.999)]
    assert [frame.crop[0] for frame in frames] == [10, 20, 30]


def test_a_fast_camera_is_thinned_to_one_frame_for_each_place_of_the_clip(tmp_path: Path, write_video: Write) -> None:
    pictures = [np.full((32, 32, 3), level, np.uint8) for level in range(90)]
    frames = film(write_video(tmp_path / "a.mkv", pictures, rate=30), 100.0, box=None, with_movement=False).frames
    assert [frame.crop[0] for frame in frames] == list(range(29, 90, 4))


def test_times_that_were_rounded_to_milliseconds_miss_no_place(tmp_path: Path, write_video: Write) -> None:
    pictures = [np.full((32, 32, 3), level, np.uint8) for level in range(20)]
    frames = film(write_video(tmp_path / "a.mkv", pictures, rate=7.5), 100.0, box=None, with_movement=False).frames
    assert [frame.crop[0] for frame in frames] == list(range(4, 20))


def test_the_face_is_cut_out_by_its_box(tmp_path: Path, write_video: Write) -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[40:90, 120:170] = 200
    (frame,) = film(write_video(tmp_path / "a.mkv", [picture]), 10.0, box=(120, 40, 50, 50), with_movement=False).frames
    assert set(frame.crop) == {200}


def test_without_a_box_the_face_is_the_middle_of_the_picture(tmp_path: Path, write_video: Write) -> None:
    picture = np.zeros((64, 128, 3), np.uint8)
    picture[:, 32:96] = 200
    (frame,) = film(write_video(tmp_path / "a.mkv", [picture]), 10.0, box=None, with_movement=False).frames
    assert set(frame.crop) == {200}


def test_a_box_outside_of_the_picture_says_why_there_is_no_crop(tmp_path: Path, write_video: Write) -> None:
    path = write_video(tmp_path / "a.mkv", [np.zeros((64, 64, 3), np.uint8)])
    (frame,) = film(path, 10.0, box=(500, 500, 40, 40), with_movement=False).frames
    assert (frame.crop, frame.absence) == (b"", FaceAbsence.OUTSIDE_FRAME)


def test_movement_is_measured_four_times_a_second_where_it_is_asked_for(tmp_path: Path, write_video: Write) -> None:
    still, moved = np.full((48, 64, 3), 100, np.uint8), np.full((48, 64, 3), 100, np.uint8)
    moved[:20] = 200
    path = write_video(tmp_path / "a.mkv", [*[still] * 8, *[moved] * 8], rate=8)
    movements = film(path, 100.0, box=(0, 0, 64, 48), with_movement=True).movements
    assert [one.timing.aligned for one in movements] == [moment(98.374 + step / 4) for step in range(7)]
    assert [one.energy > 0 for one in movements] == [False, False, False, True, False, False, False]


def test_movement_is_not_measured_where_it_is_not_asked_for(tmp_path: Path, write_video: Write) -> None:
    path = write_video(tmp_path / "a.mkv", [np.zeros((64, 64, 3), np.uint8)] * 20)
    assert film(path, 100.0, box=None, with_movement=False).movements == ()


def test_the_last_sample_lies_at_the_end_of_the_window(tmp_path: Path, write_wav: Write) -> None:
    (chunk,) = hear(write_wav(tmp_path / "a.wav", np.arange(32_000, dtype=np.int16)), 100.0)
    assert (chunk.timing.aligned, len(chunk.pcm), chunk.pcm[-2:]) == (moment(98.0), 64_000, b"\xff\x7c")
