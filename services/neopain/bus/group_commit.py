"""Group commit: what many callers publish at once goes to the bus as one call, and to its disk as one sync.

The first goes at once; those that come while it is under way go together as the next. Each is answered only when its
own call has been, so that nobody is told of a write that is not on disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

MOST_TOGETHER = 64
"""More would keep the bus from its other callers for milliseconds, since a script runs alone."""

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(slots=True)
class GroupCommit(Generic[Item, Answer]):
    """``send`` takes items in their order and answers each, by an exception where that one was refused.

    What ``send`` itself raises, every caller of that call gets.

    An item whose caller has gone away is sent all the same: ``send`` must be harmless to repeat.
    """

    send: Callable[[Sequence[Item]], Awaitable[Sequence[Answer | Exception]]]
    _waiting: list[tuple[Item, asyncio.Future[Answer]]] = field(default_factory=list)
    _task: asyncio.Task[None] | None = None

    async def add(self, item: Item) -> Answer:
        """Sends it, with others that wait, and returns its answer."""
        return await self.begin(item)

    def begin(self, item: Item) -> asyncio.Future[Answer]:
        """Sends it, with others that wait; what is returned will have its answer."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._send_all())
        return answer

    async def _send_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
            try:
                answers = await self.send([item for item, _ in batch])
            except Exception as error:
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)
            else:
                for (_, answer), found in zip(batch, answers, strict=True):
                    if answer.done():
                        continue
                    if isinstance(found, Exception):
                        answer.set_exception(found)
                    else:
                        answer.set_result(found)
