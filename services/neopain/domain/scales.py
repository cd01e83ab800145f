"""Pain scales and the maps between them, carried as data with a version.

NIPS has six items and runs from 0 to 7 (Lawrence 1993; interop.md 1.1). The source paper reports a 0..10 calibration;
no such transform is published, so ours is a plain x10/7 and says so.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScaleMap:
    """A linear map from a raw scale to the reported one."""

    name: str
    version: str
    raw_max: float
    reported_max: float

    def to_reported(self, raw: float) -> float:
        """The reported value of a raw one, clipped to the scale."""
        return min(max(raw * self.reported_max / self.raw_max, 0.0), self.reported_max)

    def to_raw(self, reported: float) -> float:
        """The raw value of a reported one, clipped to the scale."""
        return min(max(reported * self.raw_max / self.reported_max, 0.0), self.raw_max)


NIPS_X10_7 = ScaleMap(name="NIPS", version="nips-x10/7-v1", raw_max=7.0, reported_max=10.0)
