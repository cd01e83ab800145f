"""Motion energy of the wide view: how much of it changed, whatever the light did."""

from __future__ import annotations

from datetime import datetime

import cv2
import numpy as np
from numpy.typing import NDArray

from neopain.features.face import Picture

VIEW_PX = (64, 48)
"""The view is averaged down to this, width and height, so that sensor noise goes."""
FINEST_WIDTH_PX = 320
"""About so many pixels of a row are averaged."""
STEP_SECONDS = 0.25
LONGEST_STEP_SECONDS = 1.0
"""Pictures further apart are not compared."""
NOISE = 0.05
"""Changes of log brightness below this (5 %) are noise."""
FULL = 0.15
"""Mean change of log brightness over the view in a quarter of a second that counts as 1."""
DARK = 16.0
"""Added to brightness (0..255) before the logarithm: dark pixels are noisy."""


class MovementMeter:
    """Compares each picture of one camera with the one before."""

    def __init__(self) -> None:
        self._view: NDArray[np.float32] | None = None
        self._shape: tuple[int, ...] = ()
        self._moment: datetime | None = None

    def measure(self, picture: Picture, moment: datetime) -> float | None:
        """The energy since the picture before, 0 (still) to 1, as if they were a quarter of a second apart.

        None for the first picture, after a gap, after a change of the picture's size, and when time went back.
        """
        view, before = log_brightness(picture), self._view
        seconds = (moment - self._moment).total_seconds() if self._moment is not None else 0.0
        is_comparable = before is not None and self._shape == picture.shape and 0 < seconds <= LONGEST_STEP_SECONDS
        self._view, self._shape, self._moment = view, picture.shape, moment
        if before is None or not is_comparable:
            return None
        return min(change(before, view) / FULL * STEP_SECONDS / seconds, 1.0)


def log_brightness(picture: Picture) -> NDArray[np.float32]:
    """The view as 48x64 log brightness: a change of gain or exposure adds a constant to all of it.

    Brightness is the green of every ``step``-th pixel: that is enough for an average, and much cheaper.
    """
    step = max(picture.shape[1] // FINEST_WIDTH_PX, 1)
    green = np.ascontiguousarray(picture[::step, ::step, 1])
    small = cv2.resize(green, VIEW_PX, interpolation=cv2.INTER_AREA)
    return np.asarray(np.log(small.astype(np.float32) + np.float32(DARK)), np.float32)


def change(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """The mean change above noise; what all of the view did alike (its median) is taken for light."""
    difference = after - before
    difference -= np.median(difference)
    return float(np.maximum(np.abs(difference) - NOISE, 0.0).mean())
