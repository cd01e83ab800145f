"""What a slow Triton is asked: few windows at a time, and none whose answer would come too late.

Behind a backlog every window would be asked for just before its limit. Where an answer takes longer than what is left
by then, or several at once take longer than one request may, nearly all are given up half-done: Triton is always busy,
and nothing is scored. It answers, too, what nobody waits for any more. So after giving up a worker rests, twice as long
each time: however many workers share a Triton, they soon ask less than it can answer (Jacobson 1988, SIGCOMM '88,
314-329, of packets).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from neopain.errors import InferenceUnavailable
from neopain.runtime.backoff import Backoff
from neopain.scoring.inference import TritonTooSlow

LEAST_ANSWER_SECONDS = 2.0
"""What is asked in time gets this long for its answer."""
MARGIN = 1.25
"""No two answers take equally long: what is expected is the last one's time and a quarter of it."""
LONGER = 1.5
"""An answer that was given up after some time is expected to take half as long again."""
SLOW = 1 / 2
"""An answer that takes this part of what one may take makes Triton slow: two at once would not both be in time."""
QUICK = 1 / 4
"""After an answer that takes no more than this part one more may be asked at once: both would be in time."""
LONGEST_REST_SECONDS = 20.0


class Pace:
    """How long an answer takes at present, and how many questions there may be at once.

    ``most_seconds`` is what an answer may take, at most half of a window's life: with so much left a window is asked
    for whatever the last answer took, unless the worker rests. ``pause`` waits so many seconds and returns whether to
    go on.
    """

    def __init__(
        self,
        most_seconds: float,
        pause: Callable[[float], Awaitable[bool]],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.most_seconds = most_seconds
        self.pause = pause
        self.monotonic = monotonic
        self.expected_seconds = 0.0
        self.at_once = math.inf
        """One after a slow answer, one more after each quick one."""
        self._asking = 0
        self._freed = asyncio.Condition()
        self._rests = Backoff(first=most_seconds, longest=LONGEST_REST_SECONDS)
        self._rested_at = 0.0

    @asynccontextmanager
    async def turn(self, left: Callable[[], float]) -> AsyncIterator[float | None]:
        """Inside, Triton may be asked: gives how many seconds it may take; None where an answer would come too late, or
        no turn comes in time.

        ``left`` tells how many seconds the window is still of use. ``InferenceUnavailable``: asked to stop in a rest.
        """
        if not await self._is_let_in(left()):
            yield None
            return
        try:
            await self._rest(left())
            within = max(left(), LEAST_ANSWER_SECONDS)
            if within < self.expected_seconds or self._rest_left() > 0:
                yield None
                return
            begin = self.monotonic()
            try:
                yield within
            except TritonTooSlow:
                self._gave_up(begin, self.monotonic() - begin)
                raise
            self._answered(self.monotonic() - begin)
        finally:
            self._asking -= 1
            async with self._freed:
                self._freed.notify_all()

    async def _is_let_in(self, at_most: float) -> bool:
        try:
            async with asyncio.timeout(max(at_most, 0.0)), self._freed:
                await self._freed.wait_for(lambda: self._asking < self.at_once)
                self._asking += 1
        except TimeoutError:
            return False
        return True

    async def _rest(self, at_most: float) -> None:
        rest = min(self._rest_left(), at_most)
        if rest > 0 and not await self.pause(rest):
            raise InferenceUnavailable("asked to stop before Triton was asked")

    def _rest_left(self) -> float:
        return self._rested_at - self.monotonic()

    def _answered(self, seconds: float) -> None:
        self._rests.ease()
        self.expected_seconds = min(MARGIN * seconds, self.most_seconds)
        if seconds >= SLOW * self.most_seconds:
            self.at_once = 1
        elif seconds <= QUICK * self.most_seconds:
            self.at_once += 1

    def _gave_up(self, begin: float, seconds: float) -> None:
        self.expected_seconds = min(max(self.expected_seconds, LONGER * seconds), self.most_seconds)
        self.at_once = 1
        if begin >= self._rested_at:  # else it was asked together with what began the last rest
            self._rested_at = self.monotonic() + self._rests.next_seconds()
