"""A score from which something counts, and for whom otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Threshold:
    """A score from which something counts, 0..10: ``usual``, and otherwise for bands of gestational age at birth."""

    usual: float
    by_band: Mapping[str, float] = field(default_factory=dict)
    """By names of ``gestation.GA_BAND_NAMES``."""

    def of(self, band: str) -> float:
        """The threshold for an infant of the band."""
        return self.by_band.get(band, self.usual)

    def values(self) -> tuple[float, ...]:
        """Every value that it may have."""
        return (self.usual, *self.by_band.values())
