"""What a slow Triton is asked: one window at a time, and none whose answer would come too late.

Behind a backlog every window would be asked for just before its limit. Where an answer takes longer than what is left
by then, or several at once take longer than one request may, nearly all are given up half-done: Triton is always busy,
and nothing is scored.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from neopain.scoring.inference import TritonTooSlow

MARGIN = 1.25
"""No two answers take equally long: what is expected is the last one's time and a quarter of it."""
LONGER = 1.5
"""An answer that was given up after some time is expected to take half as long again."""
SLOW = 1 / 2
"""An answer that takes this part of the deadline makes Triton slow: two at once would not both be in time."""
QUICK = 1 / 4
"""An answer to a single question that takes no more than this part of the deadline: two at once would."""


class Pace:
    """How long an answer takes at present; at most ``most_seconds``, what one request may take.

    Because of that bound a window with so much time left is always asked: whoever was slow once is not slow for ever.
    """

    def __init__(self, most_seconds: float) -> None:
        self.most_seconds = most_seconds
        self.expected_seconds = 0.0
        self.is_slow = False
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Inside, Triton may be asked: at once as a rule, after each other where it is slow."""
        if not self.is_slow:
            yield
            return
        async with self._turn:
            yield

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Around one question."""
        begin = time.monotonic()
        try:
            yield
        except TritonTooSlow:
            self.gave_up(time.monotonic() - begin)
            raise
        else:
            self.answered(time.monotonic() - begin)

    def answered(self, seconds: float) -> None:
        """An answer came after so long."""
        self._expect(MARGIN * seconds)
        if seconds >= SLOW * self.most_seconds:
            self.is_slow = True
        elif seconds <= QUICK * self.most_seconds:
            self.is_slow = False

    def gave_up(self, seconds: float) -> None:
        """No answer came within so long."""
        self._expect(max(self.expected_seconds, LONGER * seconds))
        self.is_slow = True

    def _expect(self, seconds: float) -> None:
        self.expected_seconds = min(seconds, self.most_seconds)
