"""The registry of vital signs' codes that is in force, and what came and is not in it: ``neopain codes``."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from neopain.bus.bus import Bus
from neopain.bus.unknown_codes import SeenCode, list_unknown
from neopain.codecs.hl7v2.codes import VitalCodes, unit_factor
from neopain.codecs.hl7v2.observation import row_of
from neopain.codecs.hl7v2.site_codes import site_row
from neopain.domain.vitals import VitalKind
from neopain.ingest.hl7.vitals import read_codes
from neopain.ingest.settings import IngestSettings
from neopain.runtime.settings import BusSettings, read_settings


def list_codes(*, only_unknown: bool, as_json: bool) -> int:
    """Prints the rows in force, as the site's file would have them, then what came and no row knows, most frequent
    first; exit 2 by ``ConfigurationError`` when the site's file cannot be used."""
    known = read_codes(read_settings(IngestSettings).vital_codes)
    if not only_unknown:
        for row in known.by_code.values():
            _print({"status": "known", **site_row(row)}, as_json=as_json)
    for seen in asyncio.run(_unknown()):
        if status := _status(seen, known):
            _print({"status": status, **_unknown_row(seen)}, as_json=as_json)
    return 0


def _status(seen: SeenCode, known: VitalCodes) -> str:
    """What is not known of it; empty where rows that were added since it came leave nothing."""
    row, is_contradictory = row_of(seen.code, seen.name, seen.system, known=known)
    if row is None:
        return "unknown"
    if is_contradictory:
        return "code and name differ"
    return "unit unknown" if isinstance(row.kind, VitalKind) and unit_factor(row.kind, (seen.unit,)) is None else ""


def _unknown_row(seen: SeenCode) -> dict[str, Any]:
    return {
        "system": seen.system,
        "code": seen.code,
        "name": seen.name,
        "unit": seen.unit,
        "source": str(seen.source),
        "count": seen.count,
        "last_seen": seen.last_seen.isoformat(),
    }


def _print(fields: dict[str, Any], *, as_json: bool) -> None:
    print(json.dumps(fields) if as_json else "  ".join(str(value) or "-" for value in fields.values()))


async def _unknown() -> list[SeenCode]:
    bus = Bus(read_settings(BusSettings).address())
    try:
        return await list_unknown(bus)
    finally:
        await bus.aclose()
