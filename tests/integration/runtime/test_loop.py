"""The run loop on a real stream: nothing is acknowledged before it is handled or put aside."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from neopain.bus.bus import Bus, Entry
from neopain.bus.consumer import Consumer
from neopain.bus.deadletters import list_letters
from neopain.bus.streams import SCORES
from neopain.errors import BusUnavailable, ContractBroken, MalformedMessage
from neopain.runtime.loop import LoopPolicy, consume
from neopain.runtime.service import Running

POLICY = LoopPolicy(
    wait=timedelta(milliseconds=20), claim_after=timedelta(milliseconds=50), claim_every=timedelta(milliseconds=20)
)


def member(bus: Bus, name: str = "a") -> Consumer:
    """A member of charting's group."""
    return Consumer(bus, SCORES, group="charting", name=name)


@asynccontextmanager
async def consuming(
    consumer: Consumer, handler: Callable[[Entry], Awaitable[None]], policy: LoopPolicy = POLICY
) -> AsyncIterator[Running]:
    """Runs the loop inside the block; it has drained when the block is left."""
    running = Running()
    task = asyncio.create_task(consume(consumer, handler, running, policy))
    try:
        yield running
    finally:
        running.stop()
        await task


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Waits until it holds; at most ten seconds."""
    async with asyncio.timeout(10):
        while not await holds():  # noqa: ASYNC110 - what is waited for lies on a server
            await asyncio.sleep(0.005)


async def pending(bus: Bus) -> int:
    """How many entries are taken and not acknowledged."""
    summary = await bus.durable.xpending(bus.stream_key(SCORES), "charting")
    return int(summary["pending"])


class Handled:
    """Counts what it handles; raises the given errors first, one a call."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls: Counter[bytes] = Counter()
        self.done: list[bytes] = []

    async def __call__(self, entry: Entry) -> None:
        self.calls[entry.payload] += 1
        if self.errors:
            raise self.errors.pop(0)
        self.done.append(entry.payload)

    def has(self, count: int) -> Callable[[], Awaitable[bool]]:
        """Whether that many are done."""

        async def holds() -> bool:
            return len(self.done) >= count

        return holds


async def test_entries_are_handled_in_their_order_and_acknowledged(bus: Bus) -> None:
    for payload in (b"one", b"two", b"three"):
        await bus.publish(SCORES, payload)
    handled = Handled()
    async with consuming(member(bus), handled):
        await until(handled.has(3))
    assert handled.done == [b"one", b"two", b"three"]
    assert await pending(bus) == 0


async def test_a_transient_error_is_tried_again_until_it_is_gone(bus: Bus) -> None:
    await bus.publish(SCORES, b"one")
    handled = Handled(BusUnavailable("down"), BusUnavailable("still down"))
    async with consuming(member(bus), handled):
        await until(handled.has(1))
    assert (handled.done, handled.calls[b"one"]) == ([b"one"], 3)
    assert await list_letters(bus) == []


async def test_an_entry_that_waits_is_not_acknowledged_when_the_service_stops(bus: Bus) -> None:
    await bus.publish(SCORES, b"one")
    handled = Handled(*[BusUnavailable("down")] * 1000)

    async def was_called() -> bool:
        return handled.calls[b"one"] > 0

    async with consuming(member(bus), handled):
        await until(was_called)
    assert await pending(bus) == 1


async def test_a_restarted_member_handles_what_it_left(bus: Bus) -> None:
    await bus.publish(SCORES, b"one")
    consumer = member(bus)
    await consumer.join()
    await consumer.take(count=1, wait=timedelta(milliseconds=10))
    handled = Handled()
    slow_to_claim = LoopPolicy(wait=timedelta(milliseconds=20), claim_after=timedelta(minutes=1))
    async with consuming(member(bus), handled, slow_to_claim):
        await until(handled.has(1))
    assert handled.done == [b"one"]


async def test_what_a_crashed_member_held_is_claimed(bus: Bus) -> None:
    await bus.publish(SCORES, b"one")
    crashed = member(bus, "crashed")
    await crashed.join()
    await crashed.take(count=1, wait=timedelta(milliseconds=10))
    handled = Handled()
    async with consuming(member(bus, "other"), handled):
        await until(handled.has(1))
    assert await pending(bus) == 0


@pytest.mark.parametrize(
    ("error", "location", "reason"),
    [
        (MalformedMessage("OBX[3]-5", "not a number"), "OBX[3]-5", "OBX[3]-5: not a number"),
        (ContractBroken("12 bytes are no Score"), "", "12 bytes are no Score"),
    ],
)
async def test_what_will_never_succeed_is_put_aside_raw(bus: Bus, error: Exception, location: str, reason: str) -> None:
    entry_id = await bus.publish(SCORES, b"\x00raw\xff")
    handled = Handled(error)

    async def is_put_aside() -> bool:
        return len(await list_letters(bus)) == 1

    async with consuming(member(bus), handled):
        await until(is_put_aside)
    ((_, letter),) = await list_letters(bus)
    assert (letter.origin, letter.source.name, letter.raw) == ("scores", entry_id, b"\x00raw\xff")
    assert (letter.location, letter.reason) == (location, reason)
    assert await pending(bus) == 0


async def test_the_entry_after_a_bad_one_is_handled(bus: Bus) -> None:
    for payload in (b"bad", b"good"):
        await bus.publish(SCORES, payload)
    handled = Handled(ContractBroken("no"))
    async with consuming(member(bus), handled):
        await until(handled.has(1))
    assert handled.done == [b"good"]


async def test_an_unforeseen_error_is_tried_again(bus: Bus) -> None:
    await bus.publish(SCORES, b"one")
    handled = Handled(ZeroDivisionError())
    async with consuming(member(bus), handled):
        await until(handled.has(1))
    assert handled.calls[b"one"] == 2


async def test_an_unforeseen_error_that_stays_is_put_aside_after_the_limit(bus: Bus) -> None:
    await bus.publish(SCORES, b"one")
    handled = Handled(*[ZeroDivisionError()] * 1000)

    async def is_put_aside() -> bool:
        return len(await list_letters(bus)) == 1

    policy = LoopPolicy(wait=timedelta(milliseconds=20), most_deliveries=2)
    async with consuming(member(bus), handled, policy):
        await until(is_put_aside)
    assert handled.calls[b"one"] == 2
    assert await pending(bus) == 0


async def test_an_entry_that_killed_every_member_that_took_it_is_put_aside(bus: Bus) -> None:
    await bus.publish(SCORES, b"deadly")
    first = member(bus, "0")
    await first.join()
    await first.take(count=1, wait=timedelta(milliseconds=10))
    for name in ("1", "2", "3", "4"):
        await member(bus, name).claim(count=1, idle=timedelta(0))
    handled = Handled()

    async def is_put_aside() -> bool:
        return len(await list_letters(bus)) == 1

    async with consuming(member(bus, "5"), handled):
        await until(is_put_aside)
    assert handled.calls == Counter()


async def test_no_more_than_parallel_entries_are_in_hand(bus: Bus) -> None:
    for index in range(6):
        await bus.publish(SCORES, b"%d" % index)
    in_hand, most, done = 0, 0, 0
    together = asyncio.Event()

    async def handle(_: Entry) -> None:
        nonlocal in_hand, most, done
        in_hand += 1
        most = max(most, in_hand)
        if in_hand == 3:
            together.set()
        await together.wait()
        in_hand -= 1
        done += 1

    async def all_done() -> bool:
        return done == 6

    policy = LoopPolicy(parallel=3, wait=timedelta(milliseconds=20))
    async with consuming(member(bus), handle, policy):
        await until(all_done)
    assert most == 3


IN_LANES = LoopPolicy(parallel=4, lane=lambda entry: entry.payload[:1].decode(), wait=timedelta(milliseconds=20))


async def test_a_lane_keeps_its_order_while_another_goes_on(bus: Bus) -> None:
    for payload in (b"a1", b"a2", b"b1", b"b2", b"a3", b"b3"):
        await bus.publish(SCORES, payload)
    let_go, done = asyncio.Event(), list[bytes]()

    async def handle(entry: Entry) -> None:
        if entry.payload == b"a1":
            await let_go.wait()
        done.append(entry.payload)

    async def others_are_done() -> bool:
        return len(done) >= 2

    async def all_done() -> bool:
        return len(done) == 6

    async with consuming(member(bus), handle, IN_LANES):
        await until(others_are_done)
        before = list(done)
        let_go.set()
        await until(all_done)
    assert before[:2] == [b"b1", b"b2"]
    assert not any(one.startswith(b"a") for one in before)
    assert [one for one in done if one.startswith(b"a")] == [b"a1", b"a2", b"a3"]
    assert [one for one in done if one.startswith(b"b")] == [b"b1", b"b2", b"b3"]
    assert await pending(bus) == 0


async def test_an_entry_waits_until_the_one_before_it_in_its_lane_is_done_with_however_often_it_is_tried(
    bus: Bus,
) -> None:
    for payload in (b"a1", b"a2"):
        await bus.publish(SCORES, payload)
    handled = Handled(BusUnavailable("gone"), BusUnavailable("still gone"))

    async with consuming(member(bus), handled, IN_LANES):
        await until(handled.has(2))
    assert handled.done == [b"a1", b"a2"]
    assert handled.calls == {b"a1": 3, b"a2": 1}


async def test_when_the_service_stops_nothing_behind_an_entry_that_waits_is_handled(bus: Bus) -> None:
    for payload in (b"a1", b"a2"):
        await bus.publish(SCORES, payload)
    handled = Handled(*[BusUnavailable("gone")] * 50)

    async def tried() -> bool:
        return handled.calls[b"a1"] >= 1

    async with consuming(member(bus), handled, IN_LANES):
        await until(tried)
    assert b"a2" not in handled.calls
    assert await pending(bus) == 2
    again = Handled()
    async with consuming(member(bus), again, IN_LANES):
        await until(again.has(2))
    assert again.done == [b"a1", b"a2"]


async def test_an_entry_in_hand_is_finished_before_the_loop_ends(bus: Bus) -> None:
    await bus.publish(SCORES, b"one")
    taken, let_go, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handle(_: Entry) -> None:
        taken.set()
        await let_go.wait()
        finished.set()

    async with consuming(member(bus), handle) as running:
        await asyncio.wait_for(taken.wait(), 5)
        running.stop()
        let_go.set()
    assert finished.is_set()
    assert await pending(bus) == 0


async def test_the_service_is_ready_once_it_has_joined(bus: Bus) -> None:
    async with consuming(member(bus), Handled()) as running:

        async def is_ready() -> bool:
            return running.health.is_ready

        await until(is_ready)
        assert running.health.reason == ""
