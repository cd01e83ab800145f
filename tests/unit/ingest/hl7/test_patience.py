"""How long a connection waits for its peer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from neopain.ingest.hl7.listener import _Patience

LONG, SHORT = 60.0, 0.005


async def ended_early(course: Callable[[_Patience], Awaitable[None]]) -> bool:
    """Whether the task that goes this course was ended by its patience."""

    async def run() -> bool:
        task = asyncio.current_task()
        assert task is not None
        patience = _Patience(task)
        try:
            await course(patience)
        except asyncio.CancelledError:
            return patience.is_over
        finally:
            patience.end()
        return False

    return await asyncio.create_task(run())


async def nothing_comes() -> None:
    await asyncio.get_running_loop().create_future()


async def comes_after(seconds: float) -> None:
    arrived = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(seconds, arrived.set_result, None)
    await arrived


async def test_what_does_not_come_in_time_is_not_waited_for() -> None:
    async def course(patience: _Patience) -> None:
        patience.wait(SHORT)
        await nothing_comes()

    assert await ended_early(course)


async def test_a_short_wait_that_follows_a_long_one_ends_in_time() -> None:
    async def course(patience: _Patience) -> None:
        patience.wait(LONG)
        patience.rest()
        patience.wait(SHORT)
        await nothing_comes()

    assert await ended_early(course)


async def test_a_wait_begins_anew_with_each_message() -> None:
    async def course(patience: _Patience) -> None:
        patience.wait(SHORT)
        patience.rest()
        patience.wait(LONG)
        await comes_after(4 * SHORT)

    assert not await ended_early(course)


async def test_while_a_message_is_in_hand_nothing_ends_the_task() -> None:
    async def course(patience: _Patience) -> None:
        patience.wait(SHORT)
        patience.rest()
        await comes_after(4 * SHORT)

    assert not await ended_early(course)


async def test_a_wait_after_the_timer_rang_in_vain_ends_in_time() -> None:
    async def course(patience: _Patience) -> None:
        patience.wait(SHORT)
        patience.rest()
        await comes_after(4 * SHORT)
        patience.wait(SHORT)
        await nothing_comes()

    assert await ended_early(course)


async def test_a_task_that_somebody_else_ends_was_not_ended_by_patience() -> None:
    async def course(patience: _Patience) -> None:
        patience.wait(LONG)
        raise asyncio.CancelledError

    assert not await ended_early(course)
