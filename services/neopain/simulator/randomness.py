"""Chance that repeats: generators and slow noise that depend on a seed and a label alone."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

WAVES = 7


def generator(seed: int, *labels: str | int) -> np.random.Generator:
    """A generator that is the same for the same seed and labels, and unlike that of any other labels."""
    words = [zlib.crc32(label.encode()) if isinstance(label, str) else label for label in labels]
    return np.random.default_rng([seed, *words])


@dataclass(frozen=True, slots=True)
class Wander:
    """Slow noise as a pure function of time: mean 0, standard deviation 1, about as slow as ``period_seconds``."""

    frequencies_hz: Floats
    phases: Floats

    def __call__(self, seconds: ArrayLike) -> Floats:
        """The noise at these times, same shape."""
        times = np.asarray(seconds, dtype=np.float64)[..., np.newaxis]
        waves = np.sin(2.0 * np.pi * self.frequencies_hz * times + self.phases)
        return np.asarray(waves.sum(axis=-1) * np.sqrt(2.0 / WAVES))

    def at(self, seconds: float) -> float:
        """The noise at one time."""
        return float(self(seconds))


def wander(seed: int, *labels: str | int, period_seconds: float) -> Wander:
    """The noise of that seed and those labels."""
    rng = generator(seed, *labels)
    frequencies = rng.uniform(0.4, 2.2, WAVES) / period_seconds
    return Wander(frequencies, rng.uniform(0.0, 2.0 * np.pi, WAVES))
