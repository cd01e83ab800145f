"""Moving averages of samples, and straight lines across those that are missing; pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]


def averaged(values: Numbers, width: float) -> Numbers:
    """The mean of so many samples around each, the ends repeated; [n] as given."""
    size = max(int(width), 1)
    padded = np.pad(values, (size // 2, size - 1 - size // 2), mode="edge")
    return np.convolve(padded, np.full(size, 1 / size), mode="valid")


def filled(values: Numbers) -> Numbers:
    """The values with straight lines across what is missing; zeros where all is."""
    known = np.isfinite(values)
    if not known.any():
        return np.zeros_like(values)
    places = np.arange(values.size)
    return np.interp(places, places[known], values[known])
