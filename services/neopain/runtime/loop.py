"""The run loop of a consumer: take, handle, acknowledge last. The one place that may catch ``Exception``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from neopain.bus.bus import Entry
from neopain.bus.consumer import Consumer, Delivery
from neopain.bus.deadletters import put_aside
from neopain.domain.deadletter import DeadLetter
from neopain.domain.identity import SourceId
from neopain.errors import BusUnavailable, ContractBroken, PermanentError, TransientError
from neopain.runtime.backoff import Backoff
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter
from neopain.runtime.service import Running

LOG = Log(__name__)

Handler = Callable[[Entry], Awaitable[None]]
Lane = Callable[[Entry], str]


@dataclass(frozen=True, slots=True)
class LoopPolicy:
    """How a consumer takes entries.

    ``parallel`` entries are in hand at once (1 keeps the stream's order). Those of the same ``lane`` keep theirs: the
    next one begins when the one before it is done with, however often that one is tried. Another member's entry is
    claimed after ``claim_after``; an entry that failed in a way nobody foresaw is put aside after ``most_deliveries``.
    """

    parallel: int = 1
    lane: Lane | None = None
    wait: timedelta = timedelta(seconds=0.25)
    claim_after: timedelta = timedelta(seconds=5)
    claim_every: timedelta = timedelta(seconds=1)
    most_deliveries: int = 5


async def consume(consumer: Consumer, handler: Handler, running: Running, policy: LoopPolicy | None = None) -> None:
    """Handles entries until asked to stop, then finishes those in hand.

    A ``PermanentError`` or ``ContractBroken`` of the handler puts the entry aside; a ``TransientError`` leaves it
    unacknowledged in this member's hands and tries again; anything else is logged, counted and tried again until the
    limit, then put aside. Nothing is acknowledged before it is handled or put aside.
    """
    loop = _Loop(consumer, handler, running, policy or LoopPolicy())
    await loop.run()


class _Loop:
    def __init__(self, consumer: Consumer, handler: Handler, running: Running, policy: LoopPolicy) -> None:
        self.consumer = consumer
        self.handler = handler
        self.running = running
        self.policy = policy
        self.in_hand: dict[str, asyncio.Task[bool]] = {}
        self.lanes: dict[str, asyncio.Task[bool]] = {}
        """The last entry in hand of each lane."""
        self.backoff = Backoff()
        self.claimed_at = datetime.min.replace(tzinfo=UTC)

    async def run(self) -> None:
        is_first = True
        while not self.running.stopping.is_set():
            try:
                if is_first:
                    await self.consumer.join()
                    await self._start(await self.consumer.take_own(count=1000))
                    is_first = False
                    self.running.health.ready()
                await self._step()
                self.backoff.reset()
            except BusUnavailable as error:
                LOG.warning("bus_unavailable", stream=self.consumer.stream.name, why=error)
                await self.running.pause(self.backoff.next_seconds())
        await asyncio.gather(*self.in_hand.values())

    async def _step(self) -> None:
        now = datetime.now(UTC)
        if now - self.claimed_at >= self.policy.claim_every and self._room():
            self.claimed_at = now
            await self._start(await self.consumer.claim(count=self._room(), idle=self.policy.claim_after))
        if self._room():
            await self._start(await self.consumer.take(count=self._room(), wait=self.policy.wait))
        else:
            await asyncio.wait(self.in_hand.values(), return_when=asyncio.FIRST_COMPLETED)

    def _room(self) -> int:
        return self.policy.parallel - len(self.in_hand)

    async def _start(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            if delivery.entry.id in self.in_hand:
                continue
            while self._room() <= 0:
                await asyncio.wait(self.in_hand.values(), return_when=asyncio.FIRST_COMPLETED)
            lane = self.policy.lane(delivery.entry) if self.policy.lane is not None else delivery.entry.id
            task = asyncio.create_task(self._handle_behind(self.lanes.get(lane), delivery))
            self.in_hand[delivery.entry.id] = self.lanes[lane] = task
            task.add_done_callback(partial(self._let_go, delivery.entry.id, lane))

    def _let_go(self, entry_id: str, lane: str, task: asyncio.Task[bool]) -> None:
        self.in_hand.pop(entry_id, None)
        if self.lanes.get(lane) is task:
            del self.lanes[lane]
        if not task.cancelled():
            task.result()

    async def _handle_behind(self, before: asyncio.Task[bool] | None, delivery: Delivery) -> bool:
        """Whether it is done with: not when asked to stop before that, and then what is behind it isn't either."""
        if before is not None:
            await asyncio.wait([before])
            if before.cancelled() or before.exception() is not None or not before.result():
                return False
        return await self._handle(delivery)

    async def _handle(self, delivery: Delivery) -> bool:
        backoff = Backoff()
        times = delivery.times
        while True:
            try:
                await self._once(delivery, times)
            except TransientError as error:
                counter("runtime_handler_failures_total").labels(type(error).__name__).inc()
                LOG.warning("entry_waits", stream=self.consumer.stream.name, entry=delivery.entry.id, why=error)
            except Exception as error:
                counter("runtime_handler_failures_total").labels(type(error).__name__).inc()
                LOG.error("entry_failed", stream=self.consumer.stream.name, entry=delivery.entry.id, times=times)
                times += 1
            else:
                return True
            if not await self.running.pause(backoff.next_seconds()):
                return False

    async def _once(self, delivery: Delivery, times: int) -> None:
        if times > self.policy.most_deliveries:
            await self._put_aside(delivery.entry, "", f"failed {times} times: see the log")
        else:
            try:
                await self.handler(delivery.entry)
            except (PermanentError, ContractBroken) as error:
                LOG.error("entry_put_aside", stream=self.consumer.stream.name, entry=delivery.entry.id)
                await self._put_aside(delivery.entry, getattr(error, "location", ""), str(error))
        await self.consumer.acknowledge(delivery.entry.id)

    async def _put_aside(self, entry: Entry, location: str, reason: str) -> None:
        counter("ingest_dead_letters_total").labels(self.consumer.stream.name).inc()
        await put_aside(
            self.consumer.bus,
            DeadLetter(
                origin=self.consumer.stream.name,
                source=SourceId("stream", entry.id),
                raw=entry.payload,
                location=location,
                reason=reason,
                received=datetime.now(UTC),
            ),
        )
