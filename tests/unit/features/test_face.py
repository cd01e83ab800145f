from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from neopain.domain.media import FaceAbsence, FaceBox
from neopain.features.face import crop_face


def pixels(crop: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(crop, np.uint8).reshape(224, 224, 3)


def test_a_crop_is_the_box_at_224_pixels_in_rgb(halves: NDArray[np.uint8]) -> None:
    crop, absence = crop_face(halves, FaceBox(110, 70, 100, 100))
    assert absence is None
    assert pixels(crop)[112, 60].tolist() == [255, 0, 0]
    assert pixels(crop)[112, 160].tolist() == [0, 0, 255]


def test_a_crop_of_224_pixels_is_exact() -> None:
    picture = np.random.default_rng(3).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    crop, _ = crop_face(picture, FaceBox(50, 20, 224, 224))
    assert np.array_equal(pixels(crop), picture[20:244, 50:274])


def test_a_tall_box_is_widened_to_a_square_so_that_the_face_is_not_squeezed(halves: NDArray[np.uint8]) -> None:
    crop, _ = crop_face(halves, FaceBox(140, 20, 40, 200))
    columns = pixels(crop)[112, :, 0]
    assert (columns[:110] == 255).all()
    assert (columns[114:] == 0).all()


def test_a_box_over_the_edge_is_moved_inwards(halves: NDArray[np.uint8]) -> None:
    crop, absence = crop_face(halves, FaceBox(-40, -40, 100, 100))
    assert absence is None
    assert (pixels(crop) == (255, 0, 0)).all()


def test_a_box_larger_than_the_picture_gives_the_largest_square(halves: NDArray[np.uint8]) -> None:
    crop, absence = crop_face(halves, FaceBox(-200, -200, 720, 640))
    assert absence is None
    assert pixels(crop)[112, 10].tolist() == [255, 0, 0]
    assert pixels(crop)[112, 213].tolist() == [0, 0, 255]


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        (None, FaceAbsence.NO_FACE_BOX),
        (FaceBox(400, 100, 80, 80), FaceAbsence.OUTSIDE_FRAME),
        (FaceBox(100, -300, 80, 80), FaceAbsence.OUTSIDE_FRAME),
        (FaceBox(100, 100, 31, 80), FaceAbsence.TOO_SMALL),
        (FaceBox(0, 0, 0, 0), FaceAbsence.TOO_SMALL),
        (FaceBox(100, 100, -50, 60), FaceAbsence.TOO_SMALL),
    ],
)
def test_without_a_usable_box_there_is_no_crop_but_a_reason(
    halves: NDArray[np.uint8], box: FaceBox | None, reason: FaceAbsence
) -> None:
    assert crop_face(halves, box) == (b"", reason)
