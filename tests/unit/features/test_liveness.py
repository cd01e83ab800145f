from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from neopain.domain.media import FaceAbsence
from neopain.domain.time import Timing
from neopain.features.liveness import PictureWatch

TimingAt = Callable[[float], Timing]


def scene(number: int, *, bright: int = 110) -> NDArray[np.uint8]:
    noise = np.random.default_rng(number).integers(-3, 4, (120, 160, 3))
    return np.clip(bright + noise, 0, 255).astype(np.uint8)


@pytest.fixture
def watch() -> PictureWatch:
    return PictureWatch(5.0)


def test_a_still_scene_with_a_sensor_s_noise_is_live(watch: PictureWatch, timing_at: TimingAt) -> None:
    judged = {watch.judge(scene(number), timing_at(number / 5).aligned) for number in range(40)}
    assert judged == {None}


def test_a_picture_that_stays_the_same_is_frozen_after_the_limit_and_live_when_it_moves(
    watch: PictureWatch, timing_at: TimingAt
) -> None:
    at = {second: watch.judge(scene(0), timing_at(second).aligned) for second in range(8)}
    assert [second for second, judged in at.items() if judged is FaceAbsence.FROZEN] == [5, 6, 7]
    assert watch.judge(scene(1), timing_at(8).aligned) is None


def test_a_clock_that_the_camera_writes_into_a_frozen_picture_does_not_make_it_live(
    watch: PictureWatch, timing_at: TimingAt
) -> None:
    for second in range(8):
        picture = scene(0)
        cv2.putText(picture, f"08:00:{second:02d}", (4, 16), cv2.FONT_HERSHEY_PLAIN, 0.8, (255, 255, 255))
        judged = watch.judge(picture, timing_at(second).aligned)
    assert judged is FaceAbsence.FROZEN


def test_a_black_picture_with_noise_is_black_at_once(watch: PictureWatch, timing_at: TimingAt) -> None:
    assert watch.judge(scene(0, bright=12), timing_at(0).aligned) is FaceAbsence.BLACK


def test_a_dark_picture_with_something_bright_in_it_is_not_black(watch: PictureWatch, timing_at: TimingAt) -> None:
    picture = scene(0, bright=8)
    picture[50:70, 50:70] = 60
    assert watch.judge(picture, timing_at(0).aligned) is None


def test_a_clock_that_is_put_back_begins_the_count_anew(watch: PictureWatch, timing_at: TimingAt) -> None:
    for second in (10, 14, 4, 8):
        judged = watch.judge(scene(0), timing_at(second).aligned)
    assert judged is None
