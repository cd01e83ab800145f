"""YuNet by OpenCV (``cv2.FaceDetectorYN``): upright faces with five landmarks. Its file is the site's to bring.

The file is ``face_detection_yunet_2026may.onnx`` or ``..._2023mar.onnx`` of OpenCV's model zoo (MIT licence). Pictures
are laid into a square of 640, the size that the older file is fixed to.
"""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from neopain.domain.media import FaceBox
from neopain.errors import ConfigurationError
from neopain.features.face import Picture
from neopain.ingest.face.finder import FoundFace

SIDE_PX = 640
LEAST_CONFIDENCE = 0.5
"""What is less sure is not even uncertain."""

Rows = NDArray[np.float32]


class YuNetFinder:
    """A finder with the file's network. ``ConfigurationError`` when the file is not one that OpenCV can read."""

    def __init__(self, model: Path) -> None:
        if not model.is_file():
            raise ConfigurationError(
                f"the face finder's file {model} does not exist: set NEOPAIN_INGEST_CAMERA_FINDER_MODEL to "
                "face_detection_yunet_2026may.onnx of OpenCV's model zoo, or NEOPAIN_INGEST_CAMERA_FINDER to none"
            )
        try:
            self._net = cv2.FaceDetectorYN.create(str(model), "", (SIDE_PX, SIDE_PX), LEAST_CONFIDENCE)
            self._net.detect(np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8))
        except cv2.error as error:
            raise ConfigurationError(f"the face finder's file {model} is no YuNet that OpenCV can run") from error

    def find(self, picture: Picture) -> list[FoundFace]:
        """The faces, the surest first."""
        square, scale = in_square(picture)
        _, rows = self._net.detect(square)
        return [] if rows is None else faces_of(np.asarray(rows, np.float32), scale)


def in_square(picture: Picture) -> tuple[Picture, float]:
    """The picture as BGR in the top left of a black square, and by how much it was scaled."""
    scale = SIDE_PX / max(picture.shape[:2])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:SIDE_PX, :SIDE_PX]
    square = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
    square[: small.shape[0], : small.shape[1]] = small[:, :, ::-1]
    return square, scale


def faces_of(rows: Rows, scale: float) -> list[FoundFace]:
    """The faces of YuNet's rows [n, 15]: left, top, width, height; x and y of right eye, left eye, nose, right and left
    corner of the mouth; confidence. The right eye is the infant's: it lies left in the picture of an upright face."""
    found = []
    for row in sorted(rows.tolist(), key=lambda row: -row[14]):
        left, top, width, height = (round(value / scale) for value in row[:4])
        roll = math.degrees(math.atan2(row[7] - row[5], row[6] - row[4]))
        found.append(FoundFace(FaceBox(left, top, width, height), float(row[14]), roll))
    return found
