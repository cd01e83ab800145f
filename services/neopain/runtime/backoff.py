"""Back-off: full jitter, doubling, bounded."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Waiting times that double from ``first`` to ``longest`` seconds, each drawn between half of it and all of it."""

    first: float = 0.1
    longest: float = 5.0
    attempts: int = 0

    def next_seconds(self) -> float:
        """How long to wait now; counts the attempt until the longest wait is reached."""
        span = min(self.first * 2.0**self.attempts, self.longest)
        if span < self.longest:  # further ones change nothing, however many there are
            self.attempts += 1
        return float(span) * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, guards nothing

    def ease(self) -> None:
        """It worked this time: the next failure waits half as long."""
        self.attempts = max(self.attempts - 1, 0)

    def reset(self) -> None:
        """It worked: the next failure starts anew."""
        self.attempts = 0
