"""What a message that was put aside may still change when a person puts it in again, hours or days later.

Events of the census count in the order of their arrival, so that an old admission must not move an infant that has gone
elsewhere since. Drugs are facts in any order, and may always come.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from neopain.bus.bus import Bus, Entry
from neopain.bus.census import is_applied
from neopain.bus.streams import CENSUS
from neopain.domain.census import BedState, CensusEvent, Infant
from neopain.errors import OutOfDate
from neopain.ingest.hl7.received import Received
from neopain.ingest.hl7.vitals import MARK_LIFE
from neopain.wire.census import decode_bed_state

OLDEST_VITALS = MARK_LIFE
"""No window reads what is older, and for so long a message is known to have been stored before."""
OLDEST_EVENT = timedelta(days=6)
"""For so long the stream surely tells what else has happened: it is kept for seven days."""


def require_young(received: datetime, now: datetime) -> None:
    """Raises ``OutOfDate`` for vitals that no window can read any more."""
    if now - received > OLDEST_VITALS:
        minutes = OLDEST_VITALS // timedelta(minutes=1)
        raise OutOfDate(f"its vitals are older than {minutes} min: their windows are closed, no score would change")


def require_followed(received: datetime, now: datetime) -> None:
    """Raises ``OutOfDate`` for an event of which nobody knows any more what was told after it."""
    if now - received > OLDEST_EVENT:
        days = OLDEST_EVENT // timedelta(days=1)
        raise OutOfDate(f"it is older than {days} days: what was told of its bed since is not all kept any more")


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The claim that nothing was told of an event's beds and infants since its message was put aside.

    ``begun`` is the last fact before the message was put in again: what has its control id after that is its own.
    """

    bus: Bus
    letter: str
    control_id: str
    begun: str

    @classmethod
    async def since(cls, bus: Bus, one: Received) -> Self:
        """The claim of a message that is put in again now. Raises ``BusUnavailable``."""
        last = await bus.read_last(CENSUS)
        return cls(bus, one.letter, one.header.control_id, last.id if last is not None else "0-0")

    async def require(self, event: CensusEvent, mark: str) -> None:
        """Raises ``OutOfDate`` when it does not hold. What was applied under its mark before may be repeated.

        Raises ``BusUnavailable``.
        """
        if await is_applied(self.bus, mark):
            return
        for entry in await self.bus.read_range(CENSUS, first=f"({self.letter}"):
            state = decode_bed_state(entry.payload)
            if concerns(state, event) and not self._is_own(entry, state):
                at = datetime.fromtimestamp(_parts(entry.id)[0] / 1000, UTC)
                raise OutOfDate(
                    f"bed {state.bed} has changed since, at {at:%Y-%m-%d %H:%M:%S}Z: applied now, it could put an "
                    "infant where it lies no more; have ADT send what is true now"
                )

    def _is_own(self, entry: Entry, state: BedState) -> bool:
        return state.control_id == self.control_id and _parts(entry.id) > _parts(self.begun)


def _parts(entry_id: str) -> tuple[int, int]:
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence or 0)


def concerns(state: BedState, event: CensusEvent) -> bool:
    """Whether a fact is of one of the event's beds or infants."""
    if state.bed in (event.bed, event.prior_bed):
        return True
    named = (*event.infant.identifiers, *event.infant.formerly, *event.prior)
    known = (*state.occupants, *(one.infant for one in state.departures))
    disputed = Infant(tuple(one.patient for one in state.disputes))
    return any(one.is_same_as(patient) for one in (*known, disputed) for patient in named)
