"""Whether a device means the infant whom the census has in its bed. If not, the bed is held; nobody guesses."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from neopain.bus.bus import Bus
from neopain.bus.census import BedReader
from neopain.domain.census import DEVICE_DISAGREES, BedState, CensusEvent, CensusEventKind, Infant
from neopain.domain.identity import BedId, PatientId, SourceId
from neopain.ingest.census.keeper import keep
from neopain.ingest.hl7.received import Received

CENSUS_AGE = timedelta(seconds=1)
"""Whether anything has changed is asked again after this: a contradiction is noticed that much later at most."""
MOST_BEDS = 4096


@dataclass(slots=True)
class Association:
    """Compares PID of vitals with the census. ``beds`` are as they were at ``version``, which was read at ``asked``."""

    bus: Bus
    reader: BedReader = field(init=False)
    beds: dict[BedId, BedState | None] = field(default_factory=dict)
    version: str = ""
    asked: datetime | None = None

    def __post_init__(self) -> None:
        self.reader = BedReader(self.bus)

    async def compare(self, bed: BedId, patient: PatientId, one: Received) -> None:
        """Tells the census when the device contradicts it, or no longer does. Raises ``BusUnavailable``."""
        kind = await self.judge(bed, patient, one.source, one.received)
        if kind is not None:
            await self.tell(kind, bed, patient, one)

    async def judge(
        self, bed: BedId, patient: PatientId, source: SourceId, received: datetime
    ) -> CensusEventKind | None:
        """What a device's word means for a bed, None if nothing. Raises ``BusUnavailable``."""
        state = await self._state_of(bed, received)
        return verdict(state, source, patient) if state is not None else None

    def is_settled(self, bed: BedId, patient: PatientId, source: SourceId, now: datetime) -> bool:
        """Whether it is known, without reading, that a device's word changes nothing."""
        if bed not in self.beds or not self._is_fresh(now):
            return False
        state = self.beds[bed]
        return state is None or verdict(state, source, patient) is None

    async def tell(self, kind: CensusEventKind, bed: BedId, patient: PatientId, one: Received) -> None:
        """Tells the census what was judged. Raises ``BusUnavailable``."""
        event = CensusEvent(
            kind=kind,
            infant=Infant((patient,)),
            occurred=one.received,
            bed=bed,
            control_id=one.header.control_id,
            processing=one.header.processing,
            source=str(one.source),
        )
        await keep(self.bus, event, mark=one.mark(bed, kind.value))
        self.beds.pop(bed, None)

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


def verdict(state: BedState, source: SourceId, patient: PatientId) -> CensusEventKind | None:
    """What a device's word means for a bed; None if it changes nothing. An empty bed contradicts nobody."""
    if state.infant is None:
        return None
    disputed = [one.patient for one in state.disputes if (one.source, one.reason) == (str(source), DEVICE_DISAGREES)]
    if state.infant.is_same_as(patient):
        return CensusEventKind.CONFIRMED if disputed else None
    if patient in disputed or any(rival.is_same_as(patient) for rival in state.rivals) or state.is_overruled(patient):
        return None
    return CensusEventKind.CONTRADICTED
