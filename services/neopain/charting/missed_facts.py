"""Facts of the census that the history lacks though the bus takes them for done: an older database was restored.

Without them a score would be charted to who lay in its bed at the time of the backup. The stream keeps facts for a
week; of what was told before, the bus knows what came of it: how each bed is now.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from sqlalchemy import Engine, select

from neopain.bus.bus import Bus, Entry
from neopain.bus.census import read_census
from neopain.bus.streams import CENSUS
from neopain.charting.census import beds_now
from neopain.charting.database import translated
from neopain.charting.tables import CENSUS_FACTS
from neopain.domain.assignment import names_the_same
from neopain.domain.census import BedState, Census
from neopain.domain.identity import BedId
from neopain.wire.census import decode_bed_state

OF_THE_STREAM = CENSUS_FACTS.c.fact_id.regexp_match(r"^\d+-\d+$")


@dataclass(frozen=True, slots=True)
class ToldFact:
    """A state of a bed as it was told: its id in the stream, or one of its own, and when it was told."""

    id: str
    state: BedState
    arrived: datetime

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """The fact of an entry of the stream. ``ContractBroken`` when it cannot be read."""
        arrived = datetime.fromtimestamp(int(entry.id.partition("-")[0]) / 1000, UTC)
        return cls(entry.id, decode_bed_state(entry.payload), arrived)


async def missed_facts(bus: Bus, engine: Engine, *, now: datetime) -> list[ToldFact]:
    """What was told after the last fact that the history has, in order; then beds that are otherwise by now all the
    same, where the stream keeps nothing as old as that fact.

    ``ContractBroken`` when one cannot be read. ``BusUnavailable``, ``DatabaseUnavailable``: try again.
    """
    last, known = await asyncio.to_thread(_history, engine)
    facts = [ToldFact.of(entry) for entry in await bus.read_range(CENSUS, first=f"({last}")]
    if not await bus.read_range(CENSUS, last=last, count=1):
        census = await read_census(bus)
        told = known | {fact.state.bed: fact.state for fact in facts}
        facts += [ToldFact(uuid.uuid4().hex, state, now) for state in _otherwise(census.beds, told)]
    return facts


def _history(engine: Engine) -> tuple[str, dict[BedId, BedState]]:
    """The last fact of the stream that the history has, by its id, and the last state of each bed."""
    newest = select(CENSUS_FACTS.c.fact_id).where(OF_THE_STREAM).order_by(CENSUS_FACTS.c.place.desc()).limit(1)
    with translated("reading the last fact of the census"), engine.connect() as connection:
        return connection.scalar(newest) or "0-0", {state.bed: state for state in beds_now(connection)}


def _otherwise(census: Census, told: Mapping[BedId, BedState]) -> Iterator[BedState]:
    for bed, state in sorted(census.items()):
        if bed not in told or not names_the_same(state, told[bed]):
            yield state
