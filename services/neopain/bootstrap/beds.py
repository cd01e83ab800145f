"""Who lies where, and the release of a held bed by a person: ``neopain beds``."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass
from datetime import datetime

from neopain.bootstrap.looks import tell_look
from neopain.bus.bus import Bus
from neopain.bus.census import read_census
from neopain.domain.census import BedState, CensusEvent, CensusEventKind, Infant, Release
from neopain.domain.identity import BedId, PatientId
from neopain.errors import ConfigurationError
from neopain.ingest.census.keeper import keep
from neopain.runtime.clock import SystemClock
from neopain.runtime.settings import BusSettings, read_settings


@dataclass(frozen=True, slots=True)
class ReleaseOptions:
    """What the person decided; ``infant`` is needed where several lie in the bed."""

    bed: str
    by: str
    reason: str
    infant: str = ""


def list_beds(*, only_held: bool, by: str, as_json: bool) -> int:
    """Prints one line for each bed that was ever named, held ones with their reason: patient data, and audited."""
    for state in asyncio.run(_beds(only_held=only_held, by=by)):
        print(json.dumps(_as_fields(state)) if as_json else _as_line(state))
    return 0


def release_bed(options: ReleaseOptions) -> int:
    """Writes the person's decision to the census; ``ConfigurationError`` where there is nothing to decide that way."""
    state = asyncio.run(_released(options))
    print(_as_line(state))
    return 0


async def _beds(*, only_held: bool, by: str) -> list[BedState]:
    bus = Bus(read_settings(BusSettings).address())
    try:
        census = await read_census(bus)
        found = [state for state in census.beds.values() if state.is_held or not only_held]
        told = [number for state in found for infant in state.occupants for number in infant.identifiers]
        told += [one.patient for state in found for one in (*state.disputes, *state.contradicting)]
        await tell_look(bus, "beds", told, by=by)
    finally:
        await bus.aclose()
    return sorted(found, key=lambda state: state.bed)


async def _released(options: ReleaseOptions) -> BedState:
    bus = Bus(read_settings(BusSettings).address())
    try:
        await bus.check()
        census = await read_census(bus)
        event = _decision(census.beds.get(BedId(options.bed)), options, now=SystemClock().now())
        states = await keep(bus, event, mark=f"release/{uuid.uuid4().hex}")
    finally:
        await bus.aclose()
    decided = next((state for state in states if state.bed == event.bed), None)
    if decided is None:
        raise ConfigurationError(f"bed {options.bed} has changed meanwhile: look at `neopain beds` again")
    return decided


def _decision(state: BedState | None, options: ReleaseOptions, *, now: datetime) -> CensusEvent:
    if state is None:
        raise ConfigurationError(f"bed {options.bed} is in no message so far: see `neopain beds` for the beds that are")
    if not state.is_held:
        raise ConfigurationError(f"bed {state.bed} is not held: there is nothing to release")
    return CensusEvent(
        kind=CensusEventKind.RELEASED,
        infant=_chosen(state, options.infant),
        occurred=now,
        bed=state.bed,
        processing=state.processing,
        release=Release(options.by, options.reason),
    )


def _chosen(state: BedState, number: str) -> Infant:
    """The occupant that the person means; a person decides between those whom ADT names, and places nobody."""
    value, _, authority = number.partition("|")
    named = PatientId(value, authority)
    found = [one for one in state.occupants if not number or one.is_same_as(named)]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(_number(one) for one in state.occupants)
    if not number:
        raise ConfigurationError(f"bed {state.bed} has several infants: say with --infant which of {listed} lies there")
    raise ConfigurationError(
        f"--infant must be one of those in bed {state.bed}: {listed}; another needs an ADT message"
    )


def _number(infant: Infant) -> str:
    first = infant.identifiers[0]
    return f"{first.value}|{first.assigning_authority}" if first.assigning_authority else first.value


def _as_line(state: BedState) -> str:
    infants = " and ".join(_number(one) for one in state.occupants) or "empty"
    held_since = f" since {state.held_since:%Y-%m-%d %H:%M:%S}Z" if state.held_since else ""
    held = f"HELD{held_since}: {state.held_reason}" if state.is_held else ""
    return "  ".join(filter(None, (state.bed, infants, f"since {state.since:%Y-%m-%d %H:%M:%S}Z", held)))


def _as_fields(state: BedState) -> dict[str, object]:
    return {
        "bed": state.bed,
        "infants": [_number(one) for one in state.occupants],
        "since": state.since.isoformat(),
        "held_reason": state.held_reason,
        "held_since": state.held_since.isoformat() if state.held_since else None,
        "disputes": [
            {"source": one.source, "reason": one.reason, "patient": _number(Infant((one.patient,))), "bed": one.bed}
            for one in (*state.disputes, *state.contradicting)
        ],
        "processing": state.processing.value,
    }
