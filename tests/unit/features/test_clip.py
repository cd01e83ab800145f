"""CLIP: which crop lies in which place, and when the face is absent."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from neopain.domain.media import FaceAbsence
from neopain.domain.score import Modality, Presence
from neopain.domain.time import TimeQuality
from neopain.errors import ContractBroken
from neopain.features.clip import face_clip

STEP = 4 / 30


def shades(clip: Any) -> list[int]:
    """The shade of each place, oldest first."""
    return [int(place[0, 0, 0]) for place in clip.frames]


def test_frames_on_the_grid_fill_their_places(frame: Any, end: datetime) -> None:
    clip = face_clip([frame(age=index * STEP, shade=index) for index in range(16)], end)
    assert shades(clip) == [15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert clip.presence == Presence(Modality.FACE, True, 1.0)


def test_a_place_takes_the_newest_frame_before_it(frame: Any, end: datetime) -> None:
    frames = [frame(age=index * STEP + 0.03, shade=index) for index in range(17)]
    assert shades(face_clip(frames, end)) == [15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]


def test_a_faster_camera_is_thinned_out(frame: Any, end: datetime) -> None:
    frames = [frame(age=index / 30, shade=index) for index in range(70)]
    assert shades(face_clip(frames, end)) == [60, 56, 52, 48, 44, 40, 36, 32, 28, 24, 20, 16, 12, 8, 4, 0]


def test_a_camera_of_five_frames_a_second_fills_every_place(frame: Any, end: datetime) -> None:
    clip = face_clip([frame(age=index / 5, shade=index) for index in range(13)], end)
    assert clip.presence == Presence(Modality.FACE, True, 1.0)
    assert shades(clip) == [10, 10, 9, 8, 8, 7, 6, 6, 5, 4, 4, 3, 2, 2, 1, 0]


def test_missing_places_hold_the_nearest_crop(frame: Any, end: datetime) -> None:
    frames = [frame(age=index * STEP, shade=index) for index in range(16) if index not in (6, 7, 8, 9)]
    clip = face_clip(frames, end)
    # A crop is held for two steps; the places that are left take the one beside them.
    assert shades(clip) == [15, 14, 13, 12, 11, 10, 10, 10, 10, 5, 5, 4, 3, 2, 1, 0]
    assert clip.presence == Presence(Modality.FACE, True, 0.875)


def test_a_clip_that_begins_late_holds_its_first_crop(frame: Any, end: datetime) -> None:
    clip = face_clip([frame(age=index * STEP, shade=index) for index in range(12)], end)
    assert shades(clip) == [11, 11, 11, 11, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert clip.presence == Presence(Modality.FACE, True, 0.75)


def test_eleven_filled_places_are_too_few(frame: Any, end: datetime) -> None:
    clip = face_clip([frame(age=index * STEP) for index in range(11)], end)
    assert clip.presence == Presence(Modality.FACE, False, 11 / 16, "too-little-data")


def test_an_absent_face_is_zeros(frame: Any, end: datetime) -> None:
    clip = face_clip([frame(age=index * STEP) for index in range(11)], end)
    assert not clip.frames.any()


def test_a_camera_that_stopped_is_stale(frame: Any, end: datetime) -> None:
    clip = face_clip([frame(age=0.51 + index * STEP) for index in range(16)], end)
    assert (clip.presence.is_present, clip.presence.reason) == (False, "stale")


def test_no_frame_is_no_camera(end: datetime) -> None:
    assert face_clip([], end).presence == Presence(Modality.FACE, False, 0.0, "no-camera")


def test_frames_without_a_face_say_why(frame: Any, end: datetime) -> None:
    frames = [frame(age=index * STEP, absence=FaceAbsence.NO_FACE_BOX) for index in range(16)]
    assert face_clip(frames, end).presence == Presence(Modality.FACE, False, 0.0, "no-face-box")


def test_a_face_that_has_just_been_lost_says_why(frame: Any, end: datetime) -> None:
    seen = [frame(age=index * STEP) for index in range(6, 18)]
    lost = [frame(age=index * STEP, absence=FaceAbsence.OUTSIDE_FRAME) for index in range(6)]
    assert face_clip([*seen, *lost], end).presence.reason == "face-box-outside-frame"


def test_a_camera_whose_clock_is_unusable_is_absent(frame: Any, end: datetime) -> None:
    frames = [frame(age=index * STEP, quality=TimeQuality.UNUSABLE) for index in range(16)]
    assert face_clip(frames, end).presence.reason == "clock-unusable"


def test_two_cameras_are_not_mixed(frame: Any, end: datetime) -> None:
    whole = [frame(age=index * STEP, shade=1, camera="b") for index in range(16)]
    partial = [frame(age=index * STEP, shade=2, camera="a") for index in range(8)]
    assert set(shades(face_clip([*partial, *whole], end))) == {1}


def test_a_frame_after_the_end_is_not_seen(frame: Any, end: datetime) -> None:
    frames = [frame(age=index * STEP, shade=index) for index in range(16)]
    assert shades(face_clip([*frames, frame(age=-0.001, shade=99)], end))[-1] == 0


def test_a_crop_of_the_wrong_size_breaks_the_contract(frame: Any, end: datetime) -> None:
    frames = [replace(frame(age=index * STEP), crop=bytes(1000)) for index in range(16)]
    with pytest.raises(ContractBroken, match="a face crop has 1000 bytes, CLIP needs 150528"):
        face_clip(frames, end)
