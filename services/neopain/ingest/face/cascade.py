"""OpenCV's LBP cascade for frontal upright faces, as scikit-image carries and runs it.

OpenCV 5's own wheels have neither the cascades' files nor ``cv2.CascadeClassifier`` any more. scikit-image is not
installed by default, since it pulls in much and since cascades find few faces of infants who lie on their side: a
fallback for a site that has no YuNet file.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from neopain.domain.media import FaceBox
from neopain.errors import ConfigurationError
from neopain.features.face import Picture
from neopain.ingest.face.finder import FoundFace

LONGEST_SIDE_PX = 320
SMALLEST_FACE_PX = 40
LARGEST_FACE_PX = 240
SCALE_STEP = 1.1
LEAST_NEIGHBOURS = 12
"""So many overlapping hits make a face. With 8, a portrait turned upside down gave a face where none is; with 12, eight
pictures in four positions gave the one face that there is, and no other."""


class CascadeFinder:
    """A finder with the cascade. ``ConfigurationError`` when scikit-image is not installed."""

    def __init__(self) -> None:
        self._cascade: Any = _load()

    def find(self, picture: Picture) -> list[FoundFace]:
        """The faces; a cascade knows no confidence and no roll."""
        scale = min(LONGEST_SIDE_PX / max(picture.shape[:2]), 1.0)
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        largest = min(LARGEST_FACE_PX, *small.shape[:2])
        hits = self._cascade.detect_multi_scale(
            img=np.ascontiguousarray(small),
            scale_factor=SCALE_STEP,
            step_ratio=1,
            min_size=(SMALLEST_FACE_PX, SMALLEST_FACE_PX),
            max_size=(largest, largest),
            min_neighbor_number=LEAST_NEIGHBOURS,
        )
        return [FoundFace(_box(hit, scale)) for hit in hits]


def _box(hit: dict[str, int], scale: float) -> FaceBox:
    left, top, width, height = (round(hit[name] / scale) for name in ("c", "r", "width", "height"))
    return FaceBox(left, top, width, height)


def _load() -> Any:
    try:
        from skimage import data  # noqa: PLC0415 - scikit-image is there only where a site wants it
        from skimage.feature import Cascade  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(
            "the face finder 'cascade' needs scikit-image: .venv/bin/pip install scikit-image, or set "
            "NEOPAIN_INGEST_CAMERA_FINDER to yunet or none"
        ) from error
    return Cascade(data.lbp_frontal_face_cascade_filename())
