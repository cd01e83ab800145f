from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from neopain.domain.identity import BedId, SourceId
from neopain.domain.media import FaceAbsence, FaceBox
from neopain.domain.time import Timing
from neopain.ingest.media.camera import CameraTrack

TimingAt = Callable[[float], Timing]


@pytest.fixture
def camera() -> CameraTrack:
    return CameraTrack(BedId("NICU/1/1"), SourceId("device", "cam"))


def test_ten_seconds_at_15_fps_give_75_frames_and_39_movements(
    camera: CameraTrack, halves: NDArray[np.uint8], timing_at: TimingAt
) -> None:
    seen = [camera.take(halves, timing_at(number / 15), None) for number in range(150)]
    assert sum(one.frame is not None for one in seen) == 75
    assert sum(one.movement is not None for one in seen) == 39


def test_a_frame_carries_bed_source_and_time(
    camera: CameraTrack, halves: NDArray[np.uint8], timing_at: TimingAt
) -> None:
    frame = camera.take(halves, timing_at(0), FaceBox(0, 0, 100, 100)).frame
    assert frame is not None
    assert (frame.bed, frame.source, frame.timing) == ("NICU/1/1", SourceId("device", "cam"), timing_at(0))
    assert len(frame.crop) == 224 * 224 * 3


def test_a_frame_without_a_box_says_so(camera: CameraTrack, halves: NDArray[np.uint8], timing_at: TimingAt) -> None:
    frame = camera.take(halves, timing_at(0), None).frame
    assert frame is not None
    assert (frame.crop, frame.absence) == (b"", FaceAbsence.NO_FACE_BOX)


def test_a_picture_between_two_places_of_the_grid_is_not_wanted(
    camera: CameraTrack, halves: NDArray[np.uint8], timing_at: TimingAt
) -> None:
    camera.take(halves, timing_at(0), None)
    assert not camera.wants(timing_at(1 / 30))


def test_after_a_restart_a_picture_is_wanted_again(
    camera: CameraTrack, halves: NDArray[np.uint8], timing_at: TimingAt
) -> None:
    camera.take(halves, timing_at(0), None)
    camera.restart()
    assert camera.wants(timing_at(0))
