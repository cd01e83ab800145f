"""Movement in the wide view: how fast what moved went, whatever the light did and whatever it is wrapped in.

A mean change of brightness says as much of blanket, clothes and background as of the infant. Divided by the gradient of
what changed it is a way (the least-squares normal flow of Lucas & Kanade 1981): 0.016 of the one was pain of one infant
and calm of another (docs/adr/0031).
"""

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
LIGHT_SHARE = 0.25
"""Of what all of the view changed by, this share may differ from place to place: a light does not shine evenly."""
AROUND_PX = 2
"""What lies so near to what changed is of the same thing."""
STILL = 0.1
"""Added to the sum of squared gradients: where there is hardly an edge no way can be told."""
FULL_PX = 1.5
"""Pixels of the averaged view in a quarter of a second that count as 1."""
DARK = 16.0
"""Added to brightness (0..255) before the logarithm: dark pixels are noisy."""


class MovementMeter:
    """Compares each picture of one camera with the one before."""

    def __init__(self) -> None:
        self._view: NDArray[np.float32] | None = None
        self._shape: tuple[int, ...] = ()
        self._moment: datetime | None = None

    def measure(self, picture: Picture, moment: datetime) -> float | None:
        """The speed since the picture before, 0 (still) to 1, as if they were a quarter of a second apart.

        None for the first picture, after a gap, after a change of the picture's size, and when time went back.
        """
        view, before = log_brightness(picture), self._view
        seconds = (moment - self._moment).total_seconds() if self._moment is not None else 0.0
        is_comparable = before is not None and self._shape == picture.shape and 0 < seconds <= LONGEST_STEP_SECONDS
        self._view, self._shape, self._moment = view, picture.shape, moment
        if before is None or not is_comparable:
            return None
        return min(way(before, view) / FULL_PX * STEP_SECONDS / seconds, 1.0)


def log_brightness(picture: Picture) -> NDArray[np.float32]:
    """The view as 48x64 log brightness: a change of gain or exposure adds a constant to all of it.

    Brightness is the green of every ``step``-th pixel: that is enough for an average, and much cheaper.
    """
    step = max(picture.shape[1] // FINEST_WIDTH_PX, 1)
    green = np.ascontiguousarray(picture[::step, ::step, 1])
    small = cv2.resize(green, VIEW_PX, interpolation=cv2.INTER_AREA)
    return np.asarray(np.log(small.astype(np.float32) + np.float32(DARK)), np.float32)


def way(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """How far what moved went, in pixels of the view; what all of it did alike (its median) is taken for light."""
    difference = after - before
    light = float(np.median(difference))
    change = np.abs(difference - light)
    moved = (change > max(NOISE, LIGHT_SHARE * abs(light))).astype(np.uint8)
    if not moved.any():
        return 0.0
    near = cv2.dilate(moved, np.ones((2 * AROUND_PX + 1, 2 * AROUND_PX + 1), np.uint8)).astype(bool)
    gradient = (_gradient(before) + _gradient(after))[near] / 2.0
    return float((change[near] * gradient).sum() / ((gradient * gradient).sum() + STILL))


def _gradient(view: NDArray[np.float32]) -> NDArray[np.float32]:
    """Its steepness, per pixel."""
    across, down = cv2.Sobel(view, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(view, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(np.hypot(across, down), np.float32)
