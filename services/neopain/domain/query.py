"""Questions about the census: whom one means, and what may be told. How they are asked and answered is HL7's.

Nobody is guessed: everybody who is meant is told, and of a held bed nobody, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from neopain.domain.census import BedState, Census, Infant
from neopain.domain.identity import BedId, PatientId, SourceId, bed_id, parts_of
from neopain.domain.vitals import Processing

PERSON = "person"
"""The kind of a source that is no system: somebody at a command line, by name."""


@dataclass(frozen=True, slots=True)
class Place:
    """A bed, a room or a unit, as far as it is named; a part that is empty may be any."""

    unit: str = ""
    room: str = ""
    bed: str = ""
    facility: str = ""

    def __bool__(self) -> bool:
        """Whether it names anything in a facility."""
        return bool(self.unit or self.room or self.bed)

    def __str__(self) -> str:
        return bed_id(unit=self.unit, room=self.room, bed=self.bed, facility=self.facility)

    def holds(self, bed: BedId) -> bool:
        """Whether the bed lies there."""
        wanted = parts_of(BedId(str(self)))
        return all(part in ("", own) for part, own in zip(wanted, parts_of(bed), strict=True))


@dataclass(frozen=True, slots=True)
class Query:
    """Who is asked for: somebody under any of the numbers, in the place, in the visit; what is empty says nothing.

    ``domains`` are the authorities whose numbers are wanted, all if empty. ``most`` is how many infants the asker
    takes, None for any number.
    """

    patients: tuple[PatientId, ...] = ()
    place: Place = Place()
    visit: str = ""
    domains: frozenset[str] = frozenset()
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """An infant who was asked for, and the bed it lies in. ``infant`` has the numbers that are wanted."""

    infant: Infant
    bed: BedId


@dataclass(frozen=True, slots=True)
class Findings:
    """What may be told: infants by their beds, and which beds that are meant are held."""

    found: tuple[Found, ...] = ()
    held: tuple[BedState, ...] = ()


@dataclass(frozen=True, slots=True)
class Disclosure:
    """A fact for the audit trail: who asked for whom, and whose data were told. Numbers and beds, no names.

    ``asked`` is the message's type and trigger, or a person's command; ``address`` the asker's network address.
    ``held`` are beds that were meant and of which nothing was told.
    """

    source: SourceId
    address: str
    control_id: str
    asked: str
    moment: datetime
    patients: tuple[PatientId, ...] = ()
    place: str = ""
    visit: str = ""
    told: tuple[PatientId, ...] = ()
    held: tuple[BedId, ...] = ()


def find(census: Census, query: Query, processing: Processing) -> Findings:
    """Everybody who is meant, by bed. Who was admitted in training or for debugging (MSH-11) is told to those only."""
    meant = [
        state
        for state in sorted(census.values(), key=lambda one: one.bed)
        if state.processing is processing and any(_is_meant(one, state.bed, query) for one in state.occupants)
    ]
    told = [Found(_in_domains(state.infant, query), state.bed) for state in meant if state.infant and not state.is_held]
    return Findings(
        found=tuple(one for one in told if one.infant.identifiers), held=tuple(one for one in meant if one.is_held)
    )


def _is_meant(infant: Infant, bed: BedId, query: Query) -> bool:
    return (
        (not query.patients or any(infant.is_same_as(one) for one in query.patients))
        and query.place.holds(bed)
        and query.visit in ("", infant.visit)
    )


def _in_domains(infant: Infant, query: Query) -> Infant:
    if not query.domains:
        return infant
    wanted = tuple(one for one in infant.identifiers if one.assigning_authority in query.domains)
    return replace(infant, identifiers=wanted)
