"""Thinning a stream to a steady rate, although its items jitter."""

from __future__ import annotations

from datetime import datetime, timedelta

EARLY = 0.2
"""An item may come this share of the interval before its place in the grid."""
BACKWARDS = 3
"""An item that lies more than so many intervals before the next place shows a clock that was put back."""


class TimeGrid:
    """Takes at most one item per interval on average: each taken one moves the next place on by exactly the interval.

    So jitter does not halve the rate of a stream that is about as fast as the grid, and a faster one is thinned to it.
    After a gap the grid starts anew.
    """

    def __init__(self, interval_seconds: float) -> None:
        self.interval = timedelta(seconds=interval_seconds)
        self._next: datetime | None = None

    def is_due(self, moment: datetime) -> bool:
        """Whether an item of that moment is to be taken."""
        if self._next is None or moment < self._next - BACKWARDS * self.interval:
            return True
        return moment >= self._next - EARLY * self.interval

    def take(self, moment: datetime) -> None:
        """Says that an item of that moment was taken."""
        starts_anew = self._next is None or abs(moment - self._next) > self.interval
        start = moment if starts_anew or self._next is None else self._next
        self._next = start + self.interval
