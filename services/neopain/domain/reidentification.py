"""A40, A45 and A47 (HL7 v2.6 chapter 3.3.40, 3.3.45, 3.3.47): who is who, while everybody stays where it lies.

No merge moves an infant: a bed keeps its infant, with everything that is known of it, under another number. Where that
leaves one infant in two beds, both are held, since nobody knows which of them it is in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta

from neopain.domain.bedside import disputed, last_departure, with_occupants
from neopain.domain.census import (
    TWO_BEDS,
    UNLIKELY_MERGE,
    UPDATES,
    WHO_IS_WHO,
    BedState,
    Census,
    CensusEvent,
    CensusEventKind,
    Dispute,
    Infant,
    beds_of,
    place_among,
    with_news,
    without_identifiers,
)
from neopain.domain.identity import PatientId
from neopain.domain.recognition import CHANGES_NUMBERS

BIRTHS_DIFFER = timedelta(days=2)
"""A provisional record of a newborn may be a day off."""

Renaming = Callable[[Infant], Infant]


def merge(census: Census, event: CensusEvent) -> list[BedState]:
    """``prior`` and the event's infant are one: both records become one under the event's numbers."""
    own = event.infant.identifiers
    retired = without_identifiers(event.prior, own)
    if _is_unlikely(census, retired, event.infant):
        both = (Infant(retired), event.infant)
        doubted = [state for one in both for state in _in_doubt(census, one, UNLIKELY_MERGE)]
        return list({state.bed: state for state in doubted}.values())  # they may lie in one
    survivor = replace(event.infant, formerly=retired)

    def renamed(infant: Infant) -> Infant:
        if not infant.has_any((*own, *retired)):
            return infant
        return with_news(replace(infant, formerly=without_identifiers(infant.formerly, own)), survivor)

    return _in_one_bed(census, _renamed(census, renamed, event), event)


def renumber(census: Census, event: CensusEvent) -> list[BedState]:
    """``prior`` was wrong: the infant has the event's numbers and never had those, which may be another's."""
    own = event.infant.identifiers
    wrong = without_identifiers(event.prior, own)

    def renamed(infant: Infant) -> Infant:
        if not infant.has_any(wrong):
            return infant
        formerly = without_identifiers(infant.formerly, (*wrong, *own))
        kept = replace(infant, identifiers=without_identifiers(infant.identifiers, wrong), formerly=formerly)
        return with_news(kept, event.infant)

    return _in_one_bed(census, _renamed(census, renamed, event), event)


def move_visit(census: Census, event: CensusEvent) -> list[BedState]:
    """The visit was never that of ``prior``: whoever lies there for it is the event's infant, and always was.

    Where the census does not know for which visit ``prior`` lies there, its bed is held.
    """
    wrong = without_identifiers(event.prior, event.infant.identifiers)
    visit = event.prior_visit or event.infant.visit
    if any(not (one.visit and visit) for one in _lying(census, wrong)):
        return _in_doubt(census, Infant(wrong), WHO_IS_WHO)
    right = replace(event.infant, visit=event.infant.visit or visit)
    known = _known_of(census, right)

    def renamed(infant: Infant) -> Infant:
        return with_news(known, right) if infant.has_any(wrong) and infant.visit == visit else infant

    return _in_one_bed(census, _renamed(census, renamed, event), event)


def is_taken(census: Census, event: CensusEvent) -> bool:
    """Whether the census takes what the event says of who is who, and neither holds a bed instead nor lets it be."""
    wrong = without_identifiers(event.prior, event.infant.identifiers)
    if event.kind is CensusEventKind.MERGED:
        return not _is_unlikely(census, wrong, event.infant)
    if event.kind is CensusEventKind.VISIT_MOVED and (lying := _lying(census, wrong)):
        visit = event.prior_visit or event.infant.visit
        return bool(visit) and all(one.visit for one in lying) and any(one.visit == visit for one in lying)
    return event.kind in CHANGES_NUMBERS


def _renamed(census: Census, renamed: Renaming, event: CensusEvent) -> Census:
    """The census under the new numbers; two occupants of one bed that are one now become one."""
    return {bed: _renamed_bed(state, renamed, event) for bed, state in census.items()}


def _renamed_bed(state: BedState, renamed: Renaming, event: CensusEvent) -> BedState:
    state = replace(
        state,
        departures=tuple(replace(one, infant=renamed(one.infant)) for one in state.departures),
        arrivals=tuple(replace(one, patient=_renamed_patient(one.patient, state, renamed)) for one in state.arrivals),
        disputes=tuple(_renamed_dispute(one, state, renamed) for one in state.disputes),
        overruled=tuple(_renamed_dispute(one, state, renamed) for one in state.overruled),
    )
    occupants = _each_once(renamed(one) for one in state.occupants)
    if not occupants:
        return state
    # Whoever lies there has lain there as long, whatever its number.
    return with_occupants(replace(state, infant=occupants[0]), occupants, event)


def _renamed_dispute(dispute: Dispute, state: BedState, renamed: Renaming) -> Dispute:
    if dispute.source != UPDATES:
        return dispute
    return replace(dispute, patient=_renamed_patient(dispute.patient, state, renamed))


def _renamed_patient(patient: PatientId, state: BedState, renamed: Renaming) -> PatientId:
    place = place_among(state.occupants, Infant((patient,)))
    return patient if place is None else renamed(state.occupants[place]).identifiers[0]


def _each_once(occupants: Iterable[Infant]) -> list[Infant]:
    found: list[Infant] = []
    for infant in occupants:
        at = next((at for at, one in enumerate(found) if one.shares_identifier_with(infant)), None)
        if at is None:
            found.append(infant)
        else:
            found[at] = with_news(infant, found[at])
    return found


def _in_one_bed(census: Census, after: Census, event: CensusEvent) -> list[BedState]:
    if len(beds_of(after, event.infant)) > 1:
        after = after | {state.bed: state for state in _in_doubt(after, event.infant, TWO_BEDS)}
    return [state for bed, state in after.items() if state != census[bed]]


def _in_doubt(census: Census, infant: Infant, reason: str) -> list[BedState]:
    return disputed(beds_of(census, infant), infant, reason)


def _known_of(census: Census, infant: Infant) -> Infant:
    """What is known of the infant where it lies, else where it last lay."""
    lying = _lying(census, infant.identifiers)
    last = last_departure(census, infant)
    return next(iter(lying), last[1].infant if last else infant)


def _lying(census: Census, identifiers: tuple[PatientId, ...]) -> list[Infant]:
    return [one for state in census.values() for one in state.occupants if one.has_any(identifiers)]


def _is_unlikely(census: Census, retired: tuple[PatientId, ...], survivor: Infant) -> bool:
    survivors = [survivor, *_lying(census, survivor.identifiers)]
    return any(_are_unlikely_one(one, other) for one in _lying(census, retired) for other in survivors)


def _are_unlikely_one(one: Infant, other: Infant) -> bool:
    sexes = {one.sex, other.sex}
    if one.born is not None and other.born is not None and abs(one.born - other.born) > BIRTHS_DIFFER:
        return True
    return sexes == {"F", "M"}
