"""One of two media servers is away: the beds of the other do not notice, and those of its own go on by what is left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from neopain.bus.bus import Bus
from neopain.bus.connection import BusAddress
from neopain.bus.streams import FRAMES, TICKS, VITALS
from neopain.domain.identity import BedId
from neopain.domain.window import CADENCE, Tick, window_end_before
from neopain.embedded.state import StateFolder
from neopain.embedded.valkey import Valkey
from neopain.features.window import assemble
from neopain.scoring.reader import read_window
from neopain.scoring.ticker import Ticker
from neopain.wire.score import decode_tick

from ...clocks import SetClock
from ...conftest import Bedside

# CRC-32 of the first is even, of the others odd.
HERE = BedId("NICU/1/1@A")
THERE = BedId("NICU/1/2@A")
FILMED = BedId("NICU/1/4@A")
MINUTE = timedelta(seconds=60)
END = window_end_before(datetime.now(UTC))


@pytest.fixture
def other_media(tmp_path: Path) -> Iterator[Valkey]:
    """A media server that this test may kill."""
    with Valkey.media(StateFolder(tmp_path), maxmemory_mb=64) as server:
        yield server


@pytest.fixture
async def bus(bus_settings: Any, media_url: str, other_media: Valkey) -> AsyncIterator[Bus]:
    """A bus with two media servers, the second of which is this test's own."""
    address = bus_settings.address()
    bus = Bus(BusAddress(address.bus_url, (media_url, other_media.url), address.namespace))
    yield bus
    await bus.aclose()


@pytest.fixture
async def ids(bus: Bus) -> dict[str, str]:
    """Something of each bed, and the ids: vitals of two beds, pictures of all three."""
    found = {f"vitals {bed}": await bus.publish(VITALS, b"v", bed=bed) for bed in (HERE, THERE)}
    return found | {f"frames {bed}": await bus.publish(FRAMES, b"f", bed=bed) for bed in (HERE, THERE, FILMED)}


@pytest.fixture
def ticker(bus: Bus) -> Ticker:
    """A ticker for which one window has just closed."""
    return Ticker(bus, SetClock(END + timedelta(seconds=0.5)))


async def tick_next(ticker: Ticker) -> list[Tick]:
    """What is ticked when the next window has closed, by bed."""
    before = await ticker.bus.read_last(TICKS)
    await ticker.tick_due()
    ticker.clock = SetClock(ticker.clock.now() + CADENCE)
    entries = await ticker.bus.read_range(TICKS, first=f"({before.id}" if before else "-")
    return sorted((decode_tick(entry.payload) for entry in entries), key=lambda tick: tick.bed)


async def test_every_bed_is_ticked_with_what_can_be_read_of_it(
    ticker: Ticker, other_media: Valkey, ids: dict[str, str]
) -> None:
    assert [tick.is_media_away for tick in await tick_next(ticker)] == [False, False, False]
    await asyncio.to_thread(other_media.kill)

    found = [(tick.bed, tick.last_ids, tick.is_media_away) for tick in await tick_next(ticker)]

    assert found == [
        (HERE, {"vitals": ids[f"vitals {HERE}"], "frames": ids[f"frames {HERE}"]}, False),
        (THERE, {"vitals": ids[f"vitals {THERE}"]}, True),
        (FILMED, {}, True),
    ]


async def test_a_server_that_is_back_is_found_again(
    ticker: Ticker, bus: Bus, other_media: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neopain.bus.shard.REST_SECONDS", 0)
    await tick_next(ticker)
    await asyncio.to_thread(other_media.kill)
    await tick_next(ticker)
    await asyncio.to_thread(other_media.restart)
    anew = await bus.publish(FRAMES, b"f", bed=FILMED)

    filmed = (await tick_next(ticker))[-1]

    assert (filmed.last_ids, filmed.is_media_away) == ({"frames": anew}, False)
    assert bus.media_away == {}


@pytest.mark.usefixtures("ids")
async def test_it_is_told_once_when_a_server_goes_and_once_when_it_is_back(
    ticker: Ticker, other_media: Valkey, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr("neopain.bus.shard.REST_SECONDS", 0)
    await asyncio.to_thread(other_media.kill)
    for _ in range(3):
        await tick_next(ticker)
    await asyncio.to_thread(other_media.restart)
    for _ in range(3):
        await tick_next(ticker)
    told = [record.getMessage() for record in caplog.records if record.name == "neopain.scoring.ticker"]
    assert told == ["media_server_away", "media_server_back"]


@pytest.mark.usefixtures("ids")
async def test_a_server_that_hangs_holds_up_the_other_beds_once(ticker: Ticker, bus: Bus) -> None:
    await tick_next(ticker)
    await bus.media[1].client_pause(60_000)
    await tick_next(ticker)
    begun = time.perf_counter()

    assert [tick.bed for tick in await tick_next(ticker)] == [HERE, THERE, FILMED]
    assert time.perf_counter() - begun < 1


@pytest.mark.usefixtures("ids")
async def test_vitals_are_trimmed_and_summed_up_of_beds_whose_media_server_is_away(
    bus: Bus, other_media: Valkey
) -> None:
    await asyncio.to_thread(other_media.kill)
    assert await bus.beds_with_vitals(within=MINUTE) == {HERE, THERE}
    assert await bus.active_beds(within=MINUTE) == {HERE, THERE}


async def test_a_window_says_that_its_media_could_not_be_read(bus: Bus, other_media: Valkey) -> None:
    bedside = Bedside(bus, THERE)
    await bedside.observe(END)
    tick = Tick(THERE, END, END, await bus.last_ids(THERE))
    await asyncio.to_thread(other_media.kill)

    window = assemble(await read_window(bus, tick))

    assert [(one.modality.value, one.is_present, one.reason) for one in window.presences] == [
        ("face", False, "media-away"),
        ("cry", False, "media-away"),
        ("physiology", True, ""),
        ("movement", False, "media-away"),
    ]


async def test_a_tick_without_media_gives_the_same_window_when_they_are_back(bus: Bus) -> None:
    bedside = Bedside(bus, THERE)
    await bedside.observe(END)
    tick = Tick(THERE, END, END, {"vitals": (await bus.last_ids(THERE))["vitals"]}, is_media_away=True)
    window = assemble(await read_window(bus, tick))
    assert [one.reason for one in window.presences] == ["media-away", "media-away", "", "media-away"]


async def test_doors_that_put_nothing_on_a_media_server_do_not_mind_one_that_is_away(
    bus: Bus, other_media: Valkey
) -> None:
    await asyncio.to_thread(other_media.kill)
    await bus.check_durable()
    await bus.check()
