"""What each event does to the beds. Pure; ingest applies it. Cancellations and merges have modules of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from neopain.domain import association, cancellation, reidentification, separation
from neopain.domain.bedside import (
    disputed,
    is_of_another_visit,
    placed,
    renewed,
    taken_out,
    with_dispute,
    with_occupants,
    without_dispute,
)
from neopain.domain.census import (
    ANOTHER_VISIT,
    DEVICE_DISAGREES,
    NO_NEWBORN,
    SEVERAL_MEANT,
    UPDATE_DISAGREES,
    UPDATES,
    WHO_IS_WHO,
    BedState,
    Census,
    CensusEvent,
    CensusEventKind,
    Departure,
    Dispute,
    Infant,
    beds_of,
    place_among,
)
from neopain.domain.identity import BedId
from neopain.domain.recognition import Meant, recognised


def apply(census: Census, event: CensusEvent) -> tuple[BedState, ...]:
    """The beds whose state the event changes, after it; nothing for an event that changes none.

    A01 and A02 put the infant into the bed and take it out of every other; if another infant lies there, the bed is
    held until one of them is moved or discharged. An A02 to a place without a bed leaves the infant in none. A03 takes
    the infant out; one of another visit changes nothing where it names another bed, else it holds the infant's bed. An
    A04 places an infant that lay in no bed. An A08 renews what is known; it places an infant that lay in no bed
    (unless it was discharged from that one), follows PV1-6, and where it names another bed without that, the infant's
    bed is held. A31 renews what is known. Cancellations undo (``cancellation``), merges change who is who
    (``reidentification``). A device's contradiction holds its bed until that device agrees or the infant it names lies
    there alone. A message that is not applied holds the infant's bed where it contradicts the census. A release by a
    person leaves the named infant alone in its bed, and what disagreed holds it no more. A device that is associated
    with an infant (``association``) holds the bed while another lies there. An emptied bed is free of everything but
    its devices. Numbers that may be those of several infants (``recognition``) hold the beds of all of them. Tests
    (MSH-11 D, T) never reach an infant of production (``separation``).
    """
    view = separation.seen(census, event)
    if view is None:
        return ()
    meant = recognised(view, event)
    changed = RULES[event.kind](view, meant.event) if meant.event else []
    if meant.confused or meant.event is None:
        changed = _doubted(view, changed, meant, event)
    changed = separation.rejoined(census, view, changed, event)
    return tuple(_dated(state, census.get(state.bed), event) for state in changed if state != census.get(state.bed))


def takes_numbers(census: Census, event: CensusEvent) -> bool:
    """Whether ``apply`` believes the event that the numbers of ``prior`` are or were its infant's (A40, A45, A47)."""
    view = separation.seen(census, event)
    meant = recognised(view, event) if view is not None else Meant(None)
    return view is not None and meant.event is not None and reidentification.is_taken(view, meant.event)


def _doubted(census: Census, changed: list[BedState], meant: Meant, event: CensusEvent) -> list[BedState]:
    """The beds of everybody whom the event may mean are held, and the one where it would have put an infant."""
    after = census | {state.bed: state for state in changed}
    everybody = [*meant.confused, *([meant.event.infant] if meant.event else [])] if meant.confused else []
    for infant in everybody:
        after |= {state.bed: state for state in disputed(beds_of(after, infant), infant, SEVERAL_MEANT)}
    if meant.event is None and event.kind in PLACES and event.bed is not None and not event.has_left:
        after |= {event.bed: _with_somebody(after.get(event.bed), event.bed, meant, event)}
    return list(after.values())


def _with_somebody(present: BedState | None, bed: BedId, meant: Meant, event: CensusEvent) -> BedState:
    # Who lies in no bed may be here by now, under this number; one that lies in a bed stays there.
    present = present or BedState(bed, event.occurred)
    if not meant.confused:
        present = with_occupants(present, [*present.occupants, event.infant], event)
    return disputed([present], present.infant, SEVERAL_MEANT)[0] if present.infant else present


def _admitted(census: Census, event: CensusEvent) -> list[BedState]:
    return placed(census, event, event.bed) if event.bed else renewed(census, event)


def _transferred(census: Census, event: CensusEvent) -> list[BedState]:
    return placed(census, event, event.bed) if event.bed else taken_out(census, event)


def _discharged(census: Census, event: CensusEvent) -> list[BedState]:
    # A newborn's visit on the maternity ward is often closed after the one of intensive care was opened.
    lying = beds_of(census, event.infant)
    if not lying or not all(is_of_another_visit(state, event) for state in lying):
        return taken_out(census, event)
    if event.bed is not None and event.bed not in [state.bed for state in lying]:
        return []
    return disputed(lying, event.infant, ANOTHER_VISIT)


def _registered(census: Census, event: CensusEvent) -> list[BedState]:
    # An infant in its bed may be registered in a clinic too: that visit is not the one it lies here for.
    beds = [state.bed for state in beds_of(census, event.infant)]
    if event.bed is None:
        return renewed(census, replace(event, infant=replace(event.infant, visit="")))
    return _elsewhere(census, event) if beds and event.bed not in beds else placed(census, event, event.bed)


def _updated(census: Census, event: CensusEvent) -> list[BedState]:
    beds = [state.bed for state in beds_of(census, event.infant)]
    if event.bed is None or event.has_left:
        return renewed(census, event)
    if beds == [event.bed]:
        return [without_dispute(state, UPDATES, event.infant) for state in renewed(census, event)]
    if not beds:
        return [] if _was_discharged(census.get(event.bed), event.infant) else placed(census, event, event.bed)
    if event.bed in beds or event.prior_bed in beds:
        return placed(census, event, event.bed)
    return disputed(renewed(census, event), event.infant, UPDATE_DISAGREES, bed=event.bed)


def _was_discharged(state: BedState | None, infant: Infant) -> bool:
    gone = state.departures if state is not None else ()
    return any(one.is_final and one.infant.shares_identifier_with(infant) for one in gone)


def _elsewhere(census: Census, event: CensusEvent) -> list[BedState]:
    known = beds_of(census, event.infant)
    return (
        []
        if event.bed in [state.bed for state in known]
        else disputed(known, event.infant, UPDATE_DISAGREES, bed=event.bed)
    )


def _in_doubt(census: Census, event: CensusEvent) -> list[BedState]:
    lying = [state for state in beds_of(census, event.infant) if not is_of_another_visit(state, event)]
    return disputed(lying, event.infant, WHO_IS_WHO)


def _contradicted(census: Census, event: CensusEvent) -> list[BedState]:
    named = event.infant.identifiers
    present = census.get(event.bed) if event.bed else None
    if present is None or present.infant is None or any(one.is_meant_by(named) for one in present.occupants):
        return []
    return [with_dispute(present, Dispute(event.source, DEVICE_DISAGREES, event.infant.identifiers[0]))]


def _confirmed(census: Census, event: CensusEvent) -> list[BedState]:
    present = census.get(event.bed) if event.bed else None
    if present is None or present.infant is None or not present.infant.is_meant_by(event.infant.identifiers):
        return []
    return [without_dispute(present, event.source, None)]


def _released(census: Census, event: CensusEvent) -> list[BedState]:
    present = census.get(event.bed) if event.bed else None
    place = place_among(present.occupants, event.infant) if present is not None else None
    if present is None or place is None or not present.is_held:
        return []
    chosen = present.occupants[place]
    others = [one for one in present.occupants if one is not chosen]
    gone = tuple(Departure(one, event.kind, event.heard, processing=present.processing) for one in others)
    alone = with_occupants(replace(present, departures=(*gone, *present.departures)), [chosen], event)
    age = (Dispute(UPDATES, NO_NEWBORN, chosen.identifiers[0]),) if chosen.is_no_newborn(present.since) else ()
    overruled = tuple(dict.fromkeys((*alone.overruled, *present.disputes, *alone.contradicting, *age)))
    decided = with_occupants(replace(alone, disputes=(), overruled=overruled), [chosen], event)
    return [*taken_out(census, event, except_bed=present.bed), decided]


def _dated(state: BedState, known: BedState | None, event: CensusEvent) -> BedState:
    held_since = None
    if state.is_held:
        was_held = known is not None and known.is_held
        held_since = known.held_since if known is not None and was_held else event.heard
    return replace(
        state, control_id=event.control_id, source=event.source, held_since=held_since, release=event.release
    )


PLACES = frozenset(
    {CensusEventKind.ADMITTED, CensusEventKind.TRANSFERRED, CensusEventKind.REGISTERED, CensusEventKind.UPDATED}
)

Rule = Callable[[Census, CensusEvent], list[BedState]]

RULES: dict[CensusEventKind, Rule] = {
    CensusEventKind.ADMITTED: _admitted,
    CensusEventKind.TRANSFERRED: _transferred,
    CensusEventKind.DISCHARGED: _discharged,
    CensusEventKind.REGISTERED: _registered,
    CensusEventKind.UPDATED: _updated,
    CensusEventKind.ADMISSION_CANCELLED: cancellation.cancel_admission,
    CensusEventKind.TRANSFER_CANCELLED: cancellation.cancel_transfer,
    CensusEventKind.DISCHARGE_CANCELLED: cancellation.cancel_discharge,
    CensusEventKind.PERSON_UPDATED: renewed,
    CensusEventKind.MERGED: reidentification.merge,
    CensusEventKind.VISIT_MOVED: reidentification.move_visit,
    CensusEventKind.RENUMBERED: reidentification.renumber,
    CensusEventKind.CONTRADICTED: _contradicted,
    CensusEventKind.CONFIRMED: _confirmed,
    CensusEventKind.ASSOCIATED: association.associate,
    CensusEventKind.DISSOCIATED: association.dissociate,
    CensusEventKind.ELSEWHERE: _elsewhere,
    CensusEventKind.IN_DOUBT: _in_doubt,
    CensusEventKind.RELEASED: _released,
}
