"""What happens to beds in the tests: census events one minute after another, and who lies where after them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from neopain.domain.census import Census, CensusEvent, CensusEventKind, Infant
from neopain.domain.identity import BedId
from neopain.domain.occupancy import apply

BEGIN = datetime(2026, 7, 4, 12, 0, tzinfo=UTC)
ONE, TWO, THREE = BedId("NICU/1/1"), BedId("NICU/1/2"), BedId("NICU/1/3")


def minute(number: int) -> datetime:
    return BEGIN + timedelta(minutes=number)


def event(kind: CensusEventKind, who: Infant, bed: BedId | None = None, **more: object) -> CensusEvent:
    return CensusEvent(kind, who, BEGIN, bed, **more)  # type: ignore[arg-type]


def after(*events: CensusEvent, since: Census | None = None) -> Census:
    """The census after the events, one a minute."""
    census = dict(since or {})
    for number, one in enumerate(events, start=len(census) and 100):
        census |= {state.bed: state for state in apply(census, replace(one, occurred=minute(number)))}
    return census


def lying(census: Census) -> dict[BedId, list[str]]:
    """The first number of everybody in each bed that is not empty."""
    return {
        bed: [one.identifiers[0].value for one in state.occupants]
        for bed, state in sorted(census.items())
        if state.infant
    }
