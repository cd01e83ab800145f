"""Who lies where: the events that ADT messages and devices cause, and what they do to a bed. Pure; ingest applies it.

The patient is never guessed. What contradicts the census *holds* the bed: data are kept, nothing is charted, until what
disagreed agrees. Events count in the order of their arrival, since the clocks of registration desks cannot be compared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import assert_never

from neopain.domain.identity import BedId, PatientId
from neopain.domain.vitals import Processing

TWO_INFANTS = "two infants in one bed"
DEVICE_DISAGREES = "a device in this bed names another infant"
UPDATE_DISAGREES = "an ADT message that is not applied says that this infant lies elsewhere"
UPDATES = "adt"
MOST_LEFT = 8
"""How many discharged infants a bed remembers."""


class CensusEventKind(Enum):
    """What happened, by the ADT trigger event (HL7 v2.6 chapter 3.3) or by what a device says."""

    ADMITTED = "A01"
    TRANSFERRED = "A02"
    DISCHARGED = "A03"
    UPDATED = "A08"
    CONTRADICTED = "contradicted"
    """A device in the bed named another infant than the census does."""
    CONFIRMED = "confirmed"
    """A device that had contradicted now names the infant of the census."""
    ELSEWHERE = "elsewhere"
    """ADT tells by a trigger that is not applied where the infant is: in the event's bed, or in no bed of ours."""


@dataclass(frozen=True, slots=True)
class Infant:
    """What the census knows of an infant. No name: that stays in the EHR."""

    identifiers: tuple[PatientId, ...]
    visit: str = ""
    """PV1-19, the encounter's number."""
    gestational_age_days: int | None = None
    born: datetime | None = None
    sex: str = ""

    def is_same_as(self, other: PatientId) -> bool:
        """Whether the identifier is one of this infant's: same value, and same authority where both name one."""
        return any(own.value == other.value and _authorities_agree(own, other) for own in self.identifiers)

    def shares_identifier_with(self, other: Infant) -> bool:
        """Whether both are one infant."""
        return any(self.is_same_as(identifier) for identifier in other.identifiers)


def _authorities_agree(one: PatientId, other: PatientId) -> bool:
    named = {one.assigning_authority, other.assigning_authority} - {""}
    return len(named) < 2


@dataclass(frozen=True, slots=True)
class Dispute:
    """Somebody disagrees with ADT about a bed. ``patient`` is whom a device names, or whom an update would move."""

    source: str
    reason: str
    patient: PatientId


@dataclass(frozen=True, slots=True)
class CensusEvent:
    """One message, read. ``bed`` is PV1-3 where it names a bed, ``prior_bed`` PV1-6; ``has_left`` says that PV1-45
    gives a time of discharge; ``source`` is who sent it."""

    kind: CensusEventKind
    infant: Infant
    occurred: datetime
    bed: BedId | None = None
    prior_bed: BedId | None = None
    has_left: bool = False
    control_id: str = ""
    processing: Processing = Processing.PRODUCTION
    source: str = ""


@dataclass(frozen=True, slots=True)
class BedState:
    """The full state of one bed after a fact: ``infant`` is None if empty, ``held_reason`` empty unless held.

    ``since`` is when this infant came, or when the bed was emptied. ``rivals`` are further infants whom ADT placed in
    the bed and nobody has moved or discharged; ``disputes`` is what else disagrees; both hold the bed. ``left`` names
    the last infants discharged from it: late updates of their records must not put them back.
    """

    bed: BedId
    since: datetime
    infant: Infant | None = None
    held_reason: str = ""
    processing: Processing = Processing.PRODUCTION
    control_id: str = ""
    rivals: tuple[Infant, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    left: tuple[PatientId, ...] = ()

    @property
    def is_held(self) -> bool:
        """Whether sources disagree about who lies here: data are kept, nothing is charted."""
        return bool(self.held_reason)

    @property
    def occupants(self) -> tuple[Infant, ...]:
        """Every infant that lies here as far as ADT says, the one that came first in front."""
        return (self.infant, *self.rivals) if self.infant else ()


Census = dict[BedId, BedState]


def apply(census: Census, event: CensusEvent) -> tuple[BedState, ...]:
    """The beds whose state the event changes, after it; nothing for an event that changes none.

    A01 and A02 put the infant into the bed and take it out of every other; if another infant lies there, the bed is
    held until one of them is moved or discharged. An A02 to a place without a bed leaves the infant in none. A03 takes
    the infant out. An A08 renews what is known; it places an infant that lay in no bed (unless it was discharged from
    that one), follows PV1-6, and where it names another bed without that, the infant's bed is held. A device's
    contradiction holds its bed until that device agrees or the infant it names lies there alone. A message that is not
    applied holds the infant's bed, as an A08 does, where it says that the infant is elsewhere. An emptied bed is free
    of everything.
    """
    match event.kind:
        case CensusEventKind.ADMITTED:
            changed = _placed(census, event, event.bed) if event.bed else _renewed(census, event)
        case CensusEventKind.TRANSFERRED:
            changed = _placed(census, event, event.bed) if event.bed else _taken_out(census, event)
        case CensusEventKind.DISCHARGED:
            changed = _taken_out(census, event)
        case CensusEventKind.UPDATED:
            changed = _updated(census, event)
        case CensusEventKind.CONTRADICTED:
            changed = _contradicted(census, event)
        case CensusEventKind.CONFIRMED:
            changed = _confirmed(census, event)
        case CensusEventKind.ELSEWHERE:
            changed = _elsewhere(census, event)
        case _:
            assert_never(event.kind)
    return tuple(_dated(state, census.get(state.bed), event) for state in changed if state != census.get(state.bed))


def beds_of(census: Census, infant: Infant) -> list[BedState]:
    """The beds that the infant lies in as far as ADT says."""
    return [state for state in census.values() if _place_among(state.occupants, infant) is not None]


def _placed(census: Census, event: CensusEvent, bed: BedId) -> list[BedState]:
    present = census.get(bed) or BedState(bed, event.occurred)
    infant = event.infant
    for state in beds_of(census, event.infant):
        infant = _merged(state.occupants[_place_among(state.occupants, event.infant) or 0], infant)
    occupants = list(present.occupants)
    place = _place_among(present.occupants, infant)
    if place is None:
        occupants.append(infant)
    else:
        occupants[place] = infant
    present = replace(present, left=tuple(one for one in present.left if not infant.is_same_as(one)))
    arrived = replace(_with_occupants(present, occupants, event), processing=_processing(present, event))
    return [*_taken_out(census, event, except_bed=bed), _without_update_dispute(arrived, infant)]


def _processing(present: BedState, event: CensusEvent) -> Processing:
    # Which message placed which of two infants is not kept: the bed is worth what the least of them is worth.
    is_alone = all(one.shares_identifier_with(event.infant) for one in present.occupants)
    return event.processing if is_alone else max(present.processing, event.processing, key=list(Processing).index)


def _taken_out(census: Census, event: CensusEvent, *, except_bed: BedId | None = None) -> list[BedState]:
    changed = []
    for state in beds_of(census, event.infant):
        if state.bed == except_bed:
            continue
        remaining = [one for one in state.occupants if not one.shares_identifier_with(event.infant)]
        if event.kind is CensusEventKind.DISCHARGED:
            left = (event.infant.identifiers[0], *state.left)[:MOST_LEFT]
            state = replace(state, left=left)  # noqa: PLW2901 - the state on its way
        changed.append(_with_occupants(state, remaining, event))
    return changed


def _updated(census: Census, event: CensusEvent) -> list[BedState]:
    beds = [state.bed for state in beds_of(census, event.infant)]
    if event.bed is None or event.has_left:
        return _renewed(census, event)
    if event.bed in beds:
        return [_without_update_dispute(state, event.infant) for state in _renewed(census, event)]
    if not beds:
        present = census.get(event.bed)
        was_discharged = present is not None and any(event.infant.is_same_as(one) for one in present.left)
        return [] if was_discharged else _placed(census, event, event.bed)
    if event.prior_bed in beds:
        return _placed(census, event, event.bed)
    return _disputed(_renewed(census, event), event)


def _elsewhere(census: Census, event: CensusEvent) -> list[BedState]:
    known = beds_of(census, event.infant)
    return [] if event.bed in [state.bed for state in known] else _disputed(known, event)


def _disputed(states: list[BedState], event: CensusEvent) -> list[BedState]:
    dispute = Dispute(UPDATES, UPDATE_DISAGREES, event.infant.identifiers[0])
    return [_with_dispute(state, dispute) for state in states]


def _renewed(census: Census, event: CensusEvent) -> list[BedState]:
    changed = []
    for state in beds_of(census, event.infant):
        occupants = [
            _merged(one, event.infant) if one.shares_identifier_with(event.infant) else one for one in state.occupants
        ]
        changed.append(_with_occupants(state, occupants, event))
    return changed


def _contradicted(census: Census, event: CensusEvent) -> list[BedState]:
    present = census.get(event.bed) if event.bed else None
    if present is None or present.infant is None or _place_among(present.occupants, event.infant) is not None:
        return []
    return [_with_dispute(present, Dispute(event.source, DEVICE_DISAGREES, event.infant.identifiers[0]))]


def _confirmed(census: Census, event: CensusEvent) -> list[BedState]:
    present = census.get(event.bed) if event.bed else None
    if present is None or present.infant is None or not present.infant.shares_identifier_with(event.infant):
        return []
    kept = tuple(one for one in present.disputes if one.source != event.source or one.reason != DEVICE_DISAGREES)
    return [_judged(replace(present, disputes=kept))]


def _with_occupants(state: BedState, occupants: list[Infant], event: CensusEvent) -> BedState:
    if not occupants:
        return BedState(bed=state.bed, since=event.occurred, processing=event.processing, left=state.left)
    first = occupants[0]
    disputes = tuple(one for one in state.disputes if not _is_settled(one, occupants))
    return _judged(replace(state, infant=first, rivals=tuple(occupants[1:]), disputes=disputes))


def _is_settled(dispute: Dispute, occupants: list[Infant]) -> bool:
    if dispute.reason == UPDATE_DISAGREES:
        return not any(one.is_same_as(dispute.patient) for one in occupants)
    return occupants[0].is_same_as(dispute.patient)


def _with_dispute(state: BedState, dispute: Dispute) -> BedState:
    others = tuple(one for one in state.disputes if (one.source, one.reason) != (dispute.source, dispute.reason))
    return _judged(replace(state, disputes=(*others, dispute)))


def _without_update_dispute(state: BedState, infant: Infant) -> BedState:
    kept = tuple(one for one in state.disputes if one.reason != UPDATE_DISAGREES or not infant.is_same_as(one.patient))
    return _judged(replace(state, disputes=kept))


def _judged(state: BedState) -> BedState:
    reasons = [TWO_INFANTS] if state.rivals else []
    reasons += [dispute.reason for dispute in state.disputes]
    return replace(state, held_reason="; ".join(dict.fromkeys(reasons)))


def _dated(state: BedState, known: BedState | None, event: CensusEvent) -> BedState:
    # The history of a bed never runs backwards, however late an event was entered.
    if known is None:
        return replace(state, since=event.occurred, control_id=event.control_id)
    since = known.since if _is_one_infant(state.infant, known.infant) else max(event.occurred, known.since)
    return replace(state, since=since, control_id=event.control_id)


def _is_one_infant(one: Infant | None, other: Infant | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.shares_identifier_with(other)


def _place_among(occupants: tuple[Infant, ...], infant: Infant) -> int | None:
    return next((at for at, one in enumerate(occupants) if one.shares_identifier_with(infant)), None)


def _merged(known: Infant, news: Infant) -> Infant:
    return Infant(
        identifiers=tuple(dict.fromkeys((*news.identifiers, *known.identifiers))),
        visit=news.visit or known.visit,
        gestational_age_days=news.gestational_age_days or known.gestational_age_days,
        born=news.born or known.born,
        sex=news.sex or known.sex,
    )
