"""What others may ask of charting's tables: counts, no patient data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import Engine, func, not_, select

from neopain.charting.database import connect, translated
from neopain.charting.entries import EntryState
from neopain.charting.outbox import CREATION, RowState
from neopain.charting.tables import ENTRIES, OUTBOX
from neopain.domain.identity import BedId


@dataclass(frozen=True, slots=True)
class EntryCounts:
    """The entries of a bed. ``entries`` are those that go to the EHR; ``held`` ones do not and are not among them."""

    entries: int = 0
    confirmed: int = 0
    rejected: int = 0
    held: int = 0
    accepted: int = 0
    """Acknowledged by an EHR that cannot be asked for them."""


def count_entries(database_url: str, *, since: datetime | None = None) -> dict[BedId, EntryCounts]:
    """The counts of each bed that has entries, of those issued since the moment if one is given.

    ``held`` also counts those for which the EHR has no patient. ``DatabaseUnavailable`` when there is no answer.
    """
    is_held = (ENTRIES.c.state == EntryState.HELD.value) | (OUTBOX.c.state == RowState.HELD.value)
    query = (
        select(
            ENTRIES.c.bed,
            func.count().filter(ENTRIES.c.state == EntryState.CHARTED.value, not_(ENTRIES.c.in_study)),
            func.count().filter(OUTBOX.c.state == RowState.CONFIRMED.value),
            func.count().filter(OUTBOX.c.state == RowState.REJECTED.value),
            func.count().filter(is_held),
            func.count().filter(OUTBOX.c.state == RowState.ACCEPTED.value),
        )
        .join_from(
            ENTRIES, OUTBOX, (OUTBOX.c.entry_id == ENTRIES.c.entry_id) & (OUTBOX.c.change == CREATION), isouter=True
        )
        .group_by(ENTRIES.c.bed)
    )
    if since is not None:
        query = query.where(ENTRIES.c.issued >= since)
    with translated("counting entries"), _engine(database_url).connect() as connection:
        return {BedId(bed): EntryCounts(*counts) for bed, *counts in connection.execute(query)}


@cache
def _engine(database_url: str) -> Engine:
    return connect(database_url, connections=1)
