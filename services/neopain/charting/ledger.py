"""What charting's tables say of every entry, to be held against what the EHR has; and a nurse who rejects some.

For proofs and measurements, on databases of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Row, func, select, text
from sqlalchemy.dialects.postgresql import aggregate_order_by

from neopain.charting.database import translated
from neopain.charting.outbox import CREATION, RowState
from neopain.charting.reviews import Review, review
from neopain.charting.tables import ENTRIES, OUTBOX
from neopain.charting.unit_of_work import unit_of_work
from neopain.domain.entry_status import EntryStatus
from neopain.domain.review import ReviewAct
from neopain.domain.reviewer import Reviewer
from neopain.runtime.clock import Clock

NURSE = Reviewer("proof", "https://proof.invalid", "a nurse of the proof")
AUDITED = text("SELECT event, count(*) FROM audit GROUP BY event")
SUMMED_UP = text("SELECT coalesce(sum(count), 0) FROM aggregates WHERE kind = 'score'")


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One entry. ``deliveries`` are the states of its outbox rows, the one that creates it first."""

    id: str
    patient: str
    begins: datetime
    state: str
    status: str
    deliveries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChartingLedger:
    """Entries, how many windows the aggregates of scores were made of, and rows of the audit trail by event."""

    entries: tuple[LedgerEntry, ...]
    windows_summed_up: int
    audited: dict[str, int]


def read_ledger(engine: Engine) -> ChartingLedger:
    """Everything. ``DatabaseUnavailable``."""
    deliveries = func.array_agg(aggregate_order_by(OUTBOX.c.state, OUTBOX.c.change))
    query = (
        select(ENTRIES, deliveries.label("deliveries"))
        .join_from(ENTRIES, OUTBOX, OUTBOX.c.entry_id == ENTRIES.c.entry_id, isouter=True)
        .group_by(ENTRIES.c.entry_id)
        .order_by(ENTRIES.c.begins)
    )
    with translated("reading the ledger"), engine.connect() as connection:
        entries = tuple(_entry(row) for row in connection.execute(query))
        audited = {str(event): int(rows) for event, rows in connection.execute(AUDITED)}
        return ChartingLedger(entries, int(connection.scalar(SUMMED_UP) or 0), audited)


def _entry(row: Row[Any]) -> LedgerEntry:
    return LedgerEntry(row.entry_id, row.patient_value or "", row.begins, row.state, row.status, tuple(row.deliveries))


def count_undelivered(engine: Engine) -> int:
    """How many rows have not reached the EHR. ``DatabaseUnavailable``."""
    query = select(func.count()).where(OUTBOX.c.state != RowState.CONFIRMED.value)
    with translated("counting what is not delivered"), engine.connect() as connection:
        return int(connection.scalar(query) or 0)


def reject_some(engine: Engine, clock: Clock, *, every: int, most: int = 50) -> int:
    """Has a nurse reject every so many-th of the confirmed entries that nobody has judged; returns how many.

    Which ones is decided by their ids. ``DatabaseUnavailable``.
    """
    is_meant = func.mod(func.abs(func.hashtext(ENTRIES.c.entry_id)), every) == 0
    query = (
        select(ENTRIES.c.entry_id)
        .join(OUTBOX, (OUTBOX.c.entry_id == ENTRIES.c.entry_id) & (OUTBOX.c.change == CREATION))
        .where(OUTBOX.c.state == RowState.CONFIRMED.value, ENTRIES.c.status == EntryStatus.PRELIMINARY.value, is_meant)
        .limit(most)
    )
    with translated("choosing entries"), engine.connect() as connection:
        chosen = list(connection.scalars(query))
    for entry_id in chosen:
        with unit_of_work(engine, clock) as unit:
            row = unit.connection.execute(select(ENTRIES).where(ENTRIES.c.entry_id == entry_id).with_for_update()).one()
            wanted = Review(ReviewAct.REJECT, NURSE, row.version, "the infant was being washed")
            review(unit, row, wanted, now=clock.now())
    return len(chosen)
