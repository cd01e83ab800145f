"""What every figure starts from and ends with: paired samples, and a value with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from neopain.errors import ContractBroken

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

NAN: Final = float("nan")
LEVEL: Final = 0.95
"""Confidence of every interval where the caller does not say another."""


@dataclass(frozen=True, slots=True)
class Estimated:
    """A figure and the ends of its confidence interval; NaN for what the sample cannot tell."""

    value: float
    low: float = NAN
    high: float = NAN


UNKNOWN: Final = Estimated(NAN)


def paired(*columns: npt.ArrayLike) -> tuple[Floats, ...]:
    """Each column as float64 [n]; ``ContractBroken`` when they are not all of one length."""
    arrays = tuple(np.asarray(column, dtype=np.float64) for column in columns)
    shapes = {array.shape for array in arrays}
    if len(shapes) != 1 or arrays[0].ndim != 1:
        told = " and ".join(str(array.shape) for array in arrays)
        raise ContractBroken(f"paired samples have the shapes {told}, expected one length and one axis")
    return arrays


def is_usable(*arrays: npt.NDArray[Any]) -> bool:
    """Whether there is at least one value and every value is finite."""
    return all(array.size > 0 and bool(np.isfinite(array).all()) for array in arrays)


def is_constant(array: Floats) -> bool:
    """Whether all values are the same, exactly."""
    return bool((array == array[0]).all())
