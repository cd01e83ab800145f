"""Production and tests apart (MSH-11): nothing told in training or for debugging reaches an infant of production.

Each of the two sees the census without the infants of the other. A test message about a number or a bed of production
changes nothing. A production message takes over a bed that tests have filled, and ends what they say of its infant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from neopain.domain.bedside import taken_out
from neopain.domain.census import (
    MOST_DEPARTURES,
    BedState,
    Census,
    CensusEvent,
    CensusEventKind,
    Departure,
)
from neopain.domain.identity import PatientId
from neopain.domain.recognition import AT_ITS_BED
from neopain.domain.vitals import Processing


def seen(census: Census, event: CensusEvent) -> Census | None:
    """The census as the event may see it; None where the event must change nothing."""
    if event.kind is CensusEventKind.RELEASED:
        return census
    if _is_test(event.processing):
        return _of_tests(census, event)
    return census if event.kind in AT_ITS_BED else _of_production(census)


def rejoined(census: Census, view: Census, changed: Sequence[BedState], event: CensusEvent) -> list[BedState]:
    """The beds that were changed as seen, with what was not seen of them."""
    news = [state for state in changed if state != view.get(state.bed)]
    if _is_test(event.processing):
        news = [state for state in news if not _is_of_production(census.get(state.bed))]
    whole = [_with_unseen(state, view.get(state.bed), census.get(state.bed), event) for state in news]
    if _is_test(event.processing) or event.kind in AT_ITS_BED:
        return whole
    others = {bed: state for bed, state in census.items() if bed not in [one.bed for one in news]}
    tests = {bed: state for bed, state in others.items() if _is_test(state.processing)}
    return [*whole, *taken_out(tests, event)]


def _of_tests(census: Census, event: CensusEvent) -> Census | None:
    production = [state for state in census.values() if _is_of_production(state)]
    if any(state.bed == event.bed for state in production) or _lies_in(
        production, (*event.infant.identifiers, *event.prior)
    ):
        return None
    return {bed: _remembering(state, is_test=True) for bed, state in census.items() if not _is_of_production(state)}


def _of_production(census: Census) -> Census:
    """Beds that tests have filled are empty, but for their devices."""
    empty = {
        bed: BedState(bed, state.since, departures=state.departures, associations=state.associations)
        for bed, state in census.items()
        if state.infant is not None and _is_test(state.processing)
    }
    return {bed: _remembering(state, is_test=False) for bed, state in (census | empty).items()}


def _with_unseen(state: BedState, viewed: BedState | None, known: BedState | None, event: CensusEvent) -> BedState:
    if viewed is None or known is None:
        return state
    ousted = known.occupants if viewed.infant is None else ()
    gone = tuple(Departure(one, event.kind, event.heard, processing=known.processing) for one in ousted)
    unseen = tuple(one for one in known.departures if one not in viewed.departures)
    return replace(state, departures=(*state.departures, *gone, *unseen)[:MOST_DEPARTURES])


def _remembering(state: BedState, *, is_test: bool) -> BedState:
    """The bed with the departures of tests only, or of production only."""
    kept = tuple(one for one in state.departures if _is_test(one.processing) is is_test)
    return replace(state, departures=kept)


def _lies_in(states: Iterable[BedState], numbers: tuple[PatientId, ...]) -> bool:
    return any(one.has_any(numbers) for state in states for one in state.occupants)


def _is_test(processing: Processing) -> bool:
    return processing is not Processing.PRODUCTION


def _is_of_production(state: BedState | None) -> bool:
    return state is not None and state.infant is not None and not _is_test(state.processing)
