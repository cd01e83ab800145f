"""The times of what a camera sends: from its own clock where RTCP tells it, else from the rhythm of its RTP clock.

A sender report (RFC 3550, 6.4.1) ties the RTP clock to the camera's time of day; from the first one on, an item has a
source time, and the house's rule for skew applies. Without one the RTP clock still says how far two items lie apart:
the smallest delay between it and the receive time places them, so that jitter of the network does not reach the window.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from neopain.domain.time import SkewEstimate, TimeQuality, Timing
from neopain.errors import CameraUnavailable
from neopain.ingest.camera.source import Arrived

SETTLING = timedelta(seconds=0.5)
"""What a connection hands out first was kept while its tracks were looked at, and arrives in one burst."""
OBSERVE_EVERY = timedelta(seconds=0.2)
MOST_OBSERVED = 600
"""Two minutes of them, which is the estimate's span."""
FARTHEST_JUMP_SECONDS = 3.0
"""An RTP clock that runs ahead of the wall clock by more than this from one item to the next has been set."""
NOTHING = timedelta(0)


@dataclass(slots=True)
class _Rhythm:
    """An estimate that a fast stream feeds a few times a second: so it spans two minutes."""

    skew: SkewEstimate = field(default_factory=lambda: SkewEstimate(length=MOST_OBSERVED))
    observed: datetime | None = None

    def align(self, *, received: datetime, source: datetime, is_settling: bool) -> Timing:
        if is_settling or self.observed is None or received - self.observed >= OBSERVE_EVERY:
            self.skew.observe(received=received, source=source)
            self.observed = received
        return self.skew.timing_of(received=received, source=source)


@dataclass(slots=True)
class StreamClock:
    """The clock of one track of one connection. ``trusts_source`` False: the site knows that the camera's is wrong."""

    trusts_source: bool = True
    lag: timedelta = NOTHING
    """How much later than the quickest ones the last item arrived, by the RTP clock, whatever the camera's own says."""
    _source: _Rhythm = field(default_factory=_Rhythm)
    _rtp: _Rhythm = field(default_factory=_Rhythm)
    _first: Arrived | None = None
    _last: Arrived | None = None

    def align(self, arrived: Arrived, *, length: timedelta = NOTHING) -> Timing | None:
        """The times of an item that is ``length`` long: it can only be sent at its end, so the end is compared. None
        while the connection settles.

        ``CameraUnavailable`` when the RTP clock jumped: nothing can be placed by it any more.
        """
        self._require_steady(arrived)
        first = self._first = self._first or arrived
        is_settling = arrived.received - first.received < SETTLING
        by_rtp = self._by_rtp(first, arrived, length, is_settling=is_settling)
        by_source = self._by_source(arrived, length, is_settling=is_settling)
        return None if is_settling else by_source or by_rtp

    def _by_rtp(self, first: Arrived, arrived: Arrived, length: timedelta, *, is_settling: bool) -> Timing:
        end = first.received + timedelta(seconds=arrived.seconds - first.seconds) + length
        placed = self._rtp.align(received=arrived.received, source=end, is_settling=is_settling)
        self.lag = max(arrived.received - end - (self._rtp.skew.skew or NOTHING), NOTHING)
        return Timing(arrived.received, placed.aligned - length, TimeQuality.NO_SOURCE_TIME)

    def _by_source(self, arrived: Arrived, length: timedelta, *, is_settling: bool) -> Timing | None:
        if arrived.taken is None or not self.trusts_source:
            return None
        placed = self._source.align(received=arrived.received, source=arrived.taken + length, is_settling=is_settling)
        if placed.quality is TimeQuality.UNUSABLE:
            return Timing(arrived.received, arrived.received, placed.quality, arrived.taken)
        return Timing(arrived.received, placed.aligned - length, placed.quality, arrived.taken)

    def _require_steady(self, arrived: Arrived) -> None:
        last, self._last = self._last, arrived
        if last is None:
            return
        step = arrived.seconds - last.seconds
        if step < 0 or step - (arrived.received - last.received).total_seconds() > FARTHEST_JUMP_SECONDS:
            raise CameraUnavailable("clock-jumped", f"the RTP clock stepped by {step:.1f} s")
