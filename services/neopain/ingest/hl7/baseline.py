"""The baseline of each bed, once a minute: medians of the last ten minutes, so that scoring need not read them.

With it goes the newest blood pressure of the last hour, from one baseline to the next.

Read from the stream every time: nothing is kept in memory that a restart would lose.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

from neopain.bus.bus import Bus, id_at
from neopain.bus.streams import BASELINE, VITALS
from neopain.domain.identity import BedId
from neopain.domain.vitals import Baseline, VitalSample
from neopain.errors import BusUnavailable, ContractBroken
from neopain.features.baseline import BACK, baseline_of, newest_pressure
from neopain.runtime.backoff import Backoff
from neopain.runtime.clock import Clock
from neopain.runtime.log import Log
from neopain.runtime.service import Running
from neopain.wire.vitals import decode_baseline, decode_batch, encode_baseline

LOG = Log(__name__)

EVERY = timedelta(minutes=1)
PAGE = 64


async def publish_baselines(bus: Bus, running: Running, clock: Clock) -> None:
    """Publishes every active bed's baseline at each full minute until asked to stop."""
    backoff = Backoff()
    while await running.pause(_seconds_to_next(clock.now())):
        try:
            await publish_round(bus, clock.now())
            backoff.reset()
        except BusUnavailable as error:
            LOG.warning("baselines_missed", why=error)
            await running.pause(backoff.next_seconds())


async def publish_round(bus: Bus, now: datetime) -> int:
    """Publishes the baseline of every bed with data in the last ten minutes; returns of how many.

    Several listeners may do this at once: a minute's baseline is published once.
    """
    minute = now.replace(second=0, microsecond=0)
    published = 0
    for bed in sorted(await bus.beds_with_vitals(within=BACK)):
        try:
            baseline = await compute_baseline(bus, bed, now)
        except ContractBroken as error:
            # Of a newer version of ours, perhaps: messages and the other beds go on, this one has no baseline.
            LOG.error("baseline_missed", bed=bed, why=error)
            continue
        if baseline is None:
            continue
        mark = f"{bed}|{minute.isoformat()}"
        found = await bus.publish_once(BASELINE, encode_baseline(baseline), mark=mark, bed=bed, life=BACK)
        published += found.is_new
    return published


async def compute_baseline(bus: Bus, bed: BedId, now: datetime) -> Baseline | None:
    """The medians by kind of the good, plausible samples from 10 min to 30 s ago, None if there are none; with the
    newest pressure among them and of the baseline before."""
    samples = [sample async for sample in _samples(bus, bed, now - BACK)]
    baseline = baseline_of(bed, samples, now)
    if baseline is None:
        return None
    before = await bus.read_last(BASELINE, bed=bed)
    kept = decode_baseline(before.payload).pressure if before is not None else None
    return replace(baseline, pressure=newest_pressure([*samples, *([kept] if kept else [])], now))


async def _samples(bus: Bus, bed: BedId, since: datetime) -> AsyncIterator[VitalSample]:
    # Page by page, since messages are answered between two pages.
    start = id_at(since)
    while page := await bus.read_range(VITALS, bed=bed, first=start, count=PAGE):
        for entry in page:
            for sample in decode_batch(entry.payload).samples:
                yield sample
        start = f"({page[-1].id}"


def _seconds_to_next(now: datetime) -> float:
    step = EVERY.total_seconds()
    return step - now.timestamp() % step
