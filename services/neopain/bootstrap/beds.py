"""Who lies where, and the release of a held bed by a person: ``neopain beds``."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from neopain.bootstrap.looks import tell_look
from neopain.bus.bus import Bus
from neopain.bus.census import read_census
from neopain.domain.census import BedState, Infant
from neopain.domain.identity import BedId, PatientId
from neopain.ingest.census.release import ReleaseWanted, number_of, release
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
    value, _, authority = options.infant.partition("|")
    named = PatientId(value, authority) if options.infant else None
    bus = Bus(read_settings(BusSettings).address())
    try:
        await bus.check_durable()
        wanted = ReleaseWanted(BedId(options.bed), options.by, options.reason, named)
        return await release(bus, wanted, now=SystemClock().now())
    finally:
        await bus.aclose()


def _as_line(state: BedState) -> str:
    infants = " and ".join(number_of(one) for one in state.occupants) or "empty"
    held_since = f" since {state.held_since:%Y-%m-%d %H:%M:%S}Z" if state.held_since else ""
    held = f"HELD{held_since}: {state.held_reason}" if state.is_held else ""
    return "  ".join(filter(None, (state.bed, infants, f"since {state.since:%Y-%m-%d %H:%M:%S}Z", held)))


def _as_fields(state: BedState) -> dict[str, object]:
    return {
        "bed": state.bed,
        "infants": [number_of(one) for one in state.occupants],
        "since": state.since.isoformat(),
        "held_reason": state.held_reason,
        "held_since": state.held_since.isoformat() if state.held_since else None,
        "disputes": [
            {"source": one.source, "reason": one.reason, "patient": number_of(Infant((one.patient,))), "bed": one.bed}
            for one in (*state.disputes, *state.contradicting)
        ],
        "processing": state.processing.value,
    }
