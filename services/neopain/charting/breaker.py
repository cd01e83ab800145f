"""The circuit breaker of a delivery worker: an EHR that fails again and again is left alone for a while.

Closed, everything goes; open, nothing does; after the pause one attempt shows whether the EHR is well.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta


class CircuitBreaker:
    """Counts failures in a row, of all infants. Safe to share between threads."""

    def __init__(self, *, failures: int = 5, pause: timedelta = timedelta(seconds=30)) -> None:
        self.failures = failures
        """So many in a row open it."""
        self.pause = pause
        """For how long it stays open; then one attempt is let through."""
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._until: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether the EHR is being left alone, or one attempt is on its way to find out."""
        return self._until is not None

    def lets_through(self, now: datetime) -> bool:
        """Whether an attempt may be made. While it is open, one after each pause."""
        with self._lock:
            if self._until is None:
                return True
            # A pause that has longer to go than it takes was begun by a clock that was ahead.
            if self._until - self.pause <= now < self._until:
                return False
            self._until = now + self.pause
            return True

    def succeeded(self) -> bool:
        """The EHR answered; returns whether it had been left alone."""
        with self._lock:
            was_open = self._until is not None
            self._in_a_row, self._until = 0, None
            return was_open

    def failed(self, now: datetime) -> bool:
        """The EHR did not answer; returns whether it is left alone from now on."""
        with self._lock:
            self._in_a_row += 1
            was_open = self._until is not None
            if self._in_a_row < self.failures and not was_open:
                return False
            self._until = now + self.pause
            return not was_open
