"""The one time axis of a recording, and what lies on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from neopain.domain.media import AudioChunk, FaceFrame, MovementSample
from neopain.domain.time import Timing, recorded_timing
from neopain.domain.vitals import VitalsBatch

Fact = FaceFrame | MovementSample | AudioChunk | VitalsBatch


@dataclass(frozen=True, slots=True)
class Item:
    """One fact of a recording, ``seconds`` after the recording's start."""

    seconds: float
    fact: Fact


@dataclass(frozen=True, slots=True)
class Timeline:
    """Where the recording's start lies on the calendar."""

    start: datetime

    def at(self, seconds: float) -> datetime:
        """The moment that many seconds after the start."""
        return self.start + timedelta(seconds=seconds)

    def timing(self, seconds: float) -> Timing:
        """The times of an item at that place: its own clock is the only one there is."""
        return recorded_timing(received=datetime.now(UTC), source=self.at(seconds))


class Source(Protocol):
    """One file on the time axis, read once from its beginning."""

    @property
    def next_seconds(self) -> float | None:
        """Where the next thing lies that is not read yet; None at the end."""

    @property
    def end_seconds(self) -> float:
        """Where the last thing that was read ends."""

    @property
    def notes(self) -> list[str]:
        """What could not be used."""

    def until(self, seconds: float) -> list[Item]:
        """What comes next, up to that place."""

    def close(self) -> None:
        """Closes the file."""
