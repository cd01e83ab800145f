"""What a slow Triton is asked: one window at a time, and none whose answer would come too late.

Behind a backlog every window would be asked for just before its limit. Where an answer takes longer than what is left
by then, or several at once take longer than one request may, nearly all are given up half-done: Triton is always busy,
and nothing is scored. It answers, too, what nobody waits for any more. So after giving up a worker rests, twice as long
each time: however many workers share a Triton, they soon ask less than it can answer (Jacobson 1988, SIGCOMM '88,
314-329, of packets).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext

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
"""An answer that takes this part of the deadline makes Triton slow: two at once would not both be in time."""
QUICK = 1 / 4
"""An answer that takes no more than this part of the deadline ends that: two at once would both be in time."""
LONGEST_REST_SECONDS = 20.0


class Pace:
    """How long an answer takes at present; at most ``most_seconds``, what one request may take.

    Because of that bound a window with so much time left is always asked for: whoever was slow once is not slow for
    ever. ``pause`` waits so many seconds and returns whether to go on.
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
        self.is_slow = False
        self._turn = asyncio.Lock()
        self._rests = Backoff(first=most_seconds, longest=LONGEST_REST_SECONDS)
        self._rested_at = 0.0

    @asynccontextmanager
    async def turn(self, left: Callable[[], float]) -> AsyncIterator[float | None]:
        """Inside, Triton may be asked: gives how many seconds it may take, None where the answer would come too late.

        ``left`` tells how many seconds the window is still of use. ``InferenceUnavailable``: asked to stop meanwhile.
        """
        async with self._turn if self.is_slow else nullcontext():
            await self._rest(left())
            is_of_use = (remaining := left()) > 0 and self._rest_left() <= 0
            within = max(remaining, LEAST_ANSWER_SECONDS)
            if not is_of_use or within < self.expected_seconds:
                yield None
                return
            begin = self.monotonic()
            try:
                yield within
            except TritonTooSlow:
                self._gave_up(begin, self.monotonic() - begin)
                raise
            self._answered(self.monotonic() - begin)

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
            self.is_slow = True
        elif seconds <= QUICK * self.most_seconds:
            self.is_slow = False

    def _gave_up(self, begin: float, seconds: float) -> None:
        self.expected_seconds = min(max(self.expected_seconds, LONGER * seconds), self.most_seconds)
        self.is_slow = True
        if begin >= self._rested_at:  # else it was asked together with what began the last rest
            self._rested_at = self.monotonic() + self._rests.next_seconds()
