"""A person's looks at patient data by the command line, in the audit trail's chain of reads before anything is told."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row

from neopain.charting.audit.chain import AuditEvent, append
from neopain.charting.disclosures import READS
from neopain.charting.entry_rows import key_of_row
from neopain.runtime.clock import Clock

ENTRY_READ = "entry_read"


def record_look(connection: Connection, clock: Clock, event: AuditEvent) -> None:
    """Writes a look down within the open transaction; to be told is what was read in it, once it is committed."""
    append(connection, [event], now=clock.now(), chain=READS)


def look_at_entry(asked: str, entry_id: str, row: Row[Any] | None, *, by: str) -> AuditEvent:
    """A look at an entry by its row of ``entries``; None where there is none: that somebody asked is written down."""
    return AuditEvent(
        ENTRY_READ,
        by,
        entry_id=entry_id,
        patient=key_of_row(row) if row is not None else "",
        detail={"asked": asked},
    )
