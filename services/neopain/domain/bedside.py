"""What can be done to a bed: an infant put in or taken out, what is known renewed, a dispute begun or ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from neopain.domain.census import (
    ASSOCIATION_DISAGREES,
    MOST_DEPARTURES,
    NO_NEWBORN,
    TWO_INFANTS,
    UPDATES,
    Arrival,
    BedState,
    Census,
    CensusEvent,
    CensusEventKind,
    Departure,
    Dispute,
    Infant,
    beds_of,
    place_among,
    with_news,
)
from neopain.domain.identity import BedId, PatientId
from neopain.domain.vitals import Processing

UNDOES = frozenset({CensusEventKind.ADMISSION_CANCELLED, CensusEventKind.TRANSFER_CANCELLED})
"""What says that an infant never was in its bed."""


def placed(census: Census, event: CensusEvent, bed: BedId) -> list[BedState]:
    """The infant in the bed and in no other; whoever lies there stays, and the bed is held."""
    present = census.get(bed) or BedState(bed, event.occurred)
    infant = with_news(_known_of(census, event), event.infant)
    occupants = list(present.occupants)
    place = place_among(present.occupants, infant)
    if place is None:
        present = _arriving(present, infant, beds_of(census, event.infant), event)
        occupants.append(infant)
    else:
        occupants[place] = infant
    arrived = with_occupants(without_departure(present, infant), occupants, event)
    arrived = replace(arrived, processing=_processing(present, event))
    return [*taken_out(census, event, except_bed=bed), without_dispute(arrived, UPDATES, infant)]


def _arriving(present: BedState, infant: Infant, lying: list[BedState], event: CensusEvent) -> BedState:
    if not lying:
        return present
    arrival = Arrival(infant.identifiers[0], event.kind, lying[0].bed)
    return replace(present, arrivals=(*present.arrivals, arrival))


def taken_out(census: Census, event: CensusEvent, *, except_bed: BedId | None = None) -> list[BedState]:
    """The infant out of every bed but one; each remembers it."""
    changed = []
    for state in beds_of(census, event.infant):
        if state.bed == except_bed:
            continue
        remaining = [one for one in state.occupants if not one.shares_identifier_with(event.infant)]
        left = with_occupants(state, remaining, event)
        place = place_among(state.occupants, event.infant) or 0
        ended = tuple(one for one in state.disputes if one not in left.disputes)
        departure = Departure(
            infant=state.occupants[place],
            cause=event.kind,
            went=event.heard,
            came=None if state.rivals else state.since,
            arrival=arrival_of(state, event.infant),
            processing=state.processing,
            disputes=ended,
        )
        kept = without_departure(left, departure.infant).departures
        changed.append(replace(left, departures=(departure, *kept)[:MOST_DEPARTURES]))
    return changed


def renewed(census: Census, event: CensusEvent) -> list[BedState]:
    """What is known of the infant, wherever it lies; for which visit it lies there, by an event of that stay only."""
    changed = []
    for state in beds_of(census, event.infant):
        news = event.infant if _is_of_this_stay(state, event) else replace(event.infant, visit="")
        occupants = [with_news(one, news) if one.shares_identifier_with(news) else one for one in state.occupants]
        changed.append(with_occupants(state, occupants, event))
    return changed


def _is_of_this_stay(state: BedState, event: CensusEvent) -> bool:
    # An infant may have a second visit, on its mother's ward or at billing, that is written on and closed meanwhile.
    if event.has_left:
        return False
    return event.bed == state.bed or (event.bed is None and not is_of_another_visit(state, event))


def disputed(states: list[BedState], infant: Infant, reason: str, *, bed: BedId | None = None) -> list[BedState]:
    """ADT disagrees with itself about the infant in these beds; ``bed`` is where else it would be."""
    return [with_dispute(state, Dispute(UPDATES, reason, _known_as(state, infant), bed)) for state in states]


def _known_as(state: BedState, infant: Infant) -> PatientId:
    place = place_among(state.occupants, infant)
    return (infant if place is None else state.occupants[place]).identifiers[0]


def with_occupants(state: BedState, occupants: list[Infant], event: CensusEvent) -> BedState:
    """The bed with these in it. The history of a bed never runs backwards, however late an event was entered."""
    if not occupants:
        since = state.since if event.kind in UNDOES else max(event.occurred, state.since)
        return BedState(
            bed=state.bed,
            since=since,
            processing=event.processing,
            departures=state.departures,
            associations=state.associations,
        )
    is_as_before = state.infant is not None and occupants[0].shares_identifier_with(state.infant)
    return judged(
        replace(
            state,
            since=state.since if is_as_before else max(event.occurred, state.since),
            infant=occupants[0],
            rivals=tuple(occupants[1:]),
            arrivals=tuple(one for one in state.arrivals if any(each.is_same_as(one.patient) for each in occupants)),
            disputes=tuple(one for one in state.disputes if not _is_settled(one, occupants)),
            overruled=state.overruled if is_as_before else (),
        )
    )


def with_dispute(state: BedState, dispute: Dispute) -> BedState:
    """The bed with the dispute, unless a person has decided it; a newer one of its source and reason replaces it."""
    if dispute in state.overruled:
        return state
    others = tuple(one for one in state.disputes if (one.source, one.reason) != (dispute.source, dispute.reason))
    return judged(replace(state, disputes=(*others, dispute)))


def without_dispute(state: BedState, source: str, infant: Infant | None) -> BedState:
    """The bed without what that source disputes, of that infant only if one is given."""
    kept = tuple(
        one
        for one in state.disputes
        if one.source != source or (infant is not None and not infant.is_same_as(one.patient))
    )
    return judged(replace(state, disputes=kept))


def without_departure(state: BedState, infant: Infant) -> BedState:
    """The bed without the memory that the infant went."""
    kept = tuple(one for one in state.departures if not one.infant.shares_identifier_with(infant))
    return replace(state, departures=kept)


def judged(state: BedState) -> BedState:
    """The bed with the reason that holds it."""
    reasons = [TWO_INFANTS] if state.rivals else []
    reasons += [NO_NEWBORN] if any(_is_out_of_place(one, state) for one in state.occupants) else []
    reasons += [ASSOCIATION_DISAGREES] if state.contradicting else []
    reasons += [dispute.reason for dispute in state.disputes]
    return replace(state, held_reason="; ".join(dict.fromkeys(reasons)))


def last_departure(census: Census, infant: Infant) -> tuple[BedId, Departure] | None:
    """The bed that the infant last went from, and how; None if it went from none that is known."""
    gone = [(bed, one) for bed, state in census.items() if (one := departure_of(state, infant)) is not None]
    return max(gone, key=lambda pair: pair[1].went, default=None)


def departure_of(state: BedState | None, infant: Infant) -> Departure | None:
    """How the infant went from the bed, None if it did not."""
    gone = state.departures if state is not None else ()
    return next((one for one in gone if one.infant.shares_identifier_with(infant)), None)


def is_one_departure(one: Departure, other: Departure) -> bool:
    """Whether both are of one going, whatever the infant is called by now."""
    return (one.went, one.cause, one.came) == (other.went, other.cause, other.came)


def arrival_of(state: BedState, infant: Infant) -> Arrival | None:
    """How an occupant came into the bed, None if it came from no other one."""
    return next((one for one in state.arrivals if infant.is_same_as(one.patient)), None)


def is_of_another_visit(state: BedState, event: CensusEvent) -> bool:
    """Whether the event is of another visit than the one that its infant lies in this bed for, where both are known."""
    place = place_among(state.occupants, event.infant)
    return place is not None and visits_differ(state.occupants[place].visit, event)


def visits_differ(visit: str, event: CensusEvent) -> bool:
    """Whether both visits are known and not one."""
    return bool(visit and event.infant.visit and visit != event.infant.visit)


def restored(census: Census, event: CensusEvent, bed: BedId) -> list[BedState]:
    """The infant back in a bed that it went from, as it was there; like ``placed`` where nobody remembers it."""
    present, departure = census.get(bed), departure_of(census.get(bed), event.infant)
    *others, back = placed(census, event, bed)
    if present is None or departure is None:
        return [*others, back]
    occupants = [
        with_news(departure.infant, one) if one.shares_identifier_with(departure.infant) else one
        for one in back.occupants
    ]
    arrivals = tuple(one for one in back.arrivals if not departure.infant.is_same_as(one.patient))
    back = replace(
        back,
        infant=occupants[0],
        rivals=tuple(occupants[1:]),
        arrivals=(*arrivals, departure.arrival) if departure.arrival else arrivals,
        disputes=tuple(dict.fromkeys((*back.disputes, *departure.disputes))),
    )
    if (came := _came(present, departure)) is not None:
        back = replace(back, since=came, processing=departure.processing)
    return [*others, judged(back)]


def _came(present: BedState, departure: Departure) -> datetime | None:
    """Since when the infant lies there if it never went: not known where anybody else lay there in between."""
    return departure.came if present.infant is None and present.departures[0] is departure else None


def _known_of(census: Census, event: CensusEvent) -> Infant:
    """What is known of the infant where it lies, else where it last lay; a stay of the past had its own visit."""
    for state in beds_of(census, event.infant):
        return state.occupants[place_among(state.occupants, event.infant) or 0]
    if (last := last_departure(census, event.infant)) is None:
        return event.infant
    _, departure = last
    return replace(departure.infant, visit="") if departure.is_final else departure.infant


def _processing(present: BedState, event: CensusEvent) -> Processing:
    # Which message placed which of two infants is not kept: the bed is worth what the least of them is worth.
    is_alone = all(one.shares_identifier_with(event.infant) for one in present.occupants)
    return event.processing if is_alone else max(present.processing, event.processing, key=list(Processing).index)


def _is_settled(dispute: Dispute, occupants: list[Infant]) -> bool:
    if dispute.source == UPDATES or dispute.bed is not None:
        return not any(one.is_same_as(dispute.patient) for one in occupants)
    return occupants[0].is_same_as(dispute.patient)


def _is_out_of_place(infant: Infant, state: BedState) -> bool:
    allowed = any(one.reason == NO_NEWBORN and infant.is_same_as(one.patient) for one in state.overruled)
    return infant.is_no_newborn(state.since) and not allowed
