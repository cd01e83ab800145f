"""Whether a device means the infant whom the census has in its bed. If not, the bed is held; nobody guesses."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from neopain.bus.bus import Bus
from neopain.bus.census import BedReader
from neopain.domain.census import DEVICE_DISAGREES, BedState, CensusEvent, CensusEventKind, Infant
from neopain.domain.identity import BedId, PatientId, SourceId
from neopain.domain.vitals import Processing
from neopain.ingest.census.keeper import keep
from neopain.ingest.hl7.received import Received

CENSUS_AGE = timedelta(seconds=1)
"""Whether anything has changed is asked again after this: a contradiction is noticed that much later at most."""
MOST_BEDS = 4096
QUIET = timedelta(minutes=2)
"""So long a sender must not have named another infant at a bed before its word ends the hold: several devices behind a
gateway have one name, and one of them that agrees does not speak for the other."""


class Said(NamedTuple):
    """Whom a device at a bed names, in a message of that source."""

    bed: BedId
    numbers: tuple[PatientId, ...]
    source: SourceId
    processing: Processing
    received: datetime


@dataclass(slots=True)
class Association:
    """Compares PID of vitals with the census. ``beds`` are as they were at ``version``, which was read at ``asked``;
    ``contradicted`` is when a source last named another infant at a bed, as far as this process knows."""

    bus: Bus
    reader: BedReader = field(init=False)
    beds: dict[BedId, BedState | None] = field(default_factory=dict)
    version: str = ""
    asked: datetime | None = None
    contradicted: dict[tuple[BedId, SourceId], datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reader = BedReader(self.bus)

    async def compare(self, bed: BedId, numbers: tuple[PatientId, ...], one: Received) -> None:
        """Tells the census when the device contradicts it, or no longer does. Raises ``BusUnavailable``."""
        kind = await self.judge(Said(bed, numbers, one.source, one.header.processing, one.received))
        if kind is not None:
            await self.tell(kind, bed, numbers, one)

    async def judge(self, said: Said) -> CensusEventKind | None:
        """What a device's word means for a bed, None if nothing. Raises ``BusUnavailable``."""
        return self._judged(await self._state_of(said.bed, said.received), said)

    def is_settled(self, said: Said) -> bool:
        """Whether it is known, without reading, that a device's word changes nothing."""
        if said.bed not in self.beds or not self._is_fresh(said.received):
            return False
        return self._judged(self.beds[said.bed], said) is None

    async def number_of(self, bed: BedId, numbers: tuple[PatientId, ...], received: datetime) -> PatientId:
        """By which of its numbers a device names the infant in the bed, the first where by none of them. Raises
        ``BusUnavailable``."""
        state = await self._state_of(bed, received) if len(numbers) > 1 else None
        if state is None or state.infant is None or not state.infant.is_meant_by(numbers):
            return numbers[0]
        return next(one for one in numbers if state.infant.is_same_as(one))

    async def tell(self, kind: CensusEventKind, bed: BedId, numbers: tuple[PatientId, ...], one: Received) -> None:
        """Tells the census what was judged. Raises ``BusUnavailable``."""
        event = CensusEvent(
            kind=kind,
            infant=Infant(numbers),
            occurred=one.received,
            bed=bed,
            control_id=one.header.control_id,
            processing=one.header.processing,
            source=str(one.source),
        )
        await keep(self.bus, event, mark=one.mark(bed, kind.value))
        self.beds.pop(bed, None)

    def _judged(self, state: BedState | None, said: Said) -> CensusEventKind | None:
        is_test = said.processing is not Processing.PRODUCTION
        if state is None or state.infant is None or (is_test and state.processing is Processing.PRODUCTION):
            return None
        kind, place = verdict(state, said.source, said.numbers), (said.bed, said.source)
        if not state.infant.is_meant_by(said.numbers):
            self._remember(place, said.received)
        elif kind is CensusEventKind.CONFIRMED:
            if place not in self.contradicted:
                self._remember(place, said.received)
            return kind if said.received - self.contradicted[place] >= QUIET else None
        return kind

    def _remember(self, place: tuple[BedId, SourceId], received: datetime) -> None:
        if len(self.contradicted) >= MOST_BEDS:
            self.contradicted.clear()
        self.contradicted[place] = received

    def _is_fresh(self, now: datetime) -> bool:
        return self.asked is not None and abs(now - self.asked) <= CENSUS_AGE

    async def _state_of(self, bed: BedId, now: datetime) -> BedState | None:
        if not self._is_fresh(now):
            version = await self.reader.version()
            if version != self.version:
                self.beds.clear()
            self.version, self.asked = version, now
        if bed in self.beds:
            return self.beds[bed]
        version, state = self.version, await self.reader.read(bed)
        if version == self.version:  # else it may be older than what the version says by now
            if len(self.beds) >= MOST_BEDS:
                self.beds.clear()
            self.beds[bed] = state
        return state


def verdict(state: BedState, source: SourceId, numbers: tuple[PatientId, ...]) -> CensusEventKind | None:
    """What a device's word means for a bed; None if it changes nothing. An empty bed contradicts nobody."""
    if state.infant is None:
        return None
    disputed = [one.patient for one in state.disputes if (one.source, one.reason) == (str(source), DEVICE_DISAGREES)]
    if state.infant.is_meant_by(numbers):
        return CensusEventKind.CONFIRMED if disputed else None
    is_told = any(one in disputed or state.is_overruled(one) for one in numbers)
    if is_told or any(rival.is_meant_by(numbers) for rival in state.rivals):
        return None
    return CensusEventKind.CONTRADICTED
