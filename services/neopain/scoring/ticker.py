"""The ticker: says "bed B, window ending at T, closed" for every active bed, once per T however many tickers run.

It keeps nothing that the bus does not know: after a restart it goes on behind the last tick on the stream. What it was
too late for it publishes all the same: the window is scored while that is still of use, and else told as missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from neopain.bus.bus import Bus, id_at
from neopain.bus.streams import TICKS
from neopain.domain.identity import BedId, is_recording
from neopain.domain.window import CADENCE, LATENESS, Tick, window_end_before
from neopain.errors import BusUnavailable
from neopain.runtime.backoff import Backoff
from neopain.runtime.clock import Clock, SystemClock
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter, gauge
from neopain.runtime.service import Running, run_service
from neopain.runtime.settings import BusSettings
from neopain.scoring.settings import ScoringSettings
from neopain.wire.score import decode_tick, encode_tick

LOG = Log(__name__)

ACTIVE_WITHIN = timedelta(seconds=60)
"""A bed that nothing has arrived for in this time gets no more ticks."""
CATCH_UP = timedelta(seconds=60)
"""Windows that ended longer ago than this when a ticker comes back get no tick: one warning tells of them."""
TRIM_EVERY = timedelta(seconds=30)
TRIMMED_BEDS_WITHIN = timedelta(days=1)
MARK_LIFE = timedelta(minutes=10)
"""How long a tick is known to be published; must exceed ``CATCH_UP``."""


@dataclass(frozen=True, slots=True)
class Due:
    """The ends of the windows that are to be ticked now, oldest first, and the first one after them."""

    ends: tuple[datetime, ...]
    following: datetime


def due_ends(following: datetime, now: datetime) -> Due:
    """The window ends from ``following`` on that are closed at ``now`` and not older than ``CATCH_UP``."""
    last = window_end_before(now - LATENESS)
    first = max(following, last - CATCH_UP)
    count = max(int((last - first) / CADENCE) + 1, 0)
    ends = tuple(first + index * CADENCE for index in range(count))
    return Due(ends, ends[-1] + CADENCE if ends else following)


class Ticker:
    """Publishes the ticks of one namespace. ``BusUnavailable`` from either method: nothing is lost, call again."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self.bus = bus
        self.clock = clock
        self.following: datetime | None = None
        self._told_away: frozenset[str] = frozenset()

    async def tick_due(self) -> int:
        """Publishes every tick that is due and not yet published by anyone; returns how many were new."""
        if self.following is None:
            self.following = await self._first_end()
        now = self.clock.now()
        if self.following - now > CATCH_UP:
            LOG.warning("clock_was_ahead", waited_for=self.following)
            self.following = window_end_before(now - LATENESS)
        due = due_ends(self.following, now)
        if due.ends and due.ends[0] > self.following:
            LOG.warning("windows_without_tick", since=self.following, until=due.ends[0])
        beds = sorted(await self.bus.active_beds(within=ACTIVE_WITHIN)) if due.ends else []
        published = 0
        for end in due.ends:
            published += await self._tick_beds(beds, end)
            self.following = end + CADENCE
        self._tell_away()
        return published

    def seconds_until_due(self) -> float:
        """How long nothing is due."""
        if self.following is None:
            return 0.0
        return max((self.following + LATENESS - self.clock.now()).total_seconds(), 0.0)

    async def _first_end(self) -> datetime:
        """The end of the last live tick on the stream, whose beds may not all have had it; else the last closed one."""
        now = self.clock.now()
        entries = await self.bus.read_range(TICKS, first=id_at(now - CATCH_UP))
        ticks = (decode_tick(entry.payload) for entry in entries)
        ends = [tick.window_end for tick in ticks if not is_recording(tick.bed)]
        return max(ends, default=window_end_before(now - LATENESS))

    async def _tick_beds(self, beds: Sequence[BedId], end: datetime) -> int:
        published = sum(await asyncio.gather(*(self._tick(bed, end) for bed in beds)))
        counter("scoring_ticks_total").inc(published)
        return published

    async def _tick(self, bed: BedId, end: datetime) -> bool:
        found = await self.bus.last_ids_there(bed)
        closed = self.clock.now()
        tick = Tick(bed, end, closed, last_ids=found.ids, is_media_away=found.is_media_away)
        mark = f"{bed}@{end.isoformat()}"
        published = await self.bus.publish_once(TICKS, encode_tick(tick), mark=mark, life=MARK_LIFE)
        return published.is_new

    def _tell_away(self) -> None:
        """Says once that a media server does not answer, and once that it does again."""
        away = self.bus.media_away
        for server in sorted(away.keys() - self._told_away):
            LOG.warning("media_server_away", server=server, why=away[server])
        for server in sorted(self._told_away - away.keys()):
            LOG.info("media_server_back", server=server)
        self._told_away = frozenset(away)
        gauge("scoring_media_servers_away").set(len(away))


async def tick_until_stopped(ticker: Ticker, running: Running) -> None:
    """Ticks until asked to stop; waits for a bus that is down."""
    backoff = Backoff()
    while not running.stopping.is_set():
        try:
            await ticker.tick_due()
        except BusUnavailable as error:
            LOG.warning("bus_unavailable", stream=TICKS.name, why=error)
            await running.pause(backoff.next_seconds())
            continue
        backoff.reset()
        if not running.stopping.is_set():
            running.health.ready()
        await running.pause(ticker.seconds_until_due())


async def trim_until_stopped(bus: Bus, running: Running) -> None:
    """Removes every half minute what every group has acknowledged and nobody reads any more."""
    while await running.pause(TRIM_EVERY.total_seconds()):
        try:
            removed = await bus.trim(beds=await bus.beds_with_vitals(within=TRIMMED_BEDS_WITHIN))
        except BusUnavailable as error:
            LOG.warning("bus_unavailable", stream="trim", why=error)
        else:
            LOG.debug("streams_trimmed", entries=removed)


def run_ticker(settings: ScoringSettings, bus_settings: BusSettings) -> None:
    """Runs a ticker until it is asked to stop."""
    run_service("scoring", settings, partial(_run, bus_settings))


async def _run(bus_settings: BusSettings, running: Running) -> None:
    bus = Bus(bus_settings.address_with_media())
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(tick_until_stopped(Ticker(bus, SystemClock()), running))
            tasks.create_task(trim_until_stopped(bus, running))
    finally:
        await bus.aclose()
