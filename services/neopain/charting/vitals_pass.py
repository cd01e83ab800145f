"""Vitals and movement from the bus into aggregates: read back by their arrival, as scoring reads its windows.

No consumer group: what is read is summed up anew each time, up to a mark in the database. A consumer that was away goes
on from the mark; what the bus no longer keeps then (15 min of vitals, 60 s of movement) has no aggregate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.dialects.postgresql import insert

from neopain.bus.bus import Bus, Entry, id_at
from neopain.bus.streams import MOVEMENT, VITALS
from neopain.charting.aggregates import is_mine, vital_row, write
from neopain.charting.census import history_of
from neopain.charting.intake import Intake
from neopain.charting.tables import AGGREGATE_MARKS
from neopain.charting.unit_of_work import unit_of_work
from neopain.domain.aggregate import AGGREGATED, SLOT, VitalAggregate, aggregate_vitals, slots_between
from neopain.domain.identity import BedId, is_recording
from neopain.domain.vitals import VitalKind
from neopain.domain.window import VITALS_SPAN
from neopain.errors import ContractBroken
from neopain.runtime.log import Log
from neopain.wire.media import decode_movement
from neopain.wire.vitals import decode_batch

LOG = Log(__name__)

MARK = "vitals"
GRACE = timedelta(seconds=2)
"""How long after its end a slot is first summed up."""
LATENESS = timedelta(seconds=20)
"""For how long after that what comes late still counts: the slot is summed up again."""
KEPT = timedelta(minutes=14)
"""How far back a consumer goes that was away; the bus keeps vitals for 15 min."""
CLOCK_SLACK = timedelta(seconds=2)
"""By how much arrival may lie before an aligned time, where the machines' clocks differ."""
AHEAD = timedelta(minutes=1)
"""A mark that lies further after now was set by a clock that was ahead: it does not count."""
BEDS_AT_ONCE = 16

BedVitals = dict[tuple[datetime, VitalKind], VitalAggregate]


@dataclass(frozen=True, slots=True)
class VitalsPass:
    """Sums up the vitals of every bed. Keeps nothing between two calls."""

    bus: Bus
    intake: Intake

    async def sum_up(self, *, now: datetime) -> int:
        """Sums up what has ended since the last time, and what may have come late; returns the rows that changed.

        ``BusUnavailable``, ``DatabaseUnavailable``: the mark stays, call again.
        """
        until = await asyncio.to_thread(self._mark, now)
        oldest = now - KEPT
        slots = slots_between(oldest if until is None else max(until - LATENESS, oldest), now - GRACE)
        if not slots or (until is not None and slots[-1] + SLOT <= until):
            return 0
        beds = sorted(await self.bus.active_beds(within=now - slots[0]))
        found: dict[BedId, BedVitals] = {}
        for first in range(0, len(beds), BEDS_AT_ONCE):
            part = [bed for bed in beds[first : first + BEDS_AT_ONCE] if not is_recording(bed)]
            read = await asyncio.gather(*(self._read(bed, slots) for bed in part))
            found |= dict(zip(part, read, strict=True))
        for server, why in sorted(self.bus.media_away.items()):
            LOG.warning("movement_not_read", server=server, why=why)
        return await asyncio.to_thread(self._write, found, slots, now)

    def _mark(self, now: datetime) -> datetime | None:
        with unit_of_work(self.intake.engine, self.intake.clock) as unit:
            mark = AGGREGATE_MARKS.c
            query = select(mark.until).where(mark.name == MARK, mark.until <= now + AHEAD)
            marked: datetime | None = unit.connection.scalar(query)
            return marked

    async def _read(self, bed: BedId, slots: Sequence[datetime]) -> BedVitals:
        first = id_at(slots[0] - CLOCK_SLACK)
        vitals, movements = await asyncio.gather(
            self.bus.read_range(VITALS, bed=bed, first=first), self._movements(bed, first)
        )
        summed = await asyncio.to_thread(_summed, bed, vitals, movements)
        wanted = set(slots)
        return {key: one for key, one in summed.items() if key[0] in wanted}

    async def _movements(self, bed: BedId, first: str) -> list[Entry]:
        """Nothing where their server does not answer: movement is volatile by design, vitals do not wait for it."""
        if not self.bus.media:
            return []
        found = await self.bus.ask_media(bed, partial(self.bus.read_range, MOVEMENT, bed=bed, first=first))
        return found or []

    def _write(self, found: dict[BedId, BedVitals], slots: Sequence[datetime], now: datetime) -> int:
        with unit_of_work(self.intake.engine, self.intake.clock) as unit:
            connection = unit.connection
            if not is_mine(connection):
                return 0
            rows: list[dict[str, Any]] = []
            for bed, vitals in sorted(found.items()):
                history = history_of(connection, bed, since=slots[0] - VITALS_SPAN)
                ordered = sorted(vitals.items(), key=lambda item: (item[1].kind.value, item[0][0]))
                rows += [vital_row(self.intake, bed, begin, one, history) for (begin, _), one in ordered]
            written = write(connection, rows, now=now)
            new = insert(AGGREGATE_MARKS).values(name=MARK, until=slots[-1] + SLOT)
            until = AGGREGATE_MARKS.c.until
            later = case((until > now + AHEAD, new.excluded.until), else_=func.greatest(until, new.excluded.until))
            connection.execute(new.on_conflict_do_update(index_elements=["name"], set_={"until": later}))
            return written


def _summed(bed: BedId, vitals: Sequence[Entry], movements: Sequence[Entry]) -> BedVitals:
    """What cannot be read is left out: who reads it to score or to chart puts it aside and says so."""
    batches, moved = [], []
    for entry in vitals:
        try:
            batches.append(decode_batch(entry.payload, kinds=frozenset(AGGREGATED)))
        except ContractBroken as error:
            LOG.warning("vitals_not_read", bed=bed, entry=entry.id, why=error)
    for entry in movements:
        try:
            moved.append(decode_movement(entry.payload))
        except ContractBroken as error:
            LOG.warning("movement_not_read", bed=bed, entry=entry.id, why=error)
    return aggregate_vitals(batches, moved)
