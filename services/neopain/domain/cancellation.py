"""A11, A12 and A13 (HL7 v2.6 chapter 3.3.11 to 3.3.13): what was told did not happen.

A cancellation undoes exactly the event that it is of: it is known by infant, visit and beds. One that fits no event
that is known leaves the infant where it is and holds its bed, or changes nothing where the infant lies in none.
"""

from __future__ import annotations

from neopain.domain.bedside import (
    arrival_of,
    departure_of,
    disputed,
    is_of_another_visit,
    last_departure,
    renewed,
    restored,
    taken_out,
    visits_differ,
)
from neopain.domain.census import (
    UPDATE_DISAGREES,
    BedState,
    Census,
    CensusEvent,
    CensusEventKind,
    Infant,
    beds_of,
)
from neopain.domain.identity import BedId

MOVES = (CensusEventKind.TRANSFERRED, CensusEventKind.UPDATED)


def cancel_admission(census: Census, event: CensusEvent) -> list[BedState]:
    """The infant out of the bed that it was admitted to, and back in the one that the admission took it from."""
    lying = beds_of(census, event.infant)
    if not lying or is_of_another_visit(lying[0], event) or _was_cancelled(census, event):
        return []
    came_from = _came_from(lying[0], event.infant, (CensusEventKind.ADMITTED,))
    if len(lying) > 1 or event.bed not in (lying[0].bed, None) or (came_from and event.bed is None):
        return disputed(lying, event.infant, UPDATE_DISAGREES, bed=event.bed)
    return restored(census, event, came_from) if came_from else taken_out(census, event)


def cancel_transfer(census: Census, event: CensusEvent) -> list[BedState]:
    """The infant back in PV1-3, which shows its place before the transfer; in no bed if that has none."""
    lying = beds_of(census, event.infant)
    if not lying:
        return [] if _is_gone(census, event.infant) or event.bed is None else restored(census, event, event.bed)
    if is_of_another_visit(lying[0], event):
        return []
    if len(lying) > 1 or not _is_of_this_transfer(lying[0], event):
        return disputed(lying, event.infant, UPDATE_DISAGREES, bed=event.bed)
    if event.bed is None:
        return taken_out(census, event)
    return renewed(census, event) if event.bed == lying[0].bed else restored(census, event, event.bed)


def cancel_discharge(census: Census, event: CensusEvent) -> list[BedState]:
    """The infant back in PV1-3, which shows its place after the cancellation; without it, in the bed that it left."""
    lying = beds_of(census, event.infant)
    if lying:
        return _discharge_is_cancelled_of_one_in_bed(census, event, lying)
    bed, departure = last_departure(census, event.infant) or (None, None)
    if departure is not None and departure.is_final and visits_differ(departure.infant.visit, event):
        return []
    if event.bed is not None:
        return restored(census, event, event.bed)
    was_discharged = departure is not None and departure.cause is CensusEventKind.DISCHARGED
    return restored(census, event, bed) if bed is not None and was_discharged else []


def _discharge_is_cancelled_of_one_in_bed(census: Census, event: CensusEvent, lying: list[BedState]) -> list[BedState]:
    if is_of_another_visit(lying[0], event) or event.bed is None:
        return []
    if [state.bed for state in lying] == [event.bed]:
        return renewed(census, event)
    return disputed(lying, event.infant, UPDATE_DISAGREES, bed=event.bed)


def _is_of_this_transfer(state: BedState, event: CensusEvent) -> bool:
    """Whether the cancelled transfer may be the one that took the infant to where it lies now."""
    came_from = _came_from(state, event.infant, MOVES)
    if event.bed == state.bed:
        # Some senders name the bed of the cancelled transfer in PV1-3, and the one before it in PV1-6.
        return event.prior_bed is None or event.prior_bed != came_from
    return event.bed == came_from


def _came_from(state: BedState, infant: Infant, causes: tuple[CensusEventKind, ...]) -> BedId | None:
    """The bed that an event of that kind took an occupant from; None if it came by no such event."""
    arrival = arrival_of(state, infant)
    return arrival.came_from if arrival is not None and arrival.cause in causes else None


def _was_cancelled(census: Census, event: CensusEvent) -> bool:
    """Whether this cancellation was told before: the bed that it names knows it."""
    departure = departure_of(census.get(event.bed), event.infant) if event.bed is not None else None
    return departure is not None and departure.cause is event.kind


def _is_gone(census: Census, infant: Infant) -> bool:
    last = last_departure(census, infant)
    return last is not None and last[1].is_final
