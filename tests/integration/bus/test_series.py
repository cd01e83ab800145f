from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from neopain.bus.bus import Bus
from neopain.bus.connection import BusAddress, shard_of
from neopain.bus.series import Number, OutOfOrder, SeriesPublisher
from neopain.bus.streams import AUDIO, FRAMES, MOVEMENT, VITALS, Server
from neopain.domain.identity import BedId
from neopain.errors import BusUnavailable

BED, SERIES = BedId("NICU/1/1"), "vitals:gateway:a"


@pytest.fixture
def publisher(bus: Bus) -> SeriesPublisher:
    return SeriesPublisher(bus)


async def put(publisher: SeriesPublisher, sequence: int, floor: int | None = None, series: str = SERIES) -> bool:
    number = Number(series, sequence, sequence - 1 if floor is None else floor)
    return await publisher.publish(VITALS, b"%d" % sequence, bed=BED, number=number)


async def payloads(bus: Bus) -> list[bytes]:
    return [one.payload for one in await bus.read_range(VITALS, bed=BED)]


async def test_a_number_is_stored_once_and_the_position_follows(publisher: SeriesPublisher) -> None:
    assert await publisher.kept(Server.BUS, SERIES) == 0
    assert [await put(publisher, number) for number in (1, 2, 2, 1, 3)] == [True, True, False, False, True]
    assert await payloads(publisher.bus) == [b"1", b"2", b"3"]
    assert await publisher.kept(Server.BUS, SERIES) == 3


async def test_a_gap_is_refused_and_stores_nothing(publisher: SeriesPublisher) -> None:
    await put(publisher, 1)
    with pytest.raises(OutOfOrder) as refusal:
        await put(publisher, 4)
    assert refusal.value.kept == 1
    assert await payloads(publisher.bus) == [b"1"]
    assert await put(publisher, 4, floor=1)


async def test_an_unknown_series_begins_at_any_number(publisher: SeriesPublisher) -> None:
    assert await put(publisher, 500)
    assert await put(publisher, 1, series="vitals:gateway:b")


async def test_a_bed_that_sends_numbered_vitals_is_active(publisher: SeriesPublisher, bus: Bus) -> None:
    await put(publisher, 1)
    assert await bus.durable.zscore(bus.key("beds"), BED) is not None


async def test_what_one_picture_gave_is_stored_whole_and_once(publisher: SeriesPublisher, bus: Bus) -> None:
    entries = [(FRAMES, b"crop"), (MOVEMENT, b"energy")]
    told = [
        await publisher.publish_media(entries, bed=BED, series="frames:cam:a", sequence=number) for number in (1, 1, 7)
    ]
    assert told == [True, False, True]
    assert len(await bus.read_range(FRAMES, bed=BED)) == len(await bus.read_range(MOVEMENT, bed=BED)) == 2
    assert await publisher.kept(Server.MEDIA, "frames:cam:a") == 7


async def test_beds_of_one_series_do_not_hide_each_other_s_sound(publisher: SeriesPublisher, bus: Bus) -> None:
    for bed, number in ((BED, 5), (BedId("NICU/1/2"), 4)):
        assert await publisher.publish_media([(AUDIO, b"x")], bed=bed, series="audio:mic:a", sequence=number)


@pytest.fixture
async def half_a_bus(bus_url: str, media_url: str) -> AsyncIterator[Bus]:
    bus = Bus(BusAddress(bus_url, (media_url, "redis://127.0.0.1:1/0"), namespace="half"))
    yield bus
    await bus.aclose()


async def test_a_media_server_that_is_away_does_not_hide_what_the_others_have(half_a_bus: Bus) -> None:
    beds = [BedId(f"NICU/1/{number}") for number in range(20)]
    bed = next(one for one in beds if shard_of(one, half_a_bus.media) is half_a_bus.media[0])
    publisher = SeriesPublisher(half_a_bus)
    await publisher.publish_media([(AUDIO, b"x")], bed=bed, series="audio:half:a", sequence=3)
    assert await publisher.kept(Server.MEDIA, "audio:half:a") == 3


async def test_without_any_server_the_position_is_not_known() -> None:
    bus = Bus(BusAddress("redis://127.0.0.1:1/0", ("redis://127.0.0.1:1/0",)))
    for server in Server:
        with pytest.raises(BusUnavailable):
            await SeriesPublisher(bus).kept(server, SERIES)
    await bus.aclose()
