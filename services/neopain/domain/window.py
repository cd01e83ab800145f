"""Windows: which stretch of time a score is about, and the tick that asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from neopain.domain.identity import BedId

VITALS_SPAN = timedelta(seconds=30)
CRY_SPAN = timedelta(seconds=10)
CLIP_SPAN = timedelta(seconds=15 * 4 / 30)
"""Sixteen frames at every fourth of 30 per second: the first lies 2.0 s before the last."""
SHORTEST_DATA = timedelta(seconds=3)
"""A window may be partial from this much data on."""
CADENCE = timedelta(seconds=1)
LATENESS = timedelta(seconds=0.5)
"""The window that ends at T closes at T + lateness."""
OLDEST_TICK = timedelta(seconds=10)
"""A tick older than this is marked missed, never silently dropped."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Bed B, window ending at T, closed. ``last_ids`` are the last id of each of B's streams at closing, so that a
    repeated tick reads the same window. A stream that is missing there had nothing at closing, or lies on the bed's
    media server and ``is_media_away``: that did not answer."""

    bed: BedId
    window_end: datetime
    closed: datetime
    last_ids: dict[str, str]
    is_media_away: bool = False


def window_end_before(moment: datetime, *, cadence: timedelta = CADENCE) -> datetime:
    """The last end of a window on the cadence's grid (from the epoch) at or before the moment."""
    step = cadence.total_seconds()
    seconds = moment.timestamp() // step * step
    return datetime.fromtimestamp(seconds, tz=moment.tzinfo)
