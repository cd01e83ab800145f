"""Whether a camera's picture shows anything: not when it is black, nor when it has been the same for seconds.

A frozen picture would look like an infant that lies still. Even a still scene is never the same twice: the sensor's
noise moves each cell's mean. What the camera writes into the picture itself (a clock) may go on in a frozen one: so a
few changed cells do not count.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import cv2
import numpy as np
from numpy.typing import NDArray

from neopain.domain.media import FaceAbsence
from neopain.features.face import Picture

CELLS = (64, 48)
"""The picture is averaged down to this, width and height."""
FINEST_WIDTH_PX = 320
"""About so many pixels of a row are averaged."""
SAME_SHARE = 0.98
"""A picture of which so many cells are exactly those of the one before is the same picture."""
BLACK_BELOW = 24.0
"""Brightness (0..255) that no cell of a black picture reaches; video black is 0 to 16."""

Cells = NDArray[np.float32]


class PictureWatch:
    """The pictures of one camera in the order of time."""

    def __init__(self, frozen_seconds: float) -> None:
        self.frozen_after = timedelta(seconds=frozen_seconds)
        self._cells: Cells | None = None
        self._changed: datetime | None = None

    def judge(self, picture: Picture, moment: datetime) -> FaceAbsence | None:
        """Why the picture shows nothing of the bed; None for one that does."""
        cells, before = brightness(picture), self._cells
        self._cells = cells
        if self._changed is None or before is None or moment < self._changed or not is_same(before, cells):
            self._changed = moment
        if float(cells.max()) < BLACK_BELOW:
            return FaceAbsence.BLACK
        return FaceAbsence.FROZEN if moment - self._changed >= self.frozen_after else None


def brightness(picture: Picture) -> Cells:
    """The mean green of 48x64 cells."""
    step = max(picture.shape[1] // FINEST_WIDTH_PX, 1)
    green = np.ascontiguousarray(picture[::step, ::step, 1]).astype(np.float32)
    return np.asarray(cv2.resize(green, CELLS, interpolation=cv2.INTER_AREA), np.float32)


def is_same(before: Cells, after: Cells) -> bool:
    """Whether two pictures are one, but for a clock that the camera writes into it."""
    return float((before == after).mean()) >= SAME_SHARE
