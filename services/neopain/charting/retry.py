"""When something that failed is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST_ASKED_SECONDS = 86_400.0
"""What an EHR asks for beyond a day is a slip, or no date that it means: it is asked again after a day."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a row is tried again. It doubles from ``first`` to ``longest``, and never ends."""

    first: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(seconds=60)
    doubt: timedelta = timedelta(seconds=10)
    """A request may still be at work at the EHR for this long after it was given up: not sent again before."""
    request: timedelta = timedelta(seconds=10)
    """How long a request waits for its answer. One whose worker died was given up after that, as far as is known."""
    held: timedelta = timedelta(minutes=10)
    taken: timedelta = timedelta(hours=1)
    """How long an EHR may take to show what it said that it took: before that, nothing is sent again."""

    @property
    def farthest(self) -> timedelta:
        """How long a row is put off at most."""
        return max(self.longest, self.held, timedelta(seconds=LONGEST_ASKED_SECONDS))

    def doubted_until(self, now: datetime) -> datetime:
        """Until when what is sent now may be at work at the EHR where the worker does not live to give it up."""
        return now + self.request + self.doubt

    def wait(self, attempts: int, *, asked_for: float | None) -> timedelta:
        """How long to wait after so many failed attempts; at least what the EHR asked for, up to a day."""
        span = min(self.first * 2.0 ** min(attempts, 30), self.longest)
        jittered = span * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, guards nothing
        return max(jittered, timedelta(seconds=min(asked_for or 0.0, LONGEST_ASKED_SECONDS)))
