"""Every closed window of every active bed is ticked once, by however many tickers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from neopain.bus.bus import Bus
from neopain.bus.streams import TICKS, VITALS
from neopain.domain.identity import BedId, recording_bed
from neopain.domain.window import Tick, window_end_before
from neopain.scoring.ticker import Ticker
from neopain.wire.score import decode_tick, encode_tick

from ...clocks import SetClock

BED = BedId("NICU/1/1@TEST")
OTHER_BED = BedId("NICU/1/2@TEST")
# The servers date what arrives by the clock on the wall, so the tickers' time lies near it.
END = window_end_before(datetime.now(UTC))
CLOSED = END + timedelta(seconds=0.5)


@pytest.fixture
def clock() -> SetClock:
    """The moment at which the first window has just closed."""
    return SetClock(CLOSED)


async def ticks(bus: Bus) -> list[Tick]:
    """The ticks on the stream, oldest first."""
    return [decode_tick(entry.payload) for entry in await bus.read_range(TICKS)]


def after(seconds: float) -> datetime:
    """A moment after the end of the first window."""
    return END + timedelta(seconds=seconds)


async def test_each_active_bed_gets_a_tick(bus: Bus, clock: SetClock) -> None:
    for bed in (BED, OTHER_BED):
        await bus.publish(VITALS, b"v", bed=bed)
    await Ticker(bus, clock).tick_due()
    assert [(tick.bed, tick.window_end) for tick in await ticks(bus)] == [(BED, END), (OTHER_BED, END)]


async def test_a_window_is_not_ticked_before_its_lateness_is_over(bus: Bus, clock: SetClock) -> None:
    await bus.publish(VITALS, b"v", bed=BED)
    clock.moment = after(1.499)
    await Ticker(bus, clock).tick_due()
    assert [tick.window_end for tick in await ticks(bus)] == [END]


async def test_a_tick_carries_the_last_ids_at_closing(bus: Bus, clock: SetClock) -> None:
    last = await bus.publish(VITALS, b"v", bed=BED)
    await Ticker(bus, clock).tick_due()
    await bus.publish(VITALS, b"too late", bed=BED)
    (tick,) = await ticks(bus)
    assert tick == Tick(BED, END, CLOSED, {"vitals": last})


async def test_a_clock_that_was_a_day_ahead_keeps_no_window_of_today_without_tick(bus: Bus, clock: SetClock) -> None:
    ticker = Ticker(bus, SetClock(after(86_400)))
    await ticker.tick_due()
    await bus.publish(VITALS, b"v", bed=BED)
    ticker.clock = clock

    assert await ticker.tick_due() == 1
    assert ticker.seconds_until_due() < 2
    assert (await ticks(bus))[-1].window_end == END


async def test_a_bed_that_fell_silent_gets_none(bus: Bus, clock: SetClock) -> None:
    await bus.publish(VITALS, b"v", bed=BED)
    await bus.durable.zadd(bus.key("beds"), {BED: int(after(-70).timestamp() * 1000)})
    assert await Ticker(bus, clock).tick_due() == 0


async def test_a_recording_gets_none(bus: Bus, clock: SetClock) -> None:
    await bus.publish(VITALS, b"v", bed=recording_bed("baby"))
    assert await Ticker(bus, clock).tick_due() == 0


async def test_two_tickers_publish_each_tick_once(bus: Bus, bus_settings: Any) -> None:
    other_bus = Bus(bus_settings.address())
    for bed in (BED, OTHER_BED):
        await bus.publish(VITALS, b"v", bed=bed)
    clocks = SetClock(CLOSED), SetClock(CLOSED)
    tickers = Ticker(bus, clocks[0]), Ticker(other_bus, clocks[1])
    published = 0
    for second in range(5):
        for clock in clocks:
            clock.moment = after(0.5 + second)
        published += sum(await asyncio.gather(*(ticker.tick_due() for ticker in tickers)))
    await other_bus.aclose()
    found = [(tick.bed, tick.window_end) for tick in await ticks(bus)]
    assert published == 10
    assert sorted(found) == [(bed, after(second)) for bed in (BED, OTHER_BED) for second in range(5)]


async def test_a_ticker_that_fell_behind_publishes_what_it_missed(bus: Bus, clock: SetClock) -> None:
    await bus.publish(VITALS, b"v", bed=BED)
    ticker = Ticker(bus, clock)
    await ticker.tick_due()
    clock.moment = after(4.7)
    await ticker.tick_due()
    assert [tick.window_end for tick in await ticks(bus)] == [after(second) for second in range(5)]


async def test_a_ticker_that_was_away_for_minutes_publishes_the_last_one(bus: Bus, clock: SetClock) -> None:
    await bus.publish(VITALS, b"v", bed=BED)
    ticker = Ticker(bus, clock)
    await ticker.tick_due()
    clock.moment = after(600.5)
    await ticker.tick_due()
    ends = [tick.window_end for tick in await ticks(bus)]
    assert (ends[0], ends[1], ends[-1], len(ends)) == (END, after(540), after(600), 62)


async def test_a_restarted_ticker_goes_on_behind_the_last_tick(bus: Bus, clock: SetClock) -> None:
    await bus.publish(VITALS, b"v", bed=BED)
    await Ticker(bus, clock).tick_due()
    await Ticker(bus, SetClock(after(3.5))).tick_due()
    assert [tick.window_end for tick in await ticks(bus)] == [END, after(1), after(2), after(3)]


async def test_a_restarted_ticker_completes_what_it_left_half_done(bus: Bus, clock: SetClock) -> None:
    await bus.publish(VITALS, b"v", bed=BED)
    await Ticker(bus, clock).tick_due()
    await bus.publish(VITALS, b"v", bed=OTHER_BED)
    await Ticker(bus, clock).tick_due()
    assert [(tick.bed, tick.window_end) for tick in await ticks(bus)] == [(BED, END), (OTHER_BED, END)]


async def test_a_recordings_ticks_do_not_move_the_ticker(bus: Bus, clock: SetClock) -> None:
    await bus.publish(VITALS, b"v", bed=BED)
    await bus.publish(TICKS, encode_tick(Tick(recording_bed("baby"), after(-3000), CLOSED, {})))
    await Ticker(bus, clock).tick_due()
    assert (await ticks(bus))[-1].window_end == END


async def test_nothing_is_due_until_the_next_window_closes(bus: Bus, clock: SetClock) -> None:
    ticker = Ticker(bus, clock)
    await ticker.tick_due()
    clock.moment = after(0.75)
    assert ticker.seconds_until_due() == 0.75
