"""Consumer groups: nothing is lost between members."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from neopain.bus.bus import Bus
from neopain.bus.connection import BusAddress
from neopain.bus.consumer import Consumer
from neopain.bus.streams import SCORES
from neopain.embedded.state import StateFolder
from neopain.embedded.valkey import Valkey
from neopain.errors import BusUnavailable

SOON = timedelta(milliseconds=10)
AT_ONCE = timedelta(0)


def member(bus: Bus, name: str) -> Consumer:
    """A member of charting's group."""
    return Consumer(bus, SCORES, group="charting", name=name)


async def test_a_new_group_gets_what_was_published_before_it(bus: Bus) -> None:
    await bus.publish(SCORES, b"early")
    consumer = member(bus, "a")
    await consumer.join()
    assert [one.entry.payload for one in await consumer.take(count=10, wait=SOON)] == [b"early"]


async def test_joining_twice_forgets_nothing(bus: Bus) -> None:
    consumer = member(bus, "a")
    await consumer.join()
    await bus.publish(SCORES, b"one")
    await consumer.take(count=1, wait=SOON)
    await consumer.join()
    assert await consumer.take(count=1, wait=SOON) == []


async def test_an_entry_goes_to_one_member(bus: Bus) -> None:
    one, other = member(bus, "a"), member(bus, "b")
    await one.join()
    await bus.publish(SCORES, b"one")
    taken = [*await one.take(count=10, wait=SOON), *await other.take(count=10, wait=SOON)]
    assert [delivery.entry.payload for delivery in taken] == [b"one"]


async def test_taking_from_a_group_that_was_lost_makes_it_anew(bus: Bus) -> None:
    await bus.publish(SCORES, b"one")
    consumer = member(bus, "a")
    assert await consumer.take(count=1, wait=SOON) == []
    assert [one.entry.payload for one in await consumer.take(count=1, wait=SOON)] == [b"one"]


async def test_claiming_from_a_group_that_was_lost_makes_it_anew(bus: Bus) -> None:
    await bus.publish(SCORES, b"one")
    consumer = member(bus, "a")
    assert await consumer.claim(count=1, idle=AT_ONCE) == []
    assert [one.entry.payload for one in await consumer.take(count=1, wait=SOON)] == [b"one"]


async def test_a_member_finds_its_own_unacknowledged_entries_after_a_restart(bus: Bus) -> None:
    consumer = member(bus, "a")
    await consumer.join()
    await bus.publish(SCORES, b"one")
    await consumer.take(count=1, wait=SOON)
    assert [one.entry.payload for one in await member(bus, "a").take_own(count=10)] == [b"one"]


async def test_an_acknowledged_entry_is_nobodys(bus: Bus) -> None:
    consumer = member(bus, "a")
    await consumer.join()
    await bus.publish(SCORES, b"one")
    (delivery,) = await consumer.take(count=1, wait=SOON)
    await consumer.acknowledge(delivery.entry.id)
    assert await consumer.take_own(count=10) == []
    assert await member(bus, "b").claim(count=10, idle=AT_ONCE) == []


async def test_an_abandoned_entry_is_claimed_and_its_deliveries_counted(bus: Bus) -> None:
    consumer = member(bus, "a")
    await consumer.join()
    await bus.publish(SCORES, b"one")
    await consumer.take(count=1, wait=SOON)
    (claimed,) = await member(bus, "b").claim(count=10, idle=AT_ONCE)
    assert (claimed.entry.payload, claimed.times) == (b"one", 2)


async def test_an_entry_that_is_not_idle_for_long_enough_is_not_claimed(bus: Bus) -> None:
    consumer = member(bus, "a")
    await consumer.join()
    await bus.publish(SCORES, b"one")
    await consumer.take(count=1, wait=SOON)
    assert await member(bus, "b").claim(count=10, idle=timedelta(minutes=1)) == []


async def test_claims_in_small_pages_reach_every_abandoned_entry(bus: Bus) -> None:
    consumer, other = member(bus, "a"), member(bus, "b")
    await consumer.join()
    for index in range(7):
        await bus.publish(SCORES, b"%d" % index)
    await consumer.take(count=7, wait=SOON)
    claimed = [one.entry.payload for _ in range(4) for one in await other.claim(count=2, idle=AT_ONCE)]
    assert set(claimed) == {b"0", b"1", b"2", b"3", b"4", b"5", b"6"}


async def test_acknowledging_nothing_is_harmless(bus: Bus) -> None:
    consumer = member(bus, "a")
    await consumer.join()
    await consumer.acknowledge()
    assert await consumer.take_own(count=1) == []


class TestDrained:
    """Whether a group is through with everything."""

    async def test_a_stream_that_nobody_made_is_not(self, bus: Bus) -> None:
        assert await member(bus, "a").is_drained() is False

    async def test_what_is_not_taken_is_not(self, bus: Bus) -> None:
        await member(bus, "a").join()
        await bus.publish(SCORES, b"one")
        assert await member(bus, "a").is_drained() is False

    async def test_what_is_taken_is_not_until_it_is_acknowledged(self, bus: Bus) -> None:
        consumer = member(bus, "a")
        await consumer.join()
        await bus.publish(SCORES, b"one")
        (delivery,) = await consumer.take(count=1, wait=SOON)
        assert await consumer.is_drained() is False
        await consumer.acknowledge(delivery.entry.id)
        assert await consumer.is_drained() is True


async def test_a_bus_that_goes_between_two_requests_is_unavailable(tmp_path: Path, media_url: str) -> None:
    with Valkey.bus(StateFolder(tmp_path)) as server:
        bus = Bus(BusAddress(server.url, (media_url,), "gone"))
        consumer = member(bus, "a")
        await consumer.join()
        await bus.publish(SCORES, b"one")
        (delivery,) = await consumer.take(count=1, wait=SOON)
        server.kill()
        with pytest.raises(BusUnavailable, match="XPENDING scores"):
            await consumer._counted(delivery.entry)
        await bus.aclose()
