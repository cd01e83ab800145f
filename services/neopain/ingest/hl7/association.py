"""Whether a device means the infant whom the census has in its bed. If not, the bed is held; nobody guesses."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from neopain.bus.bus import Bus
from neopain.bus.census import BedReader, last_contradiction, note_contradiction
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
NOTED_EVERY = timedelta(seconds=10)
"""How often the other listeners are told of it: each has connections of its own, and that device may be on another."""


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
    ``contradicted`` is when a source last named another infant at a bed, as far as this process knows; ``noted`` when
    the others were last told."""

    bus: Bus
    reader: BedReader = field(init=False)
    beds: dict[BedId, BedState | None] = field(default_factory=dict)
    version: str = ""
    asked: datetime | None = None
    contradicted: dict[tuple[BedId, SourceId], datetime] = field(default_factory=dict)
    noted: dict[tuple[BedId, SourceId], datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reader = BedReader(self.bus)

    async def compare(self, bed: BedId, numbers: tuple[PatientId, ...], one: Received) -> None:
        """Tells the census when the device contradicts it, or no longer does. Raises ``BusUnavailable``."""
        kind = await self.judge(Said(bed, numbers, one.source, one.header.processing, one.received))
        if kind is not None:
            await self.tell(kind, bed, numbers, one)

    async def judge(self, said: Said) -> CensusEventKind | None:
        """What a device's word means for a bed, None if nothing. Raises ``BusUnavailable``."""
        state = await self._state_of(said.bed, said.received)
        kind = self._judged(state, said)
        if self._is_to_be_noted(state, said):
            await note_contradiction(self.bus, said.bed, said.source, at=said.received)
            _keep(self.noted, (said.bed, said.source), said.received)
        if kind is not CensusEventKind.CONFIRMED:
            return kind
        last = await last_contradiction(self.bus, said.bed, said.source)
        if last is None or said.received - last >= QUIET:
            return kind
        # By a clock that was ahead the bed would be held until then.
        _keep(self.contradicted, (said.bed, said.source), min(last, said.received))
        return None

    def is_settled(self, said: Said) -> bool:
        """Whether it is known, without reading, that a device's word changes nothing and nobody need hear of it."""
        if said.bed not in self.beds or not self._is_fresh(said.received):
            return False
        state = self.beds[said.bed]
        return self._judged(state, said) is None and not self._is_to_be_noted(state, said)

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
        if state is None or not _is_compared(state, said):
            return None
        kind, place = verdict(state, said.source, said.numbers), (said.bed, said.source)
        if _names_another(state, said):
            _keep(self.contradicted, place, said.received)
        elif kind is CensusEventKind.CONFIRMED:
            if place not in self.contradicted:
                _keep(self.contradicted, place, said.received)
            return kind if said.received - self.contradicted[place] >= QUIET else None
        return kind

    def _is_to_be_noted(self, state: BedState | None, said: Said) -> bool:
        if state is None or not _is_compared(state, said) or not _names_another(state, said):
            return False
        noted = self.noted.get((said.bed, said.source))
        return noted is None or not timedelta(0) <= said.received - noted < NOTED_EVERY

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


def _keep(moments: dict[tuple[BedId, SourceId], datetime], place: tuple[BedId, SourceId], moment: datetime) -> None:
    if len(moments) >= MOST_BEDS:
        moments.clear()
    moments[place] = moment


def _is_compared(state: BedState, said: Said) -> bool:
    """A test contradicts no infant of production, and an empty bed nobody."""
    is_test = said.processing is not Processing.PRODUCTION
    return state.infant is not None and not (is_test and state.processing is Processing.PRODUCTION)


def _names_another(state: BedState, said: Said) -> bool:
    return state.infant is not None and not state.infant.is_meant_by(said.numbers)


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
