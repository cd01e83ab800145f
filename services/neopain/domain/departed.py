"""Infants of a bed of whom it was told, later, that they have another number (A40), or never had theirs (A45, A47).

Of an infant that had left, the history of the bed says so in its departures alone; of one that lies there, in the fact
of now, which reaches back to the last doubt about the bed and no further. The facts of its stay are read as if it had
been known by its numbers of now.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from neopain.domain.assignment import CensusFact
from neopain.domain.bedside import is_one_departure
from neopain.domain.census import BedState, Departure, Infant
from neopain.domain.identity import PatientId


def under_numbers_of_now(history: Sequence[CensusFact]) -> tuple[CensusFact, ...]:
    """The facts of a bed, in the order they were told, with whoever was in it as it is known by the last of them."""
    facts = list(history)
    for place in range(1, len(facts)):
        before, after = facts[place - 1].state, facts[place].state
        for was, now in renamed_departures(before, after):
            _rename_stay(facts, place, was.infant, now.infant, ended=was)
        for infant, renumbered in _renumbered(before, after):
            _rename_stay(facts, place, infant, renumbered)
    return tuple(facts)


def renamed_departures(before: BedState, after: BedState) -> Iterator[tuple[Departure, Departure]]:
    """Each infant that had left the bed by both states, and has other numbers or another visit in the second."""
    if before.departures == after.departures:
        return
    for one in after.departures:
        was = next((other for other in before.departures if is_one_departure(one, other)), None)
        if was is not None and _names(was.infant) != _names(one.infant):
            yield was, one


def numbers_taken_back(before: BedState, after: BedState) -> frozenset[PatientId]:
    """The numbers that, by the second state, whoever lies in the bed or has left it never had (A45, A47)."""
    pairs = [(was.infant, now.infant) for was, now in renamed_departures(before, after)]
    if before.infant is not None and after.infant is not None and before.since == after.since:
        pairs.append((before.infant, after.infant))
    return frozenset(one for was, now in pairs for one in (*was.identifiers, *was.formerly) if not now.is_same_as(one))


def _renumbered(before: BedState, after: BedState) -> Iterator[tuple[Infant, Infant]]:
    """Who lies in the bed, if it is known by other numbers in the same stay; not one that was told never to have had
    those of before (A45, A47): whose the time before a doubt was, that leaves open."""
    was, now = before.infant, after.infant
    if was is None or now is None or before.since != after.since or not was.shares_identifier_with(now):
        return
    if (was.identifiers, was.formerly) != (now.identifiers, now.formerly):
        yield was, now


def _names(infant: Infant) -> tuple[object, ...]:
    return infant.identifiers, infant.formerly, infant.visit


def _rename_stay(
    facts: list[CensusFact], place: int, before: Infant, after: Infant, *, ended: Departure | None = None
) -> None:
    """In the facts of the stay before that place, and of no other stay under the same number."""
    for at in reversed(range(place)):
        state = facts[at].state
        if ended is not None and any(is_one_departure(one, ended) for one in state.departures):
            continue
        if not any(one.shares_identifier_with(before) for one in state.occupants):
            return
        occupants = [_known_as(one, before, after) for one in state.occupants]
        facts[at] = replace(facts[at], state=replace(state, infant=occupants[0], rivals=tuple(occupants[1:])))


def _known_as(occupant: Infant, before: Infant, after: Infant) -> Infant:
    if not occupant.shares_identifier_with(before):
        return occupant
    visit = after.visit if after.visit != before.visit else occupant.visit
    return replace(occupant, identifiers=after.identifiers, formerly=after.formerly, visit=visit)
