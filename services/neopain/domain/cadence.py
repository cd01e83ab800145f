"""How often a source sends, and when its silence is a gap. One rule for the metrics and for who looks back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

LEAST_GAP = timedelta(seconds=5)
GAP_INTERVALS = 3
"""A silence of more than so many usual intervals is a gap, if it is also longer than ``LEAST_GAP``."""


@dataclass(slots=True)
class Cadence:
    """Follows the usual interval of one source: half of it is what it was, half the newest interval, a gap cut short.

    A source that has become slower tells a few gaps, then counts as slow.
    """

    last: datetime | None = None
    usual: timedelta | None = None

    def observe(self, moment: datetime) -> timedelta | None:
        """Takes a message; the gap that it ended, None if there was none. One from before the last changes nothing."""
        if self.last is None:
            self.last = moment
            return None
        interval = moment - self.last
        if interval < timedelta(0):
            return None
        gap = interval if self.is_gap(interval) else None
        if self.usual is None:
            self.usual = interval
        else:
            self.usual = (self.usual + min(interval, max(GAP_INTERVALS * self.usual, LEAST_GAP))) / 2
        self.last = moment
        return gap

    def is_gap(self, silence: timedelta) -> bool:
        """Whether a silence is longer than usual; never before the usual interval is known."""
        return self.usual is not None and silence > max(LEAST_GAP, GAP_INTERVALS * self.usual)
