"""A leg: one run of the command, which may end before the training does and is taken up by the next one.

It ends when its minutes are over, or when somebody asks it to (SIGTERM, Ctrl-C): at the next step, with everything
saved. Also what it says to the person who waits.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Protocol


@dataclass(slots=True)
class Leg:
    """The time that is left to this run of the command; ``deadline`` is of ``time.monotonic``, None for no end."""

    deadline: float | None = None
    asked_to_end: bool = field(default=False)

    @classmethod
    def of_minutes(cls, minutes: float | None) -> Leg:
        """A leg that begins now."""
        return cls(None if minutes is None else time.monotonic() + 60 * minutes)

    @property
    def is_over(self) -> bool:
        """Whether to save and stop now."""
        return self.asked_to_end or (self.deadline is not None and time.monotonic() >= self.deadline)

    @contextmanager
    def ending_on_signals(self) -> Iterator[None]:
        """Within, SIGTERM and SIGINT end the leg in order; a second one ends the process at once."""

        def end(number: int, _frame: FrameType | None) -> None:
            self.asked_to_end = True
            signal.signal(number, signal.SIG_DFL)

        before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class LegOver(Exception):
    """The leg ended before the work did; everything is saved."""


class Told(Protocol):
    """What the training tells the person who waits."""

    def begin(self, what: str, total: float, done: float) -> None:
        """A piece of work of so many units begins, or goes on where it was."""

    def advance(self, done: float, note: str) -> None:
        """So many units of it are done; ``note`` is the latest figure, "" for none."""

    def say(self, text: str) -> None:
        """One line."""


class Silent:
    """Tells nothing."""

    def begin(self, what: str, total: float, done: float) -> None:
        """Nothing."""

    def advance(self, done: float, note: str) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""
