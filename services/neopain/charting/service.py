"""The consumer process: census, scores and what is to be audited in, entries out, and what is done now and then."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import Engine

from neopain.bus.bus import Bus, Entry
from neopain.bus.consumer import Consumer
from neopain.bus.streams import CENSUS, DISCLOSURES, REPLAYS, SCORES
from neopain.charting.aggregate_corrections import correct_aggregates, is_mere_news
from neopain.charting.aggregates import MOST_SLOTS, drop_days, ensure_days, sum_up_scores
from neopain.charting.alerts import tend_alerts
from neopain.charting.audit import anchor_heads
from neopain.charting.audit.months import ensure_partitions
from neopain.charting.broker import keep_our_logging, make_app, nudge
from neopain.charting.database import connect
from neopain.charting.disclosures import record_disclosure
from neopain.charting.facts import take_fact
from neopain.charting.intake import Intake, close_silent_beds, forget_windows, take_score
from neopain.charting.missed_facts import ToldFact, missed_facts
from neopain.charting.procedures import chart_due_procedures
from neopain.charting.replays import record_replay
from neopain.charting.schema import wait_for_schema
from neopain.charting.settings import ChartingSettings
from neopain.charting.unit_of_work import unit_of_work
from neopain.charting.vitals_pass import VitalsPass
from neopain.domain.census import BedState
from neopain.domain.identity import BedId, is_recording
from neopain.errors import ConfigurationError, ContractBroken, TransientError
from neopain.runtime.backoff import Backoff
from neopain.runtime.clock import Clock, SystemClock
from neopain.runtime.log import Log
from neopain.runtime.loop import LoopPolicy, consume
from neopain.runtime.service import Running, run_service
from neopain.runtime.settings import BusSettings
from neopain.wire.deadletter import decode_replay
from neopain.wire.disclosure import decode_disclosure
from neopain.wire.score import decode_score

LOG = Log(__name__)

GROUP = "charting"
CENSUS_WAIT_SECONDS = 5.0
TEND_SECONDS = 1.0
AGGREGATE_SECONDS = 1.0
HOUSEKEEPING = timedelta(minutes=10)
CENSUS_POLICY = LoopPolicy(parallel=1, most_deliveries=sys.maxsize)
"""A fact is never put aside: the scores after it would be charted to who lay there before. They wait with it."""
BEDS_AT_ONCE = 4
"""Of so many beds scores are taken side by side, since transactions wait for the disk; a bed's keep their order."""


def run_charting(settings: ChartingSettings, bus_settings: BusSettings) -> None:
    """Consumes ``census`` and ``scores`` until asked to stop.

    ``ConfigurationError`` when the database lacks a revision or the bus is none that keeps facts.
    """

    async def main(running: Running) -> None:
        keep_our_logging()
        bus = Bus(bus_settings.address())
        engine = connect(settings.database_url, connections=BEDS_AT_ONCE + 5)
        try:
            if await wait_for_schema(engine, running):
                await ChartingConsumer(settings, bus, engine).run(running)
        finally:
            await bus.aclose()
            engine.dispose()

    run_service("charting", settings, main)


class ChartingConsumer:
    """Takes facts and scores; every write is a transaction, acknowledged after its commit."""

    def __init__(self, settings: ChartingSettings, bus: Bus, engine: Engine, clock: Clock | None = None) -> None:
        self.settings = settings
        self.engine = engine
        self.clock = clock or SystemClock()
        self._intake = Intake(
            engine=engine,
            policies=settings.charting_policies(),
            clock=self.clock,
            takes_test_input=settings.ehr_is_embedded,
        )
        self._census = Consumer(bus, CENSUS, group=GROUP, name=settings.consumer_name)
        self._scores = Consumer(bus, SCORES, group=GROUP, name=settings.consumer_name)
        self._replays = Consumer(bus, REPLAYS, group=GROUP, name=settings.consumer_name)
        self._disclosures = Consumer(bus, DISCLOSURES, group=GROUP, name=settings.consumer_name)
        self._vitals = VitalsPass(bus, self._intake)
        self._has_news = asyncio.Event()
        self._known: dict[BedId, BedState] = {}
        """The state of each bed that its aggregates were last held to."""
        self._refusal: ContractBroken | None = None

    async def run(self, running: Running) -> None:
        """Returns soon after ``running`` is asked to stop.

        ``ContractBroken`` when a fact of the census cannot be read: who lies where is not known then, and a score would
        be charted to who lay there before. Facts and scores wait on the bus for a version that reads it.
        """
        await self._anchor()
        await asyncio.to_thread(self._keep_house)
        await self._take_missed_facts(running)
        await asyncio.gather(
            consume(self._census, partial(self._take_fact_or_stop, running), running, CENSUS_POLICY),
            consume(self._scores, self.take_score, running, LoopPolicy(parallel=BEDS_AT_ONCE, lane=_bed_of)),
            consume(self._replays, self.take_replay, running, LoopPolicy(parallel=1)),
            consume(self._disclosures, self.take_disclosure, running, LoopPolicy(parallel=1)),
            self._tend(running),
            self._aggregate(running),
            self._nudge(running),
        )
        await self._anchor()
        if self._refusal is not None:
            raise self._refusal

    async def _take_fact_or_stop(self, running: Running, entry: Entry) -> None:
        try:
            await self.take_fact(entry)
        except ContractBroken as error:
            self._refusal = error
            running.stop()
            raise TransientError(f"stopping: {error}") from error

    async def take_fact(self, entry: Entry) -> None:
        """A fact of the census into the history, with what it corrects."""
        await self._take_told(ToldFact.of(entry))

    async def _take_told(self, fact: ToldFact) -> None:
        state = fact.state
        taken = await asyncio.to_thread(take_fact, self._intake, fact_id=fact.id, state=state, arrived=fact.arrived)
        if taken.charted:
            self._has_news.set()
        # After a kill nothing is known, and all is looked at.
        if not is_mere_news(self._known.get(state.bed), state):
            corrected = await asyncio.to_thread(correct_aggregates, self._intake, state.bed, now=self.clock.now())
            if corrected:
                LOG.info("aggregates_corrected", bed=state.bed, aggregates=corrected)
        self._known[state.bed] = state

    async def _take_missed_facts(self, running: Running) -> None:
        """Takes what the history lacks of what the census has told, acknowledged or not, before any score is taken."""
        backoff = Backoff()
        while not running.stopping.is_set():
            try:
                facts = await missed_facts(self._census.bus, self.engine, now=self.clock.now())
                for fact in facts:
                    if running.stopping.is_set():
                        return
                    await self._take_told(fact)
            except TransientError as error:
                LOG.warning("census_waits", why=error)
                await running.pause(backoff.next_seconds())
            else:
                LOG.info("census_read_up", facts=len(facts))
                return

    async def take_replay(self, entry: Entry) -> None:
        """What a person did with a dead letter into the audit trail."""
        replay = decode_replay(entry.payload)
        await asyncio.to_thread(record_replay, self.engine, self.clock, fact_id=entry.id, replay=replay)

    async def take_disclosure(self, entry: Entry) -> None:
        """What was told to whom into the audit trail."""
        told = decode_disclosure(entry.payload)
        await asyncio.to_thread(record_disclosure, self.engine, self.clock, fact_id=entry.id, disclosure=told)

    async def take_score(self, entry: Entry) -> None:
        """A score into its bed's course. Recordings are not for the chart."""
        score = decode_score(entry.payload)
        if is_recording(score.bed):
            return
        await self._census_read_up()
        arrived = datetime.fromtimestamp(int(entry.id.partition("-")[0]) / 1000, UTC)
        written = await asyncio.to_thread(take_score, self._intake, score, arrived=arrived)
        if written.charted:
            self._has_news.set()

    async def _census_read_up(self) -> None:
        """Waits until the history holds every fact told up to now: the infant may have been admitted just before."""
        for _ in range(int(CENSUS_WAIT_SECONDS / 0.02)):
            if await self._census.is_drained():
                return
            if self._refusal is not None:
                raise TransientError(f"stopping: {self._refusal}")
            await asyncio.sleep(0.02)
        raise TransientError(f"the census was not read up within {CENSUS_WAIT_SECONDS:g} s")

    async def _nudge(self, running: Running) -> None:
        """Asks for a sweep when something was charted; several in a row make one."""
        app = make_app(self.settings)
        stopped = asyncio.create_task(running.stopping.wait())
        while not running.stopping.is_set():
            news = asyncio.create_task(self._has_news.wait())
            await asyncio.wait({news, stopped}, return_when=asyncio.FIRST_COMPLETED)
            news.cancel()
            if self._has_news.is_set():
                self._has_news.clear()
                await asyncio.to_thread(nudge, app)

    async def _tend(self, running: Running) -> None:
        now = self.clock.now()
        anchor_every = timedelta(seconds=self.settings.audit_anchor_seconds)
        regularly = (
            _Regularly(self._anchor, anchor_every, done=now),
            _Regularly(partial(asyncio.to_thread, self._keep_house), HOUSEKEEPING, done=now),
        )
        while await running.pause(TEND_SECONDS):
            # One that fails keeps none of the others waiting.
            await _tended(self.close_silent_beds())
            for chore in regularly:
                if chore.is_due(self.clock.now()):
                    await _tended(chore.do(self.clock.now()))

    async def _aggregate(self, running: Running) -> None:
        while await running.pause(AGGREGATE_SECONDS):
            try:
                await self.sum_up()
            except TransientError as error:
                LOG.warning("aggregates_wait", why=error)

    async def sum_up(self) -> None:
        """Sums up what has ended, scores and vitals, when every fact of the census up to now has been read."""
        now = self.clock.now()
        await self._census_read_up()
        while await asyncio.to_thread(sum_up_scores, self._intake, now=now) == MOST_SLOTS:
            continue
        await self._vitals.sum_up(now=now)

    async def close_silent_beds(self) -> None:
        """Closes what is due on beds without scores, alerts too, if no score or fact is waiting to be taken."""
        # The moment is taken before the question: all that was published before it has been taken then.
        now = self.clock.now()
        if await self._scores.is_drained() and await self._census.is_drained():
            written = await asyncio.to_thread(close_silent_beds, self._intake, now=now)
            await asyncio.to_thread(tend_alerts, self.engine, self.clock, self._intake.policies, now=now)
            charted = await asyncio.to_thread(chart_due_procedures, self._intake, now=now)
            if written.charted or charted:
                self._has_news.set()

    async def _anchor(self) -> None:
        if self.settings.audit_anchor_path is not None:
            await asyncio.to_thread(anchor_heads, self.engine, self.settings.audit_anchor_path, now=self.clock.now())

    def _keep_house(self) -> None:
        now = self.clock.now()
        forgotten = forget_windows(self._intake, now=now)
        with unit_of_work(self.engine, self.clock) as unit:
            # First: who places a hold looks through the audit trail, of which a new month locks a part.
            dropped = drop_days(unit, now=now, kept=timedelta(days=self.settings.aggregates_kept_days))
            ensure_partitions(unit.connection, now=now)
            ensure_days(unit.connection, now=now)
        LOG.info("house_kept", windows_forgotten=forgotten, aggregate_days_dropped=dropped)


@dataclass(slots=True)
class _Regularly:
    """A chore that is due again a while after it was done; by a clock that was ahead it is due at once."""

    chore: Callable[[], Awaitable[None]]
    every: timedelta
    done: datetime

    def is_due(self, now: datetime) -> bool:
        return not self.done <= now < self.done + self.every

    async def do(self, now: datetime) -> None:
        await self.chore()
        self.done = now


async def _tended(chore: Awaitable[None]) -> None:
    try:
        await chore
    except (TransientError, ConfigurationError) as error:
        LOG.warning("tending_waits", why=error)


def _bed_of(entry: Entry) -> str:
    """The bed of a score; nobody's where it cannot be read, and whoever takes it says so."""
    try:
        return decode_score(entry.payload).bed
    except ContractBroken:
        return ""
