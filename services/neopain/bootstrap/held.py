"""Entries that are held since it is not known whose they are: ``neopain held``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime

from neopain.charting.desk import at_desk
from neopain.charting.held import HeldEntry, discard, read_held, read_held_entry
from neopain.charting.settings import ChartingSettings
from neopain.domain.identity import BedId
from neopain.runtime.clock import SystemClock
from neopain.runtime.settings import read_settings
from neopain.runtime.user import user


def list_held(*, bed: str, most: int, as_json: bool) -> int:
    """Prints a line for each held entry, oldest first, with the reason; no patient data."""
    with at_desk(_database_url()) as engine:
        entries = read_held(engine, bed=BedId(bed) if bed else None, most=most)
    for entry in entries:
        print(json.dumps(_listed(entry)) if as_json else _as_line(entry))
    return 0


def show_held(entry_id: str, *, by: str, as_json: bool) -> int:
    """Prints one held entry: patient data, and in the audit trail as read by this person or user.

    ``ConfigurationError`` when it is not held.
    """
    with at_desk(_database_url()) as engine:
        entry = read_held_entry(engine, SystemClock(), entry_id, by=by or f"user {user()}")
    print(json.dumps(asdict(entry), default=_said) if as_json else "\n".join(_as_page(entry)))
    return 0


def discard_held(entry_ids: list[str], *, by: str, reason: str) -> int:
    """Ends each of the entries; stops at the first that is not held (``ConfigurationError``)."""
    with at_desk(_database_url()) as engine:
        for entry_id in entry_ids:
            discard(engine, SystemClock(), entry_id, by=by, reason=reason)
            print(f"{entry_id}  discarded", flush=True)
    return 0


def _database_url() -> str:
    return read_settings(ChartingSettings).database_url


def _listed(entry: HeldEntry) -> dict[str, object]:
    return {
        "entry": entry.id,
        "bed": entry.bed,
        "kind": entry.kind,
        "begins": _said(entry.begins),
        "ends": _said(entry.ends),
        "held_since": _said(entry.held_since),
        "why": entry.held_reason,
        "instead_of": entry.instead_of,
    }


def _as_line(entry: HeldEntry) -> str:
    instead = f"instead of {entry.instead_of}" if entry.instead_of else ""
    stretch = f"{_said(entry.begins)} to {_said(entry.ends)}"
    return "  ".join(filter(None, (entry.id, entry.bed, entry.kind, stretch, entry.held_reason, instead)))


def _as_page(entry: HeldEntry) -> Iterator[str]:
    value = f"no value ({entry.absent_reason})"
    if entry.value is not None:
        value = f"{entry.value:.1f} ({entry.low:.1f} to {entry.high:.1f})"
    yield f"entry       {entry.id}"
    yield f"bed         {entry.bed}"
    yield f"infant      {entry.infant or 'not known'}"
    yield f"kind        {entry.kind}"
    yield f"from        {_said(entry.begins)}"
    yield f"to          {_said(entry.ends)}"
    yield f"value       {value}"
    yield f"windows     {entry.windows}"
    yield f"held since  {_said(entry.held_since)}"
    yield f"why         {entry.held_reason}"
    yield f"instead of  {entry.instead_of or '-'}"


def _said(moment: object) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z" if isinstance(moment, datetime) else ""
