"""Infants that had left a bed when it was told that they have another number (A40), or never had theirs (A45, A47).

The history of the bed says so in its departures alone: the facts of the time when such an infant lay there are read as
if it had been known by its numbers of now.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from neopain.domain.assignment import CensusFact
from neopain.domain.bedside import is_one_departure
from neopain.domain.census import BedState, Departure, Infant
from neopain.domain.identity import PatientId


def under_numbers_of_now(history: Sequence[CensusFact]) -> tuple[CensusFact, ...]:
    """The facts of a bed, in the order they were told, with whoever has left it as it is known by the last of them."""
    facts = list(history)
    for place in range(1, len(facts)):
        for before, after in renamed_departures(facts[place - 1].state, facts[place].state):
            _rename_stay(facts, place, before, after)
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


def _names(infant: Infant) -> tuple[object, ...]:
    return infant.identifiers, infant.formerly, infant.visit


def _rename_stay(facts: list[CensusFact], place: int, before: Departure, after: Departure) -> None:
    """In the facts of the stay that ended with the departure, and of no other stay under the same number."""
    for at in reversed(range(place)):
        state = facts[at].state
        if any(is_one_departure(one, before) for one in state.departures):
            continue
        if not any(one.shares_identifier_with(before.infant) for one in state.occupants):
            return
        occupants = [_known_as(one, before.infant, after.infant) for one in state.occupants]
        facts[at] = replace(facts[at], state=replace(state, infant=occupants[0], rivals=tuple(occupants[1:])))


def _known_as(occupant: Infant, before: Infant, after: Infant) -> Infant:
    if not occupant.shares_identifier_with(before):
        return occupant
    visit = after.visit if after.visit != before.visit else occupant.visit
    return replace(occupant, identifiers=after.identifiers, formerly=after.formerly, visit=visit)
