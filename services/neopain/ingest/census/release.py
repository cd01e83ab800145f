"""A person lets a held bed go: decides which of those whom ADT has there lies in it, and places nobody.

The one way for the command line and for whoever else asks a person: same rules, same fact on the bus.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from neopain.bus.bus import Bus
from neopain.bus.census import read_census
from neopain.domain.census import BedState, Census, CensusEvent, CensusEventKind, Infant, Release
from neopain.domain.identity import BedId, PatientId
from neopain.errors import ConfigurationError
from neopain.ingest.census.keeper import keep


class Why(Enum):
    """Why a bed is not let go."""

    UNKNOWN = "unknown"
    NOT_HELD = "not-held"
    SEEN_OTHERWISE = "seen-otherwise"
    SEVERAL = "several"
    NOT_THERE = "not-there"
    CHANGED = "changed"


class CannotRelease(ConfigurationError):
    """There is nothing to decide that way; nothing was written."""

    def __init__(self, why: Why, text: str) -> None:
        super().__init__(text)
        self.why = why


@dataclass(frozen=True, slots=True)
class ReleaseWanted:
    """What the person decided. ``infant`` may be left out where one lies in the bed; ``seen`` is the reason of the hold
    that was looked at, None where a person is not asked for it."""

    bed: BedId
    by: str
    reason: str
    infant: PatientId | None = None
    seen: str | None = None


async def release(bus: Bus, wanted: ReleaseWanted, *, now: datetime) -> BedState:
    """Writes the decision to the census; the bed as it is then. The same decision again changes nothing.

    ``CannotRelease``, ``BusUnavailable``.
    """
    census = await read_census(bus)
    if (done := _done_before(census.beds, wanted)) is not None:
        return done
    event = _decision(census.beds, wanted, now=now)
    states = await keep(bus, event, mark=f"release/{uuid.uuid4().hex}")
    decided = next((state for state in states if state.bed == event.bed), None)
    if decided is None:
        raise CannotRelease(Why.CHANGED, f"bed {wanted.bed} has changed meanwhile: look at `neopain beds` again")
    return decided


def _done_before(census: Census, wanted: ReleaseWanted) -> BedState | None:
    """The bed, where this decision is the last thing that happened to it: its first answer may have been lost."""
    state = census.get(wanted.bed)
    if state is None or state.is_held or state.release != Release(wanted.by, wanted.reason) or wanted.infant is None:
        return None
    return state if state.infant is not None and state.infant.is_same_as(wanted.infant) else None


def _decision(census: Census, wanted: ReleaseWanted, *, now: datetime) -> CensusEvent:
    state = census.get(wanted.bed)
    if state is None:
        text = f"bed {wanted.bed} is in no message so far: see `neopain beds` for the beds that are"
        raise CannotRelease(Why.UNKNOWN, text)
    if not state.is_held:
        raise CannotRelease(Why.NOT_HELD, f"bed {state.bed} is not held: there is nothing to release")
    if wanted.seen not in (None, state.held_reason):
        raise CannotRelease(Why.SEEN_OTHERWISE, f"bed {state.bed} is held for another reason by now")
    return CensusEvent(
        kind=CensusEventKind.RELEASED,
        infant=_chosen(state, wanted.infant),
        occurred=now,
        bed=state.bed,
        processing=state.processing,
        release=Release(wanted.by, wanted.reason),
    )


def _chosen(state: BedState, named: PatientId | None) -> Infant:
    """The occupant that the person means; a person decides between those whom ADT names, and places nobody."""
    found = [one for one in state.occupants if named is None or one.is_same_as(named)]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(number_of(one) for one in state.occupants)
    if named is None:
        text = f"bed {state.bed} has several infants: say with --infant which of {listed} lies there"
        raise CannotRelease(Why.SEVERAL, text)
    text = f"--infant must be one of those in bed {state.bed}: {listed}; another needs an ADT message"
    raise CannotRelease(Why.NOT_THERE, text)


def number_of(infant: Infant) -> str:
    """An infant's first number as a person writes it, with its authority where there is one."""
    first = infant.identifiers[0]
    return f"{first.value}|{first.assigning_authority}" if first.assigning_authority else first.value
