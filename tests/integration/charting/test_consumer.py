"""The consumer on a real bus: census and scores in, entries out, nothing twice."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from neopain.bus.bus import Bus
from neopain.bus.census import write_beds
from neopain.bus.connection import BusAddress
from neopain.bus.consumer import Consumer
from neopain.bus.deadletters import list_letters, tell_replay
from neopain.bus.disclosures import tell_disclosure
from neopain.bus.streams import CENSUS, DISCLOSURES, SCORES
from neopain.charting import service
from neopain.charting.audit.verify import verify_audit
from neopain.charting.disclosures import record_disclosure
from neopain.charting.facts import TakenFact, take_fact
from neopain.charting.service import ChartingConsumer
from neopain.charting.settings import ChartingSettings
from neopain.domain.census import BedState, Infant
from neopain.domain.deadletter import Replay, ReplayOutcome
from neopain.domain.identity import PatientId, SourceId, recording_bed
from neopain.domain.query import Disclosure
from neopain.errors import ContractBroken
from neopain.runtime.clock import SystemClock
from neopain.runtime.service import Running
from neopain.wire.census import encode_bed_state
from neopain.wire.score import encode_score

Count = Callable[[str], int]
Start = Callable[..., Any]


@pytest.fixture
async def bus(bus_url: str) -> AsyncIterator[Bus]:
    bus = Bus(BusAddress(bus_url, (), f"charting-{uuid.uuid4().hex[:8]}"))
    yield bus
    await bus.aclose()


@pytest.fixture
def settings(database: str, bus_url: str, anchor_path: Path) -> ChartingSettings:
    return ChartingSettings(
        database_url=database,
        broker_url=bus_url,
        queue=f"queue-{uuid.uuid4().hex[:8]}",
        policy="demo",
        audit_anchor_path=anchor_path,
        consumer_name="one",
    )


@pytest.fixture
def started(settings: ChartingSettings, bus: Bus, engine: Engine) -> Callable[..., Any]:
    """A consumer that runs within the block."""

    @asynccontextmanager
    async def run() -> AsyncIterator[ChartingConsumer]:
        running, consumer = Running(), ChartingConsumer(settings, bus, engine)
        task = asyncio.create_task(consumer.run(running))
        yield consumer
        running.stop()
        await asyncio.wait_for(task, timeout=20)

    return run


async def until(what: Callable[[], bool] | Callable[[], Awaitable[bool]], *, seconds: float = 15) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        found = what()
        if await found if isinstance(found, Awaitable) else found:
            return
        assert asyncio.get_running_loop().time() < deadline, "it did not happen in time"
        await asyncio.sleep(0.05)


async def admit(bus: Bus, bedside: Any) -> None:
    since = bedside.score(0).window_end - timedelta(minutes=1)
    await bus.publish(CENSUS, encode_bed_state(BedState(bedside.bed, since, Infant((bedside.infant,)))))


async def publish(bus: Bus, bedside: Any, *seconds: float) -> None:
    for second in seconds:
        await bus.publish(SCORES, encode_score(bedside.score(second)))


def drained(bus: Bus) -> Callable[[], Awaitable[bool]]:
    return Consumer(bus, SCORES, group="charting", name="test").is_drained


async def test_facts_and_scores_of_the_bus_become_entries(bus: Bus, bedside: Any, started: Start, rows: Any) -> None:
    await admit(bus, bedside)
    await publish(bus, bedside, 1, 2, 14)

    async with started():
        await until(lambda: bool(rows("SELECT 1 FROM entries")))

    first = rows("SELECT state, patient_value FROM entries ORDER BY begins")[0]
    assert first == {"state": "charted", "patient_value": bedside.infant.value}


async def test_a_score_waits_until_the_census_before_it_is_read(
    bus: Bus, bedside: Any, started: Start, rows: Any
) -> None:
    await publish(bus, bedside, 1, 2)
    for _ in range(200):
        await admit(bus, bedside)
    await publish(bus, bedside, 14)

    async with started():
        await until(lambda: bool(rows("SELECT 1 FROM entries")))

    assert rows("SELECT count(*) AS facts FROM census_facts") == [{"facts": 200}]
    assert rows("SELECT state FROM entries ORDER BY begins")[0] == {"state": "charted"}


async def test_the_stream_read_again_from_its_beginning_doubles_nothing(
    bus: Bus, bedside: Any, started: Start, count: Count, database: str
) -> None:
    await admit(bus, bedside)
    await publish(bus, bedside, *range(1, 60))
    for second in range(60, 90):
        await bus.publish(SCORES, encode_score(bedside.score(second, 9.0)))
    tables = ("census_facts", "windows", "entries", "outbox", "audit", "alerts", "alert_events")
    async with started():
        await until(drained(bus))
        await until(lambda: count("alert_events") == 3)  # the bed's silence ends it, in the consumer's own time
    once = {table: count(table) for table in tables}

    for stream in (CENSUS, SCORES):
        await bus.durable.xgroup_setid(bus.stream_key(stream), "charting", id="0")
    async with started():
        await until(drained(bus))

    assert once["entries"] >= 5
    assert once["alerts"] == 1
    assert {table: count(table) for table in tables} == once
    assert verify_audit(database).is_whole


async def test_facts_that_a_restored_database_lacks_are_taken_again_before_any_score(
    bus: Bus, bedside: Any, started: Start, rows: Any, tamper: Callable[..., None]
) -> None:
    await admit(bus, bedside)
    next_one = PatientId("MRN-next", "HOSP")
    since = bedside.score(0).window_end - timedelta(seconds=50)
    await bus.publish(CENSUS, encode_bed_state(BedState(bedside.bed, since, Infant((next_one,)))))
    async with started():
        await until(lambda: len(rows("SELECT 1 FROM census_facts")) == 2)
        await until(Consumer(bus, CENSUS, group="charting", name="test").is_drained)
    tamper("DELETE FROM census_facts WHERE place > 1")
    await publish(bus, bedside, 1, 2, 14)

    async with started():
        await until(lambda: bool(rows("SELECT 1 FROM entries")))

    assert rows("SELECT patient_value FROM entries ORDER BY begins")[0] == {"patient_value": "MRN-next"}


async def test_a_consumer_that_is_to_stop_while_it_takes_what_it_missed_stops_after_the_fact_in_hand(
    bus: Bus, bedside: Any, settings: ChartingSettings, engine: Engine, *, count: Count, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await admit(bus, bedside)
    running, consumer = Running(), ChartingConsumer(settings, bus, engine)

    def take_and_stop(*told: Any, **named: Any) -> TakenFact:
        asyncio.run_coroutine_threadsafe(stop(), loop).result()
        return take_fact(*told, **named)

    async def stop() -> None:
        running.stop()

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(service, "take_fact", take_and_stop)
    await consumer.run(running)

    assert count("census_facts") == 1


async def test_a_bed_whose_facts_the_stream_no_longer_keeps_is_taken_as_the_census_has_it_now(
    bus: Bus, bedside: Any, started: Start, rows: Any, tamper: Callable[..., None]
) -> None:
    next_one = PatientId("MRN-next", "HOSP")
    since = bedside.score(0).window_end - timedelta(seconds=60)
    for version, seconds, infant in (("0", 0, bedside.infant), ("1", 10, next_one)):
        state = BedState(bedside.bed, since + timedelta(seconds=seconds), Infant((infant,)))
        await write_beds(bus, [state], version=version, mark=version)
    async with started():
        await until(lambda: len(rows("SELECT 1 FROM census_facts")) == 2)
        await until(Consumer(bus, CENSUS, group="charting", name="test").is_drained)
    tamper("DELETE FROM census_facts WHERE place > 1")
    await bus.durable.xtrim(bus.stream_key(CENSUS), maxlen=0, approximate=False)
    await publish(bus, bedside, 1, 2, 14)

    for _ in range(2):
        async with started():
            await until(lambda: bool(rows("SELECT 1 FROM entries")))

    assert rows("SELECT patient_value FROM entries ORDER BY begins")[0] == {"patient_value": "MRN-next"}
    assert rows("SELECT count(*) AS facts FROM census_facts") == [{"facts": 2}]


async def test_recordings_are_left_alone(bus: Bus, bedside: Any, started: Start, count: Count) -> None:
    for second in (1, 2, 14):
        await bus.publish(SCORES, encode_score(bedside.score(second, bed=recording_bed("file"))))

    async with started():
        await until(drained(bus))

    assert (count("windows"), count("courses"), count("entries"), count("audit")) == (0, 0, 0, 0)


async def test_a_bed_that_falls_silent_is_charted_without_a_further_score(
    bus: Bus, bedside: Any, started: Start, rows: Any
) -> None:
    await admit(bus, bedside)
    await publish(bus, bedside, 1, 2)

    async with started():
        await until(lambda: bool(rows("SELECT 1 FROM outbox")))

    assert rows("SELECT draft ->> 'windows' AS windows FROM entries") == [{"windows": "2"}]


async def test_the_clock_waits_for_scores_that_are_still_on_the_bus(
    bus: Bus, bedside: Any, settings: ChartingSettings, engine: Engine, count: Count
) -> None:
    await admit(bus, bedside)
    consumer = ChartingConsumer(settings, bus, engine)
    for stream in (CENSUS, SCORES):
        await Consumer(bus, stream, group="charting", name="one").join()
    await publish(bus, bedside, 1)
    await consumer.take_fact((await bus.read_range(CENSUS))[0])
    await bus.durable.xgroup_setid(bus.stream_key(CENSUS), "charting", id="$")
    await consumer.take_score((await bus.read_range(SCORES))[0])

    await consumer.close_silent_beds()
    waiting = count("entries")
    await bus.durable.xgroup_setid(bus.stream_key(SCORES), "charting", id="$")
    await consumer.close_silent_beds()

    assert (waiting, count("entries")) == (0, 1)


async def test_what_is_no_score_is_put_aside_and_the_next_is_taken(
    bus: Bus, bedside: Any, started: Start, count: Count
) -> None:
    await bus.publish(SCORES, b"\xff\xff")
    await publish(bus, bedside, 1)

    async with started():
        await until(drained(bus))

    (letter,) = [letter for _, letter in await list_letters(bus)]
    assert (letter.origin, letter.raw) == ("scores", b"\xff\xff")
    assert count("windows") == 1


async def test_the_head_of_the_audit_is_anchored_when_the_consumer_stops(
    bus: Bus, bedside: Any, started: Start, database: str, anchor_path: Path
) -> None:
    await admit(bus, bedside)
    await publish(bus, bedside, 1, 2, 14)

    async with started():
        await until(drained(bus))

    found = verify_audit(database, anchor_path=anchor_path)
    assert (found.is_whole, found.anchors) == (True, 1)


async def test_partitions_of_the_months_to_come_are_made(bus: Bus, started: Start, rows: Any) -> None:
    now = datetime.now(UTC)

    async with started():
        await until(drained(bus))

    name = f"audit_{now:%Y_%m}"
    assert rows(f"SELECT to_regclass('{name}')::text AS name") == [{"name": name}]


async def test_a_fact_of_the_census_that_cannot_be_read_stops_charting_and_loses_nothing(
    bus: Bus, bedside: Any, settings: ChartingSettings, engine: Engine, count: Count
) -> None:
    await admit(bus, bedside)
    await bus.publish(CENSUS, b"\xff\xff")
    await publish(bus, bedside, 1, 2, 14)

    with pytest.raises(ContractBroken, match="BedState"):
        await asyncio.wait_for(ChartingConsumer(settings, bus, engine).run(Running()), timeout=20)

    assert count("entries") == 0
    assert await list_letters(bus) == []
    assert not await drained(bus)()


async def test_a_fact_of_the_census_is_never_put_aside_however_often_its_consumer_ended(
    bus: Bus, bedside: Any, started: Start, count: Count
) -> None:
    await admit(bus, bedside)
    ended = Consumer(bus, CENSUS, group="charting", name="one")
    await ended.join()
    await ended.take(count=1, wait=timedelta(seconds=1))
    for _ in range(6):
        await ended.take_own(count=1)

    async with started():
        await until(ended.is_drained)

    assert count("census_facts") == 1
    assert await list_letters(bus) == []


async def test_what_was_told_to_a_monitor_is_audited_once_with_all_infants_in_a_chain_of_its_own(
    bus: Bus, started: Start, rows: Any, engine: Engine, database: str
) -> None:
    told = Disclosure(
        source=SourceId("hl7", "MON"),
        address="10.0.0.7",
        control_id="17",
        asked="QRY^A19",
        moment=datetime.now(UTC),
        patients=(PatientId("77"),),
        told=(PatientId("77", "HOSP"), PatientId("77", "OTHER")),
    )
    await tell_disclosure(bus, told, mark="1")
    await tell_disclosure(bus, replace(told, told=(), control_id="18"), mark="2")

    async with started():
        await until(lambda: len(rows("SELECT 1 FROM audit")) == 2)
    (entry, _) = await bus.read_range(DISCLOSURES)
    assert record_disclosure(engine, SystemClock(), fact_id=entry.id, disclosure=told) is False

    query = "SELECT chain, event, actor, patient, detail::json -> 'infants' AS infants FROM audit ORDER BY position"
    assert rows(query) == [
        {"chain": "reads", "event": "census_queried", "actor": "hl7:MON", "patient": "", "infants": infants}
        for infants in (["HOSP|77", "OTHER|77"], None)
    ]
    assert verify_audit(database).is_whole


async def test_a_replay_of_a_dead_letter_is_audited(bus: Bus, started: Start, rows: Any) -> None:
    moment = datetime.now(UTC)
    replay = Replay("1-0", ReplayOutcome.ACCEPTED, "engineer 3", "bed set", moment, SourceId("hl7", "MON"), "17")
    await tell_replay(bus, replay)

    async with started():
        await until(lambda: bool(rows("SELECT 1 FROM audit")))

    assert rows("SELECT event, actor FROM audit") == [{"event": "dead_letter_replayed", "actor": "engineer 3"}]


async def test_scores_of_the_bus_become_the_newest_score_and_an_aggregate_of_who_was_there(
    bus: Bus, bedside: Any, started: Start, rows: Any
) -> None:
    await admit(bus, bedside)
    await publish(bus, bedside, 1, 2, 14)

    async with started():
        await until(lambda: len(rows("SELECT 1 FROM aggregates")) == 2)
        gone = BedState(bedside.bed, bedside.score(12).window_end)
        await bus.publish(CENSUS, encode_bed_state(gone))
        await until(lambda: bool(rows("SELECT 1 FROM aggregates WHERE patient_value IS NULL")))

    assert rows('SELECT patient_value, "count" FROM aggregates ORDER BY begins') == [
        {"patient_value": bedside.infant.value, "count": 2},
        {"patient_value": None, "count": 1},
    ]
    assert rows("SELECT window_end FROM live_scores") == [{"window_end": bedside.score(14).window_end}]
