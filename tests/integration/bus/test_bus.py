"""Publishing, reading back and trimming on real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from redis.exceptions import ResponseError

from neopain.bus.bus import Bus, Published, id_at
from neopain.bus.connection import BusAddress, connect, require_durable, require_volatile
from neopain.bus.consumer import Consumer
from neopain.bus.streams import BASELINE, CENSUS, FRAMES, SCORES, TICKS, VITALS
from neopain.domain.identity import BedId, recording_bed
from neopain.embedded.state import StateFolder
from neopain.embedded.valkey import Valkey
from neopain.errors import BusUnavailable, ConfigurationError

BED = BedId("NICU/1/1@TEST")
OTHER_BED = BedId("NICU/1/2@TEST")


async def test_what_is_published_is_read_back_in_its_order(bus: Bus) -> None:
    for payload in (b"one", b"two", b"three"):
        await bus.publish(CENSUS, payload)
    assert [entry.payload for entry in await bus.read_range(CENSUS)] == [b"one", b"two", b"three"]


async def test_a_range_includes_both_of_its_ends(bus: Bus) -> None:
    ids = [await bus.publish(CENSUS, payload) for payload in (b"one", b"two", b"three", b"four")]
    found = await bus.read_range(CENSUS, first=ids[1], last=ids[2])
    assert [entry.payload for entry in found] == [b"two", b"three"]


async def test_beds_do_not_see_each_others_entries(bus: Bus) -> None:
    await bus.publish(VITALS, b"mine", bed=BED)
    await bus.publish(VITALS, b"yours", bed=OTHER_BED)
    assert [entry.payload for entry in await bus.read_range(VITALS, bed=BED)] == [b"mine"]


async def test_a_per_bed_stream_without_a_bed_is_refused(bus: Bus) -> None:
    with pytest.raises(ValueError, match="stream vitals is kept per bed"):
        await bus.publish(VITALS, b"whose?")


async def test_an_id_is_the_time_of_arrival(bus: Bus) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    await bus.publish(CENSUS, b"now")
    assert len(await bus.read_range(CENSUS, first=id_at(before), last=id_at(before + timedelta(seconds=5)))) == 1


async def test_frames_older_than_their_retention_go_with_the_next_one(bus: Bus) -> None:
    server, key = bus.server_of(FRAMES, BED), bus.stream_key(FRAMES, BED)
    for index in range(200):
        await server.xadd(key, {b"p": b"old"}, id=f"{index + 1}-0")
    await bus.publish(FRAMES, b"new", bed=BED)
    kept = await bus.read_range(FRAMES, bed=BED)
    assert kept[-1].payload == b"new"
    assert len(kept) < 200


async def test_a_bed_s_frames_are_bounded_by_size_too(bus: Bus) -> None:
    server, key = bus.server_of(FRAMES, BED), bus.stream_key(FRAMES, BED)
    now = id_at(datetime.now(UTC))
    async with server.pipeline(transaction=False) as pipe:
        for index in range(1500):
            pipe.xadd(key, {b"p": b"much"}, id=f"{now}-{index}")
        await pipe.execute()
    await bus.publish(FRAMES, b"new", bed=BED)
    kept = await bus.read_range(FRAMES, bed=BED)
    assert kept[-1].payload == b"new"
    assert 1024 <= len(kept) <= 1124


async def test_a_recordings_frames_are_not_trimmed_by_the_clock(bus: Bus) -> None:
    bed = recording_bed("a")
    server, key = bus.server_of(FRAMES, bed), bus.stream_key(FRAMES, bed)
    for index in range(200):
        await server.xadd(key, {b"p": b"old"}, id=f"{index + 1}-0")
    await bus.publish(FRAMES, b"new", bed=bed)
    assert len(await bus.read_range(FRAMES, bed=bed)) == 201


async def test_media_of_a_bed_that_fell_silent_expire(bus: Bus) -> None:
    await bus.publish(FRAMES, b"last", bed=BED)
    remaining = await bus.server_of(FRAMES, BED).pttl(bus.stream_key(FRAMES, BED))
    assert 110_000 < remaining <= 120_000


class TestPublishOnce:
    """The check and the XADD are one step."""

    async def test_the_second_publication_under_a_mark_adds_nothing(self, bus: Bus) -> None:
        await bus.publish_once(TICKS, b"tick", mark="B@1")
        await bus.publish_once(TICKS, b"tick again", mark="B@1")
        assert [entry.payload for entry in await bus.read_range(TICKS)] == [b"tick"]

    async def test_the_second_publication_tells_the_id_of_the_first(self, bus: Bus) -> None:
        first = await bus.publish_once(TICKS, b"tick", mark="B@1")
        second = await bus.publish_once(TICKS, b"tick", mark="B@1")
        assert (second.id, first.is_new, second.is_new) == (first.id, True, False)

    async def test_fifty_at_once_under_one_mark_add_one(self, bus: Bus) -> None:
        published = await asyncio.gather(*(bus.publish_once(TICKS, b"tick", mark="B@1") for _ in range(50)))
        assert sum(one.is_new for one in published) == 1
        assert len(await bus.read_range(TICKS)) == 1

    async def test_many_at_once_are_each_told_their_own_id(self, bus: Bus) -> None:
        names = [f"{n}" for n in range(200)]
        published = await asyncio.gather(*(bus.publish_once(TICKS, name.encode(), mark=name) for name in names))
        stored = {entry.payload.decode(): entry.id for entry in await bus.read_range(TICKS)}
        assert stored == {name: one.id for name, one in zip(names, published, strict=True)}

    async def test_at_once_each_goes_to_the_stream_of_its_bed(self, bus: Bus) -> None:
        await asyncio.gather(*(bus.publish_once(VITALS, bed.encode(), mark=bed, bed=bed) for bed in (BED, OTHER_BED)))
        found = [
            [entry.payload.decode() for entry in await bus.read_range(VITALS, bed=bed)] for bed in (BED, OTHER_BED)
        ]
        assert found == [[BED], [OTHER_BED]]
        assert await bus.active_beds(within=timedelta(seconds=60)) == {BED, OTHER_BED}

    async def test_what_one_is_refused_for_the_others_at_once_are_not(self, bus: Bus) -> None:
        await bus.durable.set(bus.stream_key(VITALS, BED), "no stream")
        outcomes = await asyncio.gather(
            bus.publish_once(TICKS, b"before", mark="before"),
            bus.publish_once(TICKS, b"first of the batch", mark="first"),
            bus.publish_once(VITALS, b"refused", mark="refused", bed=BED),
            bus.publish_once(TICKS, b"last of the batch", mark="last"),
            return_exceptions=True,
        )
        assert [isinstance(outcome, Published) for outcome in outcomes] == [True, True, False, True]
        with pytest.raises(ResponseError, match="WRONGTYPE"):
            raise cast("Exception", outcomes[2])
        payloads = [entry.payload for entry in await bus.read_range(TICKS)]
        assert payloads == [b"before", b"first of the batch", b"last of the batch"]
        await bus.durable.delete(bus.stream_key(VITALS, BED))
        assert (await bus.publish_once(VITALS, b"refused", mark="refused", bed=BED)).is_new

    async def test_a_mark_is_of_its_stream(self, bus: Bus) -> None:
        await bus.publish_once(TICKS, b"tick", mark="same")
        assert (await bus.publish_once(SCORES, b"score", mark="same")).is_new

    async def test_a_mark_is_forgotten_after_its_life(self, bus: Bus) -> None:
        await bus.publish_once(TICKS, b"tick", mark="B@1", life=timedelta(milliseconds=1))
        deadline = asyncio.get_running_loop().time() + 5
        while not (await bus.publish_once(TICKS, b"tick", mark="B@1", life=timedelta(milliseconds=1))).is_new:
            assert asyncio.get_running_loop().time() < deadline

    async def test_a_stream_on_a_media_server_is_refused(self, bus: Bus) -> None:
        with pytest.raises(ValueError, match="stream frames is not on the bus"):
            await bus.publish_once(FRAMES, b"frame", mark="m", bed=BED)


class TestLastIds:
    """What a tick carries."""

    async def test_they_are_those_of_the_last_entries(self, bus: Bus) -> None:
        await bus.publish(VITALS, b"one", bed=BED)
        vitals = await bus.publish(VITALS, b"two", bed=BED)
        frames = await bus.publish(FRAMES, b"frame", bed=BED)
        assert await bus.last_ids(BED) == {"vitals": vitals, "frames": frames}

    async def test_a_bed_without_anything_has_none(self, bus: Bus) -> None:
        assert await bus.last_ids(BED) == {}

    async def test_they_outlive_the_entries(self, bus: Bus) -> None:
        last = await bus.publish(VITALS, b"one", bed=BED)
        await bus.durable.xtrim(bus.stream_key(VITALS, BED), maxlen=0, approximate=False)
        assert await bus.last_ids(BED) == {"vitals": last}


class TestActiveBeds:
    """Which beds get ticks."""

    async def test_a_bed_is_active_by_vitals_or_by_media(self, bus: Bus) -> None:
        await bus.publish(VITALS, b"one", bed=BED)
        await bus.publish(FRAMES, b"one", bed=OTHER_BED)
        assert await bus.active_beds(within=timedelta(seconds=60)) == {BED, OTHER_BED}

    async def test_a_bed_is_active_by_a_vital_published_once(self, bus: Bus) -> None:
        await bus.publish_once(VITALS, b"one", mark="4711", bed=BED)
        assert await bus.active_beds(within=timedelta(seconds=60)) == {BED}

    async def test_what_we_work_out_ourselves_keeps_no_bed_active(self, bus: Bus) -> None:
        await bus.publish(BASELINE, b"one", bed=BED)
        assert await bus.active_beds(within=timedelta(seconds=60)) == set()

    async def test_a_bed_that_fell_silent_is_not(self, bus: Bus) -> None:
        await bus.publish(VITALS, b"one", bed=BED)
        two_minutes_ago = (datetime.now(UTC) - timedelta(minutes=2)).timestamp() * 1000
        await bus.durable.zadd(bus.key("beds"), {BED: int(two_minutes_ago)})
        assert await bus.active_beds(within=timedelta(seconds=60)) == set()

    async def test_a_recording_is_no_bed(self, bus: Bus) -> None:
        await bus.publish(VITALS, b"one", bed=recording_bed("a"))
        await bus.publish(FRAMES, b"one", bed=recording_bed("a"))
        assert await bus.active_beds(within=timedelta(seconds=60)) == set()


class TestTrim:
    """What is old goes only when every group has acknowledged it."""

    async def add_old(self, bus: Bus, count: int) -> None:
        """Scores that arrived in 1970."""
        for index in range(count):
            await bus.durable.xadd(bus.stream_key(SCORES), {b"p": b"%d" % index}, id=f"{index + 1}-0")

    async def test_a_group_that_does_not_exist_yet_keeps_everything(self, bus: Bus) -> None:
        await self.add_old(bus, 3)
        assert await bus.trim() == 0
        assert len(await bus.read_range(SCORES)) == 3

    async def test_a_group_that_has_read_nothing_keeps_everything(self, bus: Bus) -> None:
        await self.add_old(bus, 3)
        await Consumer(bus, SCORES, group="charting", name="a").join()
        assert await bus.trim() == 0

    async def test_unacknowledged_entries_stay_and_acknowledged_ones_before_them_go(self, bus: Bus) -> None:
        await self.add_old(bus, 5)
        consumer = Consumer(bus, SCORES, group="charting", name="a")
        await consumer.join()
        await consumer.take(count=5, wait=timedelta(milliseconds=10))
        await consumer.acknowledge("1-0", "2-0", "4-0")
        await bus.trim()
        assert [entry.id for entry in await bus.read_range(SCORES)] == ["3-0", "4-0", "5-0"]

    async def test_an_unforeseen_group_is_waited_for_too(self, bus: Bus) -> None:
        await self.add_old(bus, 2)
        for group in ("charting", "research"):
            consumer = Consumer(bus, SCORES, group=group, name="a")
            await consumer.join()
            if group == "charting":
                await consumer.take(count=2, wait=timedelta(milliseconds=10))
                await consumer.acknowledge("1-0", "2-0")
        assert await bus.trim() == 0

    async def test_what_is_young_stays_although_acknowledged(self, bus: Bus) -> None:
        await bus.publish(SCORES, b"young")
        consumer = Consumer(bus, SCORES, group="charting", name="a")
        await consumer.join()
        (delivery,) = await consumer.take(count=1, wait=timedelta(milliseconds=10))
        await consumer.acknowledge(delivery.entry.id)
        await bus.publish(SCORES, b"younger")
        assert await bus.trim() == 0

    async def test_vitals_of_the_named_beds_go_by_their_age(self, bus: Bus) -> None:
        await bus.durable.xadd(bus.stream_key(VITALS, BED), {b"p": b"old"}, id="1-0")
        await bus.publish(VITALS, b"young", bed=BED)
        assert await bus.trim(beds=[BED]) == 1
        assert [entry.payload for entry in await bus.read_range(VITALS, bed=BED)] == [b"young"]


async def test_a_dropped_recording_leaves_nothing(bus: Bus) -> None:
    bed = recording_bed("a")
    await bus.publish(VITALS, b"one", bed=bed)
    await bus.publish(FRAMES, b"one", bed=bed)
    await bus.drop_bed(bed)
    assert await bus.last_ids(bed) == {}


@pytest.fixture
async def small_bus(tmp_path: Path, media_url: str) -> AsyncIterator[Bus]:
    """A durable server of 4 MB that only this test fills."""
    with Valkey.bus(StateFolder(tmp_path), maxmemory_mb=4) as server:
        bus = Bus(BusAddress(server.url, (media_url,), "small"))
        yield bus
        await bus.aclose()


async def fill(bus: Bus, payload: bytes = bytes(100_000)) -> None:
    """Publishes until the server refuses."""
    for _ in range(100):
        await bus.publish(VITALS, payload, bed=BED)


class TestTroubles:
    """What a server that is full, broken or gone does to who publishes."""

    async def test_a_full_bus_refuses_and_keeps_what_it_has(self, small_bus: Bus) -> None:
        with pytest.raises(BusUnavailable, match="XADD vitals: the bus refused"):
            await fill(small_bus)
        kept = await small_bus.read_range(VITALS, bed=BED)
        assert all(len(entry.payload) == 100_000 for entry in kept)

    async def test_a_full_bus_refuses_publications_with_a_mark_too(self, small_bus: Bus) -> None:
        with pytest.raises(BusUnavailable):
            await fill(small_bus)
        with pytest.raises(BusUnavailable, match="publish once to ticks: the bus refused"):
            await small_bus.publish_once(TICKS, bytes(100_000), mark="m")

    async def test_a_refused_publication_leaves_no_mark(self, small_bus: Bus) -> None:
        with pytest.raises(BusUnavailable):
            await fill(small_bus)
        with pytest.raises(BusUnavailable):
            await small_bus.publish_once(TICKS, bytes(100_000), mark="m")
        await small_bus.drop_bed(BED)
        assert (await small_bus.publish_once(TICKS, b"tick", mark="m")).is_new

    async def test_a_refusal_tells_nothing_of_the_payload(self, small_bus: Bus) -> None:
        with pytest.raises(BusUnavailable) as caught:
            await fill(small_bus, b"MRN-4711" * 12_500)
        assert "4711" not in str(caught.value)

    async def test_a_bus_that_is_gone_is_unavailable(self, tmp_path: Path, media_url: str) -> None:
        with Valkey.bus(StateFolder(tmp_path)) as server:
            bus = Bus(BusAddress(server.url, (media_url,), "gone"))
            await bus.publish(CENSUS, b"one")
            server.kill()
            with pytest.raises(BusUnavailable, match="XADD census: the bus did not answer"):
                await bus.publish(CENSUS, b"two")
        await bus.aclose()

    async def test_what_was_published_survives_a_killed_server(self, tmp_path: Path, media_url: str) -> None:
        with Valkey.bus(StateFolder(tmp_path)) as server:
            before, after = (Bus(BusAddress(server.url, (media_url,), "killed")) for _ in range(2))
            await before.publish(CENSUS, b"one")
            await before.aclose()
            server.kill()
            server.restart()
            assert [entry.payload for entry in await after.read_range(CENSUS)] == [b"one"]
            await after.aclose()

    async def test_a_wrong_password_is_unavailable(self, bus_url: str, media_url: str) -> None:
        bus = Bus(BusAddress(bus_url.replace("redis://:", "redis://:wrong"), (media_url,)))
        with pytest.raises(BusUnavailable):
            await bus.publish(CENSUS, b"one")
        await bus.aclose()


async def test_two_media_servers_share_the_beds(bus_url: str, media_url: str, tmp_path: Path) -> None:
    with Valkey.media(StateFolder(tmp_path), maxmemory_mb=32) as other:
        bus = Bus(BusAddress(bus_url, (media_url, other.url), "shared-out"))
        # CRC-32 of the one is even, of the other odd.
        here, there = BedId("NICU/1/1@A"), BedId("NICU/1/2@A")
        ids = [await bus.publish(FRAMES, b"frame", bed=bed) for bed in (here, there)]
        assert await bus.active_beds(within=timedelta(seconds=60)) == {here, there}
        assert [await bus.last_ids(bed) for bed in (here, there)] == [{"frames": ids[0]}, {"frames": ids[1]}]
        assert [await server.exists("shared-out:frames:NICU/1/1@A") for server in bus.media] == [1, 0]
        await bus.aclose()


class TestPromises:
    """A server that cannot keep its promise is refused at the start."""

    async def test_the_embedded_servers_keep_them(self, bus: Bus) -> None:
        await bus.check()

    async def test_a_media_server_is_no_bus(self, media_url: str) -> None:
        server = connect(media_url)
        with pytest.raises(ConfigurationError, match="set appendonly yes and appendfsync always"):
            await require_durable(server)
        await server.aclose()

    async def test_a_bus_is_no_media_server(self, bus_url: str) -> None:
        server = connect(bus_url)
        with pytest.raises(ConfigurationError, match="live media would reach a disk"):
            await require_volatile(server)
        await server.aclose()

    async def test_a_bus_that_drops_facts_when_full_is_refused(self, small_bus: Bus) -> None:
        await small_bus.durable.config_set("maxmemory-policy", "allkeys-lru")
        with pytest.raises(ConfigurationError, match="set noeviction"):
            await require_durable(small_bus.durable)

    async def test_a_bus_that_syncs_once_a_second_is_refused(self, small_bus: Bus) -> None:
        await small_bus.durable.config_set("appendfsync", "everysec")
        with pytest.raises(ConfigurationError, match="appendfsync everysec"):
            await require_durable(small_bus.durable)

    async def test_a_media_server_without_a_limit_is_refused(self, tmp_path: Path) -> None:
        with Valkey.media(StateFolder(tmp_path)) as valkey:
            server = connect(valkey.url)
            await server.config_set("maxmemory", "0")
            with pytest.raises(ConfigurationError, match="the media server has no maxmemory"):
                await require_volatile(server)
            await server.aclose()
