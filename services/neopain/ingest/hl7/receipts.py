"""Receipts of what was answered: gathered off the way to the acknowledgement, written and counted once a second.

A listener that is killed loses those of its last second: what it acknowledged is on the bus all the same.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from neopain.bus.bus import Bus
from neopain.bus.receipts import write_receipts
from neopain.domain.receipt import Receipt
from neopain.errors import BusUnavailable
from neopain.ingest.hl7.source_metrics import SourceMetrics
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter
from neopain.runtime.service import Running

LOG = Log(__name__)

EVERY_SECONDS = 1.0
MOST_IN_ENTRY = 1000
MOST_WAITING = 20_000
"""What is kept for a bus that is away; the oldest go first."""


@dataclass(slots=True)
class Receipts:
    """The receipts that are not written yet."""

    bus: Bus
    waiting: deque[Receipt] = field(default_factory=deque)
    metrics: SourceMetrics = field(default_factory=SourceMetrics)

    def add(self, receipt: Receipt) -> None:
        """Remembers an answered message."""
        self.waiting.append(receipt)
        if len(self.waiting) > MOST_WAITING:
            self.waiting.popleft()
            counter("ingest_receipts_lost_total").inc()

    async def write_until_stopped(self, running: Running) -> None:
        """Writes every second until asked to stop; ``write`` is to be called once more after the last answer."""
        while await running.pause(EVERY_SECONDS):
            await self.write()

    async def write(self) -> None:
        """Writes what waits. With the bus away it waits on: nobody's acknowledgement depends on it."""
        try:
            while self.waiting:
                batch = [self.waiting.popleft() for _ in range(min(len(self.waiting), MOST_IN_ENTRY))]
                try:
                    await write_receipts(self.bus, batch)
                except BusUnavailable:
                    self.waiting.extendleft(reversed(batch))
                    raise
                self.metrics.count(batch)
        except BusUnavailable as error:
            LOG.warning("receipts_wait", waiting=len(self.waiting), why=error)
