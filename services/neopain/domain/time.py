"""Time: what the source said, when it arrived, and the aligned time that windows use (DESIGN: Time).

Aligned time is source time less the source's bounded rolling skew. Above 2 s of skew, or without a source time, the
receive time is used and flagged; above 30 s the clock of the source is not believed at all.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum

SKEW_LIMIT = timedelta(seconds=2)
SKEW_ABSENT = timedelta(seconds=30)
MINUTE = timedelta(minutes=1)


class TimeQuality(Enum):
    """How an aligned time was found."""

    SOURCE = "source"
    """Source time less the source's skew."""
    NO_SOURCE_TIME = "no-source-time"
    """The source gave none: receive time."""
    SKEWED = "skewed"
    """The source's clock is off by 2 to 30 s: receive time."""
    UNUSABLE = "unusable"
    """The source's clock is off by more than 30 s, or its time says nothing of now: the modality is absent."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of one item. All aware, UTC; ``source_text`` is the source's own writing, kept exactly."""

    received: datetime
    aligned: datetime
    quality: TimeQuality
    source: datetime | None = None
    source_text: str = ""


@dataclass(slots=True)
class SkewEstimate:
    """The rolling skew of one source's clock: the smallest of the last delays (receive minus source).

    The smallest, since a delay is the skew plus a transport time that is never negative. It is bounded to +-2 s when
    it is taken off; beyond, the receive time stands in. A clock that was put right is believed again when the delays
    from before are older than ``span``.
    """

    length: int = 120
    span: timedelta = timedelta(minutes=2)
    observed: int = 0
    """Delays so far."""
    rising: deque[tuple[int, datetime, float]] = field(default_factory=deque)
    """Of the last delays those below all that came after them: number, when received, delay. The smallest is first."""

    def align(self, *, received: datetime, source: datetime | None, source_text: str = "") -> Timing:
        """The times of an item that was received now; feeds the estimate."""
        if source is not None:
            self.observe(received=received, source=source)
        return self.timing_of(received=received, source=source, source_text=source_text)

    def observe(self, *, received: datetime, source: datetime) -> None:
        """Feeds the estimate with one delay: once for a message, whatever it carries."""
        delay, rising = (received - source).total_seconds(), self.rising
        while rising and rising[-1][2] >= delay:
            rising.pop()
        self.observed += 1
        rising.append((self.observed, received, delay))
        while self.observed - rising[0][0] >= self.length or received - rising[0][1] > self.span:
            rising.popleft()

    @property
    def skew(self) -> timedelta | None:
        """How far the source's clock is behind ours; None before the first delay."""
        return timedelta(seconds=self.rising[0][2]) if self.rising else None

    def timing_of(
        self, *, received: datetime, source: datetime | None, source_text: str = "", minute: datetime | None = None
    ) -> Timing:
        """The times of an item, by the estimate as it stands; ``minute`` is that of a time without seconds."""
        skew = self.skew
        if source is None and not may_be_of(received, source_text=source_text, minute=minute):
            return Timing(received, received, TimeQuality.UNUSABLE, source, source_text)
        if source is None or skew is None:
            return Timing(received, received, TimeQuality.NO_SOURCE_TIME, source, source_text)
        if abs(skew) > SKEW_ABSENT:
            return Timing(received, received, TimeQuality.UNUSABLE, source, source_text)
        if abs(skew) > SKEW_LIMIT:
            return Timing(received, received, TimeQuality.SKEWED, source, source_text)
        return Timing(received, source + skew, TimeQuality.SOURCE, source, source_text)


def may_be_of(moment: datetime, *, source_text: str, minute: datetime | None) -> bool:
    """Whether a value without a source time to the second is taken as of the moment that it came: where none is given,
    or where its minute (the begin of it) is that moment's, as far as a clock may be off."""
    if minute is None:
        return not source_text
    return minute - SKEW_ABSENT <= moment <= minute + MINUTE + SKEW_ABSENT


def recorded_timing(*, received: datetime, source: datetime, source_text: str = "") -> Timing:
    """The times of an item of a recording: its own clock is the only one there is."""
    return Timing(received, source, TimeQuality.SOURCE, source, source_text)


def utc(moment: datetime) -> datetime:
    """The same moment in UTC; a naive one is refused with ``ValueError``."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    return moment.astimezone(UTC)
