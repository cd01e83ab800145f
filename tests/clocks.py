"""Time as a value that a test sets."""

from __future__ import annotations

from datetime import datetime, timedelta


class SetClock:
    """A clock that the test sets."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        """The time that was set."""
        return self.moment

    async def sleep(self, seconds: float) -> None:
        """Lets the time pass at once."""
        self.moment += timedelta(seconds=seconds)
