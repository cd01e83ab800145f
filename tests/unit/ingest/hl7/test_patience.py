"""How long a connection waits for its peer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from neopain.ingest.hl7.patience import Patience

LONG, SHORT = 60.0, 0.005


async def ended_early(course: Callable[[Patience], Awaitable[None]]) -> str:
    """Why patience ended while this course was gone; empty if it did not."""
    ended: list[str] = []
    patience = Patience(ended.append)
    await course(patience)
    patience.end()
    return "".join(ended)


async def comes_after(seconds: float) -> None:
    arrived = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(seconds, arrived.set_result, None)
    await arrived


async def test_what_does_not_come_in_time_is_not_waited_for() -> None:
    async def course(patience: Patience) -> None:
        patience.wait(SHORT, "idle")
        await comes_after(4 * SHORT)

    assert await ended_early(course) == "idle"


async def test_a_short_wait_that_follows_a_long_one_ends_in_time() -> None:
    async def course(patience: Patience) -> None:
        patience.wait(LONG, "idle")
        patience.rest()
        patience.wait(SHORT, "idle")
        await comes_after(4 * SHORT)

    assert await ended_early(course) == "idle"


async def test_a_wait_begins_anew_with_each_message() -> None:
    async def course(patience: Patience) -> None:
        patience.wait(SHORT, "idle")
        patience.rest()
        patience.wait(LONG, "idle")
        await comes_after(4 * SHORT)

    assert await ended_early(course) == ""


async def test_while_a_message_is_in_hand_nothing_ends_it() -> None:
    async def course(patience: Patience) -> None:
        patience.wait(SHORT, "idle")
        patience.rest()
        await comes_after(4 * SHORT)

    assert await ended_early(course) == ""


async def test_a_wait_after_the_timer_rang_in_vain_ends_in_time() -> None:
    async def course(patience: Patience) -> None:
        patience.wait(SHORT, "idle")
        patience.rest()
        await comes_after(4 * SHORT)
        patience.wait(SHORT, "idle")
        await comes_after(4 * SHORT)

    assert await ended_early(course) == "idle"
