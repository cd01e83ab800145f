"""Whether a face crop shows enough to be read: sharp enough, and not covered. How the limits came about:

Sharpness is the variance of the Laplacian of Gaussian (sigma 1) of the crop at 112 pixels, in thousandths of the
variance of its brightness: relative, so that light and contrast do not matter, and smoothed, so that a sensor's noise
does not pass for detail. A portrait with a face of 125 pixels has 13; blurred with a sigma of 2 pixels 2.7, of 3
pixels 1.2, of 4 pixels 0.7; made as small as the smallest face that is taken, 3.3; simulated infants have 13 to 25.

Covered is judged by cells without structure. It finds a lens cap, a sheet, a hand before the lens; a mask or a tube
over part of the face it does not find: those the nets are to cope with.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from neopain.domain.media import FACE_SIZE_PX, FaceAbsence

SIDE_PX = FACE_SIZE_PX // 2
"""Crops are judged at this size."""
LEAST_SHARPNESS = 1.0
BASE_VARIANCE = 25.0
"""Added to the variance of brightness (0..255), so that an even crop is not divided by nothing."""
CELL_PX = 8
MARGIN_PX = 16
"""The rim of the crop is not the face."""
PLAIN_BELOW = 0.012
"""Standard deviation of a cell's brightness, as a share of the crop's mean, below which it has no structure."""
LEAST_MEAN = 20.0
MOST_PLAIN = 0.6

Grey = NDArray[np.float32]


def why_unusable(crop: bytes) -> FaceAbsence | None:
    """Why a crop (224x224x3 bytes, RGB) shows no face that can be read; None for a usable one."""
    grey = _grey(crop)
    if plain_share(grey) > MOST_PLAIN:
        return FaceAbsence.COVERED
    return FaceAbsence.BLURRED if sharpness(grey) < LEAST_SHARPNESS else None


def sharpness(grey: Grey) -> float:
    """The sharpness of a crop of 112x112 brightness values (0..255)."""
    edges = cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), 1.0), cv2.CV_32F)
    return 1000.0 * float(edges.var()) / (float(grey.var()) + BASE_VARIANCE)


def plain_share(grey: Grey) -> float:
    """The share of cells without structure, 0 to 1."""
    smooth = cv2.GaussianBlur(grey, (0, 0), 2.0)
    inner = smooth[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
    count = inner.shape[0] // CELL_PX
    cells = inner.reshape(count, CELL_PX, count, CELL_PX).swapaxes(1, 2).reshape(count * count, -1)
    return float((cells.std(axis=1) < PLAIN_BELOW * max(float(inner.mean()), LEAST_MEAN)).mean())


def _grey(crop: bytes) -> Grey:
    picture = np.frombuffer(crop, np.uint8).reshape(FACE_SIZE_PX, FACE_SIZE_PX, 3)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
