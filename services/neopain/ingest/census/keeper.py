"""Applies census events: read, decide (``domain.occupancy``), write if nobody else wrote meanwhile, else again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from neopain.bus.bus import Bus
from neopain.bus.census import Written, read_census, write_beds
from neopain.domain.census import BedState, CensusEvent
from neopain.domain.occupancy import apply
from neopain.errors import BusUnavailable
from neopain.runtime.log import Log

LOG = Log(__name__)

MOST_TRIES = 100


async def keep(
    bus: Bus, event: CensusEvent, *, mark: str, check: Callable[[], Awaitable[None]] | None = None
) -> tuple[BedState, ...]:
    """Applies the event once: the new states are on disk when this returns; none if it changed nothing or was a repeat.

    ``mark`` names the event among all others. ``check`` may raise to prevent it: whatever is told after it has looked
    makes it look again. Raises ``BusUnavailable`` when the bus does not answer, or others write so busily that this
    event found no turn.
    """
    for _ in range(MOST_TRIES):
        census = await read_census(bus)
        if check is not None:
            await check()
        states = apply(census.beds, event)
        match await write_beds(bus, states, version=census.version, mark=mark):
            case Written.DONE:
                _tell(states, event)
                return states
            case Written.ALREADY:
                return ()
            case Written.CONFLICT:
                continue
    raise BusUnavailable(f"the census changed {MOST_TRIES} times under one event: try again")


def _tell(states: tuple[BedState, ...], event: CensusEvent) -> None:
    for state in states:
        occupied = "held" if state.is_held else "occupied" if state.infant else "empty"
        log = LOG.warning if state.is_held else LOG.info
        log("census_changed", bed=state.bed, state=occupied, why=state.held_reason, kind=event.kind.value)
