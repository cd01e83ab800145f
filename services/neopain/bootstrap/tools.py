"""Small commands for the operator: the audit trail's check, the dead letters."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict

from neopain.bus.bus import Bus
from neopain.bus.deadletters import list_letters
from neopain.domain.deadletter import DeadLetter
from neopain.runtime.settings import BusSettings, read_settings


def audit_verify(*, as_json: bool) -> int:
    """Walks the chain of ``NEOPAIN_CHARTING_DATABASE_URL``; 0 when it is whole, 1 when a row is broken."""
    from neopain.charting.audit import verify_audit
    from neopain.charting.settings import ChartingSettings

    settings = read_settings(ChartingSettings)
    result = verify_audit(settings.database_url, anchor_path=settings.audit_anchor_path)
    print(json.dumps(asdict(result), default=str) if as_json else result.as_text())
    return 0 if result.is_whole else 1


def list_dead_letters(*, as_json: bool) -> int:
    """Prints the dead letters, oldest first; raw bytes only in JSON."""
    letters = asyncio.run(_letters())
    for letter_id, letter in letters:
        print(_as_json(letter_id, letter) if as_json else _as_line(letter_id, letter))
    return 0


async def _letters() -> list[tuple[str, DeadLetter]]:
    bus = Bus(read_settings(BusSettings).address())
    try:
        return await list_letters(bus)
    finally:
        await bus.aclose()


def _as_line(letter_id: str, letter: DeadLetter) -> str:
    place = f"{letter.location}: " if letter.location else ""
    when = f"{letter.received:%Y-%m-%d %H:%M:%S}Z"
    return "  ".join((letter_id, when, letter.origin, str(letter.source), f"{place}{letter.reason}"))


def _as_json(letter_id: str, letter: DeadLetter) -> str:
    fields = asdict(letter) | {"id": letter_id, "raw": letter.raw.decode("latin-1")}
    return json.dumps(fields, default=str)
