"""The baseline: medians of ten minutes without the newest half minute, published once a minute."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from neopain.bus.bus import FIELD, Bus, id_at
from neopain.bus.streams import BASELINE, VITALS
from neopain.domain.identity import BedId, SourceId
from neopain.domain.time import recorded_timing
from neopain.domain.vitals import Processing, Validity, VitalKind, VitalSample, VitalsBatch
from neopain.ingest.hl7.baseline import compute_baseline, publish_round
from neopain.wire.vitals import decode_baseline, encode_baseline, encode_batch

BED = BedId("NICU/1/3")
HR, SPO2 = VitalKind.HEART_RATE, VitalKind.SPO2


@pytest.fixture
async def bus(address: Any) -> AsyncIterator[Bus]:
    """The bus of this test."""
    one = Bus(address)
    yield one
    await one.aclose()


async def put(
    bus: Bus, now: datetime, *samples: tuple[float, VitalKind, float], validity: Validity = Validity.GOOD
) -> None:
    """Publishes samples: seconds ago, kind, value."""
    for ago, kind, value in samples:
        moment = now - timedelta(seconds=ago)
        sample = VitalSample(kind, value, recorded_timing(received=now, source=moment), validity)
        batch = VitalsBatch(BED, SourceId("hl7", "MON"), (sample,), Processing.PRODUCTION)
        await bus.publish(VITALS, encode_batch(batch), bed=BED)


async def test_the_baseline_is_the_median_by_kind_without_the_newest_half_minute(bus: Bus) -> None:
    now = datetime.now(UTC)
    await put(bus, now, (300, HR, 140.0), (200, HR, 150.0), (40, HR, 142.0), (10, HR, 200.0), (100, SPO2, 96.0))
    found = await compute_baseline(bus, BED, now)
    assert found is not None
    assert found.medians == {HR: 142.0, SPO2: 96.0}
    assert found.span_seconds == 300.0


async def test_bad_implausible_and_old_samples_do_not_count(bus: Bus) -> None:
    now = datetime.now(UTC)
    await put(bus, now, (100, HR, 140.0), (90, HR, 20.0), (700, HR, 180.0))
    await put(bus, now, (80, HR, 190.0), validity=Validity.INVALID)
    found = await compute_baseline(bus, BED, now)
    assert found is not None
    assert found.medians == {HR: 140.0}


async def put_then(bus: Bus, moment: datetime, kind: VitalKind, value: float) -> None:
    """Publishes a sample as if it had arrived when it was measured."""
    sample = VitalSample(kind, value, recorded_timing(received=moment, source=moment))
    batch = VitalsBatch(BED, SourceId("hl7", "MON"), (sample,), Processing.PRODUCTION)
    await bus.durable.xadd(bus.stream_key(VITALS, BED), {FIELD: encode_batch(batch)}, id=id_at(moment))


async def test_the_newest_pressure_of_an_hour_goes_on_from_baseline_to_baseline(address: Any) -> None:
    start, pressures = datetime.now(UTC), []
    for minutes in (0, 9, 18, 58, 62):
        # Each one is computed by a listener that remembers nothing.
        bus, now = Bus(address), start + timedelta(minutes=minutes)
        if minutes == 0:
            await put_then(bus, now - timedelta(seconds=70), VitalKind.BLOOD_PRESSURE_MEAN, 42.0)
        await put_then(bus, now - timedelta(seconds=60), HR, 140.0)
        found = await compute_baseline(bus, BED, now)
        assert found is not None
        await bus.publish(BASELINE, encode_baseline(found), bed=BED)
        await bus.aclose()
        pressures.append(found.pressure.value if found.pressure else None)
    assert pressures == [42.0, 42.0, 42.0, 42.0, None]


async def test_a_bed_without_samples_has_no_baseline(bus: Bus) -> None:
    now = datetime.now(UTC)
    await put(bus, now, (5, HR, 140.0))
    assert await publish_round(bus, now) == 0


async def test_a_long_stream_is_read_to_its_end(bus: Bus) -> None:
    now = datetime.now(UTC)
    await put(bus, now, *((float(ago), HR, 140.0 if ago > 100 else 160.0) for ago in range(300, 30, -1)))
    found = await compute_baseline(bus, BED, now)
    assert found is not None
    assert found.span_seconds == 300.0


async def test_two_listeners_publish_a_minute_s_baseline_once(bus: Bus) -> None:
    now = datetime.now(UTC).replace(second=20)
    await put(bus, now, (100, HR, 140.0))
    assert [await publish_round(bus, now), await publish_round(bus, now + timedelta(seconds=3))] == [1, 0]
    (entry,) = await bus.read_range(BASELINE, bed=BED)
    assert decode_baseline(entry.payload).medians == {HR: 140.0}


async def test_a_baseline_does_not_make_its_bed_look_connected(bus: Bus) -> None:
    now = datetime.now(UTC)
    await put(bus, now, (100, HR, 140.0))
    await bus.durable.delete(bus.key("beds"))
    await bus.durable.zadd(bus.key("beds"), {BED: int((now - timedelta(minutes=5)).timestamp() * 1000)})
    assert await publish_round(bus, now) == 1
    assert await bus.active_beds(within=timedelta(minutes=1)) == set()


async def test_a_bed_whose_vitals_cannot_be_read_does_not_take_the_other_beds_baselines(bus: Bus) -> None:
    now = datetime.now(UTC)
    await bus.publish(VITALS, b"\xff\xff no batch", bed=BedId("NICU/1/1"))
    await put(bus, now, (100, HR, 140.0))
    assert await publish_round(bus, now) == 1
