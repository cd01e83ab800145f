"""The face crop that the video encoder sees, from a picture and a box. Finding the box is somebody else's."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from neopain.domain.media import FACE_SIZE_PX, FaceAbsence, FaceBox

Picture = NDArray[np.uint8]
"""Height x width x 3, uint8, RGB."""

SMALLEST_FACE_PX = 32
"""A face with a shorter side than this is only blur at 224 pixels."""


def crop_face(picture: Picture, box: FaceBox | None) -> tuple[bytes, FaceAbsence | None]:
    """The crop as 224x224x3 bytes, RGB, row by row; or no bytes and why.

    The crop is the square around the box's centre with the box's longer side, so that no face is squeezed. Where the
    square reaches over the edge it is moved inwards, and made smaller if it is larger than the picture. A box whose
    centre lies outside the picture is refused. The crop is turned upright by the box's quarter turns.
    """
    if box is None:
        return b"", FaceAbsence.NO_FACE_BOX
    if min(box.width, box.height) < SMALLEST_FACE_PX:
        return b"", FaceAbsence.TOO_SMALL
    height, width = picture.shape[:2]
    centre_x, centre_y = box.x + box.width // 2, box.y + box.height // 2
    if not (0 <= centre_x < width and 0 <= centre_y < height):
        return b"", FaceAbsence.OUTSIDE_FRAME
    side = min(max(box.width, box.height), width, height)
    left = min(max(centre_x - side // 2, 0), width - side)
    top = min(max(centre_y - side // 2, 0), height - side)
    square = np.rot90(picture[top : top + side, left : left + side], box.turns)
    return _resized(np.ascontiguousarray(square)), None


def _resized(square: Picture) -> bytes:
    shrinks = square.shape[0] > FACE_SIZE_PX
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return bytes(cv2.resize(square, (FACE_SIZE_PX, FACE_SIZE_PX), interpolation=method).tobytes())
