"""How long a message may wait for the bus: one timer for all that wait, since all wait as long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Wait:
    """One wait; ``end`` is called when it takes too long."""

    due: float
    end: Callable[[], object]
    is_over: bool = False


@dataclass(slots=True)
class Deadline:
    """Ends what tasks wait for after ``seconds``. A message that is stored in time costs it next to nothing."""

    seconds: float
    _waits: dict[Wait, None] = field(default_factory=dict)
    """In the order in which they are due."""
    _timer: asyncio.TimerHandle | None = None

    @property
    def rule(self) -> str:
        """What is said of a message that waited too long."""
        return f"the bus took nothing for {self.seconds:g} s"

    async def keep(self, work: Awaitable[T]) -> T:
        """What the work returns; ``TimeoutError`` when that takes too long."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be ended")
        cancelled_before = task.cancelling()
        wait = self.begin(task.cancel)
        try:
            return await work
        except asyncio.CancelledError:
            if wait.is_over and task.uncancel() <= cancelled_before:
                raise TimeoutError from None
            raise
        finally:
            self.forget(wait)

    def begin(self, end: Callable[[], object]) -> Wait:
        """From now on something is waited for, until ``forget``; ``end`` is called when that takes too long."""
        loop = asyncio.get_running_loop()
        wait = Wait(loop.time() + self.seconds, end)
        self._waits[wait] = None
        if self._timer is None:
            self._timer = loop.call_at(wait.due, self._ring)
        return wait

    def forget(self, wait: Wait) -> None:
        """It is waited for no longer."""
        del self._waits[wait]

    def _ring(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        for wait in self._waits:
            if wait.due > now:
                self._timer = loop.call_at(wait.due, self._ring)
                return
            if not wait.is_over:
                wait.is_over = True
                wait.end()
