from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from neopain.domain.media import FaceBox
from neopain.features.face import crop_face
from neopain.ingest.face.finder import FoundFace, find_turned, overlap, within


class RedFinder:
    """Finds the one red patch, if its top left quarter is brighter than the rest: if it is upright."""

    def find(self, picture: NDArray[np.uint8]) -> list[FoundFace]:
        rows, columns = np.nonzero(picture[:, :, 0] > 100)
        if not len(rows):
            return []
        left, top = int(columns.min()), int(rows.min())
        box = FaceBox(left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1)
        return [FoundFace(box)] if picture[top, left, 0] > 200 else []


def picture_with_patch() -> NDArray[np.uint8]:
    picture = np.zeros((240, 320, 3), np.uint8)
    picture[50:110, 40:120, 0] = 150
    picture[50:80, 40:80, 0] = 250
    return picture


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_face_that_lies_on_any_side_is_found_and_cropped_upright(turns: int) -> None:
    lying = np.ascontiguousarray(np.rot90(picture_with_patch(), -turns))
    (face,) = find_turned(RedFinder(), lying, turns)
    assert face.box.turns == turns
    crop, absence = crop_face(lying, face.box)
    assert absence is None
    upright = np.frombuffer(crop, np.uint8).reshape(224, 224, 3)[:, :, 0]
    assert upright[80, 30] > 240
    assert 140 < upright[80, 190] < 160


def test_a_box_of_another_position_is_not_found() -> None:
    assert find_turned(RedFinder(), picture_with_patch(), 1) == []


def test_the_overlap_of_two_boxes_is_the_common_share() -> None:
    assert overlap(FaceBox(0, 0, 10, 10), FaceBox(5, 0, 10, 10)) == pytest.approx(1 / 3)
    assert overlap(FaceBox(0, 0, 10, 10), FaceBox(20, 0, 10, 10)) == 0.0


def test_what_a_finder_lets_reach_over_the_edge_is_cut() -> None:
    assert within(FaceBox(-10, 200, 50, 60), picture_with_patch()) == FaceBox(0, 200, 40, 40)
