"""Who lies where: the events that ADT messages carry, and what they do to a bed. Pure; ingest applies it.

The patient is never guessed: what contradicts the census holds the bed until a message or a person resolves it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from neopain.domain.identity import BedId, PatientId
from neopain.domain.vitals import Processing


class CensusEventKind(Enum):
    """What happened, by the ADT trigger event (HL7 v2.6 chapter 3.3)."""

    ADMITTED = "A01"
    TRANSFERRED = "A02"
    DISCHARGED = "A03"
    UPDATED = "A08"
    CONTRADICTED = "contradicted"
    """A device in the bed named another infant than the census does."""


@dataclass(frozen=True, slots=True)
class Infant:
    """What the census knows of an infant. No name, no birth date: those stay in the EHR."""

    identifiers: tuple[PatientId, ...]
    visit: str = ""
    """PV1-19, the encounter's number."""
    gestational_age_days: int | None = None
    born: datetime | None = None
    sex: str = ""

    def is_same_as(self, other: PatientId) -> bool:
        """Whether the identifier is one of this infant's: same value, and same authority where both name one."""
        return any(own.value == other.value and _authorities_agree(own, other) for own in self.identifiers)


def _authorities_agree(one: PatientId, other: PatientId) -> bool:
    named = {one.assigning_authority, other.assigning_authority} - {""}
    return len(named) < 2


@dataclass(frozen=True, slots=True)
class CensusEvent:
    """One ADT message, read. ``bed`` is PV1-3 where it was given, ``prior_bed`` PV1-6."""

    kind: CensusEventKind
    infant: Infant
    occurred: datetime
    bed: BedId | None = None
    prior_bed: BedId | None = None
    control_id: str = ""
    processing: Processing = Processing.PRODUCTION


@dataclass(frozen=True, slots=True)
class BedState:
    """The full state of one bed after a fact: ``infant`` is None if empty, ``held_reason`` empty unless held."""

    bed: BedId
    since: datetime
    infant: Infant | None = None
    held_reason: str = ""
    processing: Processing = Processing.PRODUCTION
    control_id: str = ""

    @property
    def is_held(self) -> bool:
        """Whether sources disagree about who lies here: data are kept, nothing is charted."""
        return bool(self.held_reason)


Census = dict[BedId, BedState]


def apply(census: Census, event: CensusEvent) -> tuple[BedState, ...]:
    """The beds whose state the event changes, after it; nothing for an event that changes none.

    A01 and A02 put the infant into the bed and free every other bed the infant was in; an occupied target bed (by
    another infant) becomes held. A03 frees the infant's beds. A08 without a location keeps the old one and renews
    what is known of the infant.
    """
    match event.kind:
        case CensusEventKind.ADMITTED | CensusEventKind.TRANSFERRED:
            return _placed(census, event)
        case CensusEventKind.DISCHARGED:
            return _freed(census, event, except_bed=None)
        case CensusEventKind.UPDATED:
            return _placed(census, event) if event.bed else _renewed(census, event)
        case CensusEventKind.CONTRADICTED:
            return _contradicted(census, event)


def _beds_of(census: Census, infant: Infant) -> list[BedState]:
    return [
        state
        for state in census.values()
        if state.infant and any(state.infant.is_same_as(identifier) for identifier in infant.identifiers)
    ]


def _placed(census: Census, event: CensusEvent) -> tuple[BedState, ...]:
    if event.bed is None:
        return _renewed(census, event)
    freed = _freed(census, event, except_bed=event.bed)
    present = census.get(event.bed)
    other = present.infant if present else None
    is_taken = other is not None and not any(other.is_same_as(one) for one in event.infant.identifiers)
    merged = _merged(other, event.infant) if other and not is_taken else event.infant
    state = BedState(
        bed=event.bed,
        since=event.occurred,
        infant=merged,
        held_reason="two infants in one bed" if is_taken else "",
        processing=event.processing,
        control_id=event.control_id,
    )
    return (*freed, state)


def _freed(census: Census, event: CensusEvent, *, except_bed: BedId | None) -> tuple[BedState, ...]:
    return tuple(
        BedState(bed=state.bed, since=event.occurred, processing=event.processing, control_id=event.control_id)
        for state in _beds_of(census, event.infant)
        if state.bed != except_bed
    )


def _renewed(census: Census, event: CensusEvent) -> tuple[BedState, ...]:
    return tuple(
        replace(state, infant=_merged(state.infant, event.infant), control_id=event.control_id)
        for state in _beds_of(census, event.infant)
        if state.infant
    )


def _contradicted(census: Census, event: CensusEvent) -> tuple[BedState, ...]:
    present = census.get(event.bed) if event.bed else None
    if present is None or present.infant is None or present.is_held:
        return ()
    return (replace(present, held_reason="a device in this bed names another infant", control_id=event.control_id),)


def _merged(known: Infant | None, news: Infant) -> Infant:
    if known is None:
        return news
    return Infant(
        identifiers=news.identifiers or known.identifiers,
        visit=news.visit or known.visit,
        gestational_age_days=news.gestational_age_days or known.gestational_age_days,
        born=news.born or known.born,
        sex=news.sex or known.sex,
    )
