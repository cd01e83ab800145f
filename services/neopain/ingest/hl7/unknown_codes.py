"""Codes that no table knows: counted as they come, put on the bus now and then, so that a person can list them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from neopain.bus.bus import Bus
from neopain.bus.unknown_codes import SeenCode, add_unknown
from neopain.codecs.hl7v2.observation import UnknownCode
from neopain.domain.identity import SourceId
from neopain.errors import BusUnavailable
from neopain.runtime.clock import Clock
from neopain.runtime.log import Log
from neopain.runtime.service import Running

LOG = Log(__name__)

EVERY_SECONDS = 10.0
MOST_WAITING = 1000
"""Different codes that wait to be written; more of them are counted by the metric only."""


@dataclass(slots=True)
class UnknownCodes:
    """What came since the last writing. A kill loses a few seconds of counts, never a code that is sent on."""

    waiting: Counter[tuple[SourceId, UnknownCode]] = field(default_factory=Counter)
    told: set[tuple[SourceId, UnknownCode]] = field(default_factory=set)

    def count(self, source: SourceId, code: UnknownCode) -> None:
        """Counts one; a code that is new is told in the log."""
        key = (source, code)
        if key not in self.waiting and len(self.waiting) >= MOST_WAITING:
            return
        self.waiting[key] += 1
        if key not in self.told and len(self.told) < MOST_WAITING:
            self.told.add(key)
            LOG.info("code_unmapped", source=source, code=code.label, unit=code.unit)

    async def write(self, bus: Bus, now: datetime) -> None:
        """Adds what waits to the list on the bus; it goes on waiting where that raises ``BusUnavailable``."""
        if not self.waiting:
            return
        written = self.waiting.copy()
        await add_unknown(bus, [SeenCode(source, *code, number, now) for (source, code), number in written.items()])
        self.waiting -= written


async def write_unknown_codes(unknown: UnknownCodes, bus: Bus, running: Running, clock: Clock) -> None:
    """Writes every few seconds until asked to stop, and once more then."""
    while await running.pause(EVERY_SECONDS):
        await _write(unknown, bus, clock)
    await _write(unknown, bus, clock)


async def _write(unknown: UnknownCodes, bus: Bus, clock: Clock) -> None:
    try:
        await unknown.write(bus, clock.now())
    except BusUnavailable as error:
        LOG.warning("unknown_codes_wait", why=error)
