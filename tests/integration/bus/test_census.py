"""Beds read one by one for many callers at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from neopain.bus.bus import Bus
from neopain.bus.census import BedReader, write_beds
from neopain.domain.census import BedState
from neopain.domain.identity import BedId
from neopain.errors import ContractBroken

NOON = datetime(2026, 7, 4, 12, tzinfo=UTC)
ONE, TWO, NEVER_NAMED = (BedState(BedId(f"NICU/1/{bed}"), NOON) for bed in (1, 2, 3))


async def calls(bus: Bus) -> int:
    return int((await bus.durable.info("commandstats")).get("cmdstat_hmget", {"calls": 0})["calls"])


async def test_each_caller_gets_its_own_bed(bus: Bus) -> None:
    await write_beds(bus, [ONE, TWO], version="0", mark="m")
    reader = BedReader(bus)
    found = await asyncio.gather(*(reader.read(one.bed) for one in (TWO, ONE, NEVER_NAMED, TWO)))
    assert found == [TWO, ONE, None, TWO]


async def test_beds_that_are_asked_for_at_once_are_read_in_one_call(bus: Bus) -> None:
    before = await calls(bus)
    reader = BedReader(bus)
    await asyncio.gather(*(reader.read(BedId(f"NICU/1/{bed}")) for bed in range(50)))
    assert await calls(bus) - before <= 2


async def test_a_bed_of_a_newer_version_disturbs_nobody_else(bus: Bus) -> None:
    await write_beds(bus, [ONE], version="0", mark="m")
    await bus.durable.hset(bus.key("census", "beds"), TWO.bed, b"\xff\xff")
    reader = BedReader(bus)
    broken, whole = await asyncio.gather(reader.read(TWO.bed), reader.read(ONE.bed), return_exceptions=True)
    assert isinstance(broken, ContractBroken)
    assert whole == ONE


async def test_what_was_written_before_the_question_is_in_the_answer(bus: Bus) -> None:
    reader = BedReader(bus)
    assert await reader.read(ONE.bed) is None
    await write_beds(bus, [ONE], version="0", mark="m")
    assert await reader.read(ONE.bed) == ONE


async def test_the_version_tells_whether_anything_was_written(bus: Bus) -> None:
    reader = BedReader(bus)
    assert await asyncio.gather(reader.version(), reader.version()) == ["0", "0"]
    await write_beds(bus, [ONE], version="0", mark="m")
    assert await reader.version() == "1"
