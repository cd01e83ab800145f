"""Who lies where: the words of the census. What an event does to the beds is decided in ``occupancy``.

The patient is never guessed. What contradicts the census *holds* the bed: data are kept, nothing is charted, until what
disagreed agrees or a person decides. Events count in the order of their arrival, since the clocks of registration desks
cannot be compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from neopain.domain.identity import BedId, PatientId
from neopain.domain.vitals import Processing

TWO_INFANTS = "two infants in one bed"
NO_NEWBORN = "somebody in this bed is no newborn"
DEVICE_DISAGREES = "a device in this bed names another infant"
UPDATE_DISAGREES = "an ADT message that is not applied says that this infant lies elsewhere"
TWO_BEDS = "a merge of identifiers leaves this infant in two beds"
WHO_IS_WHO = "an ADT message that is not applied changes who this infant is, or deletes it"
SEVERAL_MEANT = "an ADT message gives numbers of several infants, and this may be the one that it means"
ANOTHER_VISIT = "ADT has discharged this infant from another visit than the one that it lies here for"
UNLIKELY_MERGE = "a merge would make two people one who differ in birth date or sex"
ASSOCIATION_DISAGREES = "a device at this bed is associated with another infant"
ASSOCIATED_ELSEWHERE = "a device at another bed is associated with this infant"
UPDATES = "adt"
"""Source of the disputes that ADT has with itself."""
OLDEST_INFANT = timedelta(days=366)
"""Whoever was born longer ago is a parent, or no patient of a newborn's ward."""
MOST_DEPARTURES = 8
"""How many infants that went a bed remembers."""


class CensusEventKind(Enum):
    """What happened, by the ADT trigger event (HL7 v2.6 chapter 3.3), or by what a device or a person says."""

    ADMITTED = "A01"
    TRANSFERRED = "A02"
    DISCHARGED = "A03"
    REGISTERED = "A04"
    UPDATED = "A08"
    ADMISSION_CANCELLED = "A11"
    TRANSFER_CANCELLED = "A12"
    DISCHARGE_CANCELLED = "A13"
    PERSON_UPDATED = "A31"
    """What is known of a person, whatever its place; A28 is taken as the same."""
    MERGED = "A40"
    """``prior`` are numbers of the same infant that are used no more."""
    VISIT_MOVED = "A45"
    """The visit that was recorded under ``prior`` is this infant's."""
    RENUMBERED = "A47"
    """``prior`` were wrong numbers of this infant, and may be another's."""
    CONTRADICTED = "contradicted"
    """A device in the bed named another infant than the census does."""
    CONFIRMED = "confirmed"
    """A device that had contradicted now names the infant of the census."""
    ASSOCIATED = "associated"
    """A device was associated with the infant at the bed (IHE PCIM)."""
    DISSOCIATED = "dissociated"
    """That has ended."""
    ELSEWHERE = "elsewhere"
    """ADT tells by a trigger that is not applied where the infant is: in the event's bed, or in no bed of ours."""
    IN_DOUBT = "in doubt"
    """ADT changes by a trigger that is not applied who this infant is, or deletes it or the visit that is named."""
    RELEASED = "released"
    """A person has looked: this infant lies in this bed, whatever disagreed."""


@dataclass(frozen=True, slots=True)
class Infant:
    """What the census knows of an infant. No name: that stays in the EHR."""

    identifiers: tuple[PatientId, ...]
    visit: str = ""
    """PV1-19, the encounter's number."""
    gestational_age_days: int | None = None
    born: datetime | None = None
    sex: str = ""
    formerly: tuple[PatientId, ...] = ()
    """Numbers that a merge has retired: devices may still use them, charting does not."""

    def is_same_as(self, other: PatientId) -> bool:
        """Whether the identifier is one of this infant's: same value, and same authority where both name one."""
        return any(is_one_identifier(own, other) for own in (*self.identifiers, *self.formerly))

    def has_any(self, numbers: Iterable[PatientId]) -> bool:
        """Whether one of the numbers is this infant's."""
        return any(self.is_same_as(one) for one in numbers)

    def is_meant_by(self, numbers: tuple[PatientId, ...]) -> bool:
        """Whether a device that gives these numbers means this infant; a number alone may be of any type."""
        return self.has_any(numbers) and (len(numbers) == 1 or not self.is_apart_from(Infant(numbers)))

    def shares_identifier_with(self, other: Infant) -> bool:
        """Whether both are one infant: by a number of both, unless their medical record numbers say otherwise."""
        return self.has_any((*other.identifiers, *other.formerly)) and not self.is_apart_from(other)

    def is_apart_from(self, other: Infant) -> bool:
        """Whether one authority has given them medical record numbers none of which is the same."""
        own, others = self._record_numbers(), other._record_numbers()
        return any(not own[authority] & others[authority] for authority in own.keys() & others.keys())

    def _record_numbers(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for one in (*self.identifiers, *self.formerly):
            if one.type_code == "MR":
                found.setdefault(one.assigning_authority, set()).add(one.value)
        return found

    def is_no_newborn(self, moment: datetime) -> bool:
        """Whether it is known to be too old for one."""
        return self.born is not None and moment - self.born > OLDEST_INFANT


def is_one_identifier(one: PatientId, other: PatientId) -> bool:
    """Whether both name one person: same value, and same authority where both name one."""
    return one.value == other.value and len({one.assigning_authority, other.assigning_authority} - {""}) < 2


@dataclass(frozen=True, slots=True)
class Dispute:
    """Somebody disagrees with ADT about a bed. ``patient`` is whom a device names, or whom an update would move, and
    ``bed`` where to, if it says so."""

    source: str
    reason: str
    patient: PatientId
    bed: BedId | None = None


@dataclass(frozen=True, slots=True)
class DeviceAssociation:
    """A device that was associated with a patient at a bed, since when it says."""

    device: str
    patient: PatientId
    since: datetime


@dataclass(frozen=True, slots=True)
class Arrival:
    """Which bed an occupant was taken from when it came, and by what."""

    patient: PatientId
    cause: CensusEventKind
    came_from: BedId


@dataclass(frozen=True, slots=True)
class Departure:
    """An infant that went, so that a cancellation can put it back as it was.

    ``went`` is when that was told; ``came`` since when it had lain there alone, None if it had not; ``arrival`` how it
    had come; ``disputes`` are those that ended with its going.
    """

    infant: Infant
    cause: CensusEventKind
    went: datetime
    came: datetime | None = None
    arrival: Arrival | None = None
    processing: Processing = Processing.PRODUCTION
    disputes: tuple[Dispute, ...] = ()

    @property
    def is_final(self) -> bool:
        """Whether it is gone for good: late updates of its record must not put it back."""
        return self.cause in (CensusEventKind.DISCHARGED, CensusEventKind.ADMISSION_CANCELLED)


@dataclass(frozen=True, slots=True)
class Release:
    """Who let a held bed go, and why."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class CensusEvent:
    """One message, read. ``bed`` is PV1-3 where it names a bed, ``prior_bed`` PV1-6; ``has_left`` says that PV1-45
    gives a time of discharge; ``prior`` and ``prior_visit`` are MRG-1 and MRG-5; ``source`` is who sent it."""

    kind: CensusEventKind
    infant: Infant
    occurred: datetime
    bed: BedId | None = None
    prior_bed: BedId | None = None
    has_left: bool = False
    control_id: str = ""
    processing: Processing = Processing.PRODUCTION
    source: str = ""
    prior: tuple[PatientId, ...] = ()
    prior_visit: str = ""
    told: datetime | None = None
    """When it was told; None: when it happened."""
    release: Release | None = None
    """Of a RELEASED event, by whom and why."""
    device: str = ""
    """Of an ASSOCIATED or DISSOCIATED event, the device."""

    @property
    def heard(self) -> datetime:
        """When it was told."""
        return self.told or self.occurred


@dataclass(frozen=True, slots=True)
class BedState:
    """The full state of one bed after a fact: ``infant`` is None if empty, ``held_reason`` empty unless held.

    ``since`` is when this infant came, or when the bed was emptied. ``rivals`` are further infants whom ADT placed in
    the bed and nobody has moved or discharged; ``disputes`` is what else disagrees; both hold the bed, and so does
    somebody who is no newborn. ``arrivals`` are of those occupants who came from another bed; ``departures`` are the
    last infants that went, the latest in front. ``overruled`` is what a person has looked at and decided against;
    ``release`` is there in the fact of that decision only.
    """

    bed: BedId
    since: datetime
    infant: Infant | None = None
    held_reason: str = ""
    processing: Processing = Processing.PRODUCTION
    control_id: str = ""
    rivals: tuple[Infant, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    arrivals: tuple[Arrival, ...] = ()
    departures: tuple[Departure, ...] = ()
    held_since: datetime | None = None
    overruled: tuple[Dispute, ...] = ()
    release: Release | None = None
    source: str = ""
    """Who told this fact, with ``control_id``; empty for a person's decision, and in facts of before."""
    associations: tuple[DeviceAssociation, ...] = ()
    """Devices at this bed and whom each was associated with; they stay when the infant goes, until they end."""

    @property
    def is_held(self) -> bool:
        """Whether sources disagree about who lies here: data are kept, nothing is charted."""
        return bool(self.held_reason)

    @property
    def occupants(self) -> tuple[Infant, ...]:
        """Every infant that lies here as far as ADT says, the one that came first in front."""
        return (self.infant, *self.rivals) if self.infant else ()

    @property
    def contradicting(self) -> tuple[Dispute, ...]:
        """What devices here disagree about: associated with somebody who does not lie here, and nobody overruled it."""
        if self.infant is None:
            return ()
        others = [one for one in self.associations if not any(each.is_same_as(one.patient) for each in self.occupants)]
        disputes = (Dispute(one.device, ASSOCIATION_DISAGREES, one.patient) for one in others)
        return tuple(one for one in disputes if one not in self.overruled)

    def is_overruled(self, patient: PatientId) -> bool:
        """Whether a person has decided against a device that names this patient."""
        named = (one.patient for one in self.overruled if one.reason == DEVICE_DISAGREES)
        return any(is_one_identifier(one, patient) for one in named)


Census = dict[BedId, BedState]


def beds_of(census: Census, infant: Infant) -> list[BedState]:
    """The beds that the infant lies in as far as ADT says."""
    return [state for state in census.values() if place_among(state.occupants, infant) is not None]


def place_among(occupants: tuple[Infant, ...], infant: Infant) -> int | None:
    """Where among the occupants the infant is, None if it is not."""
    return next((at for at, one in enumerate(occupants) if one.shares_identifier_with(infant)), None)


def with_news(known: Infant, news: Infant) -> Infant:
    """What is known of an infant, renewed; what the news do not say stays, and a retired number stays retired."""
    formerly = tuple(dict.fromkeys((*known.formerly, *news.formerly)))
    identifiers = tuple(dict.fromkeys((*news.identifiers, *known.identifiers)))
    return Infant(
        identifiers=fully_named(without_identifiers(identifiers, formerly) or identifiers),
        visit=news.visit or known.visit,
        gestational_age_days=news.gestational_age_days or known.gestational_age_days,
        born=news.born or known.born,
        sex=news.sex or known.sex,
        formerly=formerly,
    )


def fully_named(identifiers: tuple[PatientId, ...]) -> tuple[PatientId, ...]:
    """The identifiers, each once; a number that is there with its authority is not kept without one as well."""
    complete = {one.value for one in identifiers if one.assigning_authority}
    return tuple(dict.fromkeys(one for one in identifiers if one.assigning_authority or one.value not in complete))


def without_identifiers(those: tuple[PatientId, ...], others: tuple[PatientId, ...]) -> tuple[PatientId, ...]:
    """Those of the identifiers that are none of the others."""
    return tuple(one for one in those if not any(is_one_identifier(one, other) for other in others))
