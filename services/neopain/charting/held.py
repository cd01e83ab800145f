"""A person at the entries that charting holds: looks at them, or decides that nothing is charted of one.

Whose they are is for the census to say: by a message, or by a person who lets the bed go (``neopain beds release``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Row, select

from neopain.charting.audit.chain import AuditEvent
from neopain.charting.database import translated
from neopain.charting.entries import EntryState, leave_standing, standing_entry
from neopain.charting.entry_rows import shown_entry
from neopain.charting.looks import look_at_entry, record_look
from neopain.charting.tables import ENTRIES
from neopain.charting.unit_of_work import unit_of_work
from neopain.domain.identity import BedId
from neopain.errors import ConfigurationError
from neopain.runtime.clock import Clock


@dataclass(frozen=True, slots=True)
class HeldEntry:
    """An entry that is held, and why. ``infant`` is there where only the EHR is the wrong one; ``instead_of`` is the
    entry that was taken back or held before."""

    id: str
    bed: str
    kind: str
    begins: datetime
    ends: datetime
    held_since: datetime
    held_reason: str
    infant: str
    value: float | None
    low: float | None
    high: float | None
    absent_reason: str
    windows: int
    instead_of: str


def read_held(engine: Engine, *, bed: BedId | None, most: int) -> tuple[HeldEntry, ...]:
    """The oldest so many entries that are held, of a bed if one is given. ``DatabaseUnavailable``."""
    query = select(ENTRIES).where(ENTRIES.c.state == EntryState.HELD.value)
    if bed is not None:
        query = query.where(ENTRIES.c.bed == bed)
    with translated("reading held entries"), engine.connect() as connection:
        found = connection.execute(query.order_by(ENTRIES.c.ends, ENTRIES.c.entry_id).limit(most))
        return tuple(_held(row) for row in found)


def read_held_entry(engine: Engine, clock: Clock, entry_id: str, *, by: str) -> HeldEntry:
    """One entry that is held, who reads it being in the audit trail before.

    ``ConfigurationError`` when none of that id is. ``DatabaseUnavailable``: nothing may be told.
    """
    query = select(ENTRIES).where(ENTRIES.c.entry_id == entry_id, ENTRIES.c.state == EntryState.HELD.value)
    with unit_of_work(engine, clock) as unit:
        row = unit.connection.execute(query).one_or_none()
        record_look(unit.connection, clock, look_at_entry("held show", entry_id, row, by=by))
    if row is None:
        raise _unknown(entry_id)
    return _held(row)


def discard(engine: Engine, clock: Clock, entry_id: str, *, by: str, reason: str) -> None:
    """Ends a held entry: nothing is charted of it, whatever becomes known.

    ``ConfigurationError`` when none of that id is held (any more). ``DatabaseUnavailable``: nothing was changed.
    """
    with unit_of_work(engine, clock) as unit:
        entry = standing_entry(unit.connection, entry_id)
        if entry is None or not entry.is_held:
            raise _unknown(entry_id)
        leave_standing(unit.connection, entry, EntryState.DISCARDED)
        draft = entry.draft
        unit.audit(
            AuditEvent(
                event="entry_discarded",
                actor=by,
                entry_id=entry.id,
                patient=entry.key,
                detail={
                    "bed": draft.bed,
                    "kind": draft.kind.value,
                    "begin": draft.begin.isoformat(),
                    "end": draft.end.isoformat(),
                    "was_held": entry.held_reason,
                    "why": reason,
                },
            )
        )


def _unknown(entry_id: str) -> ConfigurationError:
    return ConfigurationError(f"no entry {entry_id} is held: see `neopain held list`")


def _held(row: Row[Any]) -> HeldEntry:
    return HeldEntry(
        **shown_entry(row),
        held_since=row.issued,
        windows=row.draft.get("windows", 0),
        instead_of=row.replaces or "",
    )
