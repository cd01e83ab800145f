from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from neopain.domain.media import FaceAbsence, FaceBox
from neopain.features.face import crop_face
from neopain.features.face_quality import why_unusable
from neopain.simulator.behaviour import Signs
from neopain.simulator.infant import simulated_infant
from neopain.simulator.scene import Scene

CALM = Signs(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, (0.0, 0.0), (0.0, 0.0), 0.0)


def judged(picture: NDArray[np.uint8], box: FaceBox) -> FaceAbsence | None:
    crop, absence = crop_face(picture, box)
    assert absence is None
    return why_unusable(crop)


@pytest.fixture(scope="module")
def infant() -> tuple[NDArray[np.uint8], FaceBox]:
    frame = Scene(simulated_infant(3, 0)).frame(CALM, 0)
    return frame.rgb, frame.face


def test_an_infant_s_face_in_focus_is_usable(infant: tuple[NDArray[np.uint8], FaceBox]) -> None:
    assert judged(*infant) is None


@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_a_face_out_of_focus_is_blurred_whatever_the_sensor_s_noise(
    infant: tuple[NDArray[np.uint8], FaceBox], noise: float
) -> None:
    picture, box = infant
    blurred = cv2.GaussianBlur(picture, (0, 0), 6.0).astype(np.float64)
    noisy = blurred + np.random.default_rng(0).normal(0.0, noise, blurred.shape) if noise else blurred
    assert judged(np.clip(noisy, 0, 255).astype(np.uint8), box) is FaceAbsence.BLURRED


def test_a_face_in_little_light_is_usable(infant: tuple[NDArray[np.uint8], FaceBox]) -> None:
    picture, box = infant
    assert judged((picture // 4).astype(np.uint8), box) is None


def test_a_sheet_over_the_face_covers_it(infant: tuple[NDArray[np.uint8], FaceBox]) -> None:
    picture, box = infant
    covered = picture.copy()
    covered[box.y : box.y + box.height, box.x : box.x + box.width] = (210, 214, 220)
    assert judged(covered, box) is FaceAbsence.COVERED


def test_a_tube_over_a_part_of_the_face_does_not_hide_it(infant: tuple[NDArray[np.uint8], FaceBox]) -> None:
    picture, box = infant
    part = picture.copy()
    part[box.y + box.height * 2 // 3 : box.y + box.height, box.x : box.x + box.width] = (210, 214, 220)
    assert judged(part, box) is None


@pytest.mark.parametrize("noise", [1, 8])
def test_a_plain_sheet_is_no_face_whatever_the_sensor_s_noise(noise: int) -> None:
    sheet = 180 + np.random.default_rng(0).integers(-noise, noise + 1, (240, 320, 3))
    assert judged(sheet.astype(np.uint8), FaceBox(100, 0, 120, 120)) is FaceAbsence.COVERED


def test_a_box_on_nothing_is_no_face() -> None:
    assert judged(np.full((240, 320, 3), 200, np.uint8), FaceBox(100, 0, 90, 90)) is FaceAbsence.COVERED
