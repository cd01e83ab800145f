"""How long a message waits for the bus."""

from __future__ import annotations

import asyncio

import pytest

from neopain.ingest.hl7.deadline import Deadline

LONG, SHORT = 60.0, 0.005


async def comes_never() -> None:
    await asyncio.get_running_loop().create_future()


async def comes_after(seconds: float) -> str:
    arrived: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(seconds, arrived.set_result, "stored")
    return await arrived


async def test_what_comes_in_time_is_returned() -> None:
    assert await Deadline(LONG).keep(comes_after(SHORT)) == "stored"


async def test_what_does_not_come_in_time_is_not_waited_for() -> None:
    with pytest.raises(TimeoutError):
        await Deadline(SHORT).keep(comes_never())


async def test_one_that_waits_after_another_was_answered_is_ended_too() -> None:
    deadline = Deadline(10 * SHORT)
    await deadline.keep(comes_after(SHORT))
    with pytest.raises(TimeoutError):
        await deadline.keep(comes_never())


async def test_all_that_wait_too_long_are_ended() -> None:
    deadline = Deadline(SHORT)
    told = await asyncio.gather(*(deadline.keep(comes_never()) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in told] == [TimeoutError] * 3


async def test_a_task_that_goes_on_after_its_deadline_is_not_cancelled() -> None:
    with pytest.raises(TimeoutError):
        await Deadline(SHORT).keep(comes_never())
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_task_that_somebody_else_ends_did_not_wait_too_long() -> None:
    task = asyncio.create_task(Deadline(LONG).keep(comes_never()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
