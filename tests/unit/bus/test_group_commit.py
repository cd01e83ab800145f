"""Group commit: one call for many callers, each answered by its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from neopain.bus.group_commit import MOST_TOGETHER, GroupCommit
from neopain.errors import BusUnavailable


class Server:
    """Doubles numbers; holds every call until ``open`` is set."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.open = asyncio.Event()
        self.fails = False
        self.refused: set[int] = set()

    async def send(self, batch: Sequence[int]) -> list[int | Exception]:
        self.calls.append(list(batch))
        await self.open.wait()
        if self.fails:
            raise BusUnavailable("full")
        return [ValueError(f"{one}") if one in self.refused else 2 * one for one in batch]


async def started(server: Server, *items: int) -> list[asyncio.Task[int]]:
    group = GroupCommit(server.send)
    tasks = [asyncio.create_task(group.add(item)) for item in items[:1]]
    await asyncio.sleep(0.01)
    tasks += [asyncio.create_task(group.add(item)) for item in items[1:]]
    await asyncio.sleep(0.01)
    return tasks


async def test_what_comes_while_a_call_is_under_way_goes_together_as_the_next() -> None:
    server = Server()
    tasks = await started(server, 1, 2, 3)
    server.open.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6]
    assert server.calls == [[1], [2, 3]]


async def test_nobody_is_answered_before_the_call_is() -> None:
    tasks = await started(Server(), 1, 2)
    assert [task.done() for task in tasks] == [False, False]
    for task in tasks:
        task.cancel()


async def test_who_alone_is_refused_is_told_alone() -> None:
    server = Server()
    server.refused = {2}
    tasks = await started(server, 1, 2, 3)
    server.open.set()
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert [repr(one) for one in told] == ["2", "ValueError('2')", "6"]


async def test_each_caller_of_a_failed_call_is_told() -> None:
    server = Server()
    tasks = await started(server, 1, 2, 3)
    server.fails = True
    server.open.set()
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(one) for one in told] == ["full", "full", "full"]


async def test_a_failed_call_does_not_end_the_next() -> None:
    server = Server()
    server.open.set()
    server.fails = True
    group = GroupCommit(server.send)
    with pytest.raises(BusUnavailable):
        await group.add(1)
    server.fails = False
    assert await group.add(2) == 4


async def test_a_caller_that_went_away_harms_no_other() -> None:
    server = Server()
    first, gone, last = await started(server, 1, 2, 3)
    gone.cancel()
    server.open.set()
    assert (await first, await last) == (2, 6)
    assert server.calls == [[1], [2, 3]]


async def test_a_call_takes_so_many_at_most() -> None:
    server = Server()
    server.open.set()
    group = GroupCommit(server.send)
    await asyncio.gather(*(group.add(item) for item in range(MOST_TOGETHER + 1)))
    assert [len(call) for call in server.calls] == [MOST_TOGETHER, 1]
