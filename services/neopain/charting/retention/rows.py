"""Deleting entries, alerts and procedures that are older than the site keeps them, a batch at a time, audited.

What a person is still needed for is kept however old it is: entries that are held, or have not reached the EHR.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Table,
    and_,
    delete,
    exists,
    func,
    not_,
    or_,
    select,
    text,
)

from neopain.charting.audit.chain import AuditEvent
from neopain.charting.entries import EntryState
from neopain.charting.outbox import DONE
from neopain.charting.procedures import ProcedureState
from neopain.charting.retention.holds import extend_holds, is_held, lock_holds
from neopain.charting.tables import (
    ALERT_EVENTS,
    ALERT_WATCHES,
    ALERTS,
    ENTRIES,
    ENTRY_STATUSES,
    OUTBOX,
    PROCEDURES,
    REVIEWS,
    STUDY_SCORES,
)
from neopain.charting.unit_of_work import UnitOfWork

DELETED = "retention_deleted"
MOST = 500
"""Deleted in one transaction."""


@dataclass(frozen=True, slots=True)
class RowClass:
    """A class of data: its table, its id and its age, what is deleted with it, and what else keeps a row."""

    name: str
    table: Table
    id: str
    moment: str
    with_it: tuple[Table, ...]
    is_kept: ColumnElement[bool]


def _key(table: FromClause) -> ColumnElement[str]:
    return func.coalesce(table.c.patient_authority, "") + "|" + table.c.patient_value


_NEWER = ENTRIES.alias("newer")
_IS_NEEDED = or_(
    ENTRIES.c.state == EntryState.HELD.value,
    exists().where(OUTBOX.c.entry_id == ENTRIES.c.entry_id, OUTBOX.c.state.not_in([one.value for one in DONE])),
    # Her own entry goes after the one that she reviewed; what a held infant's entry stands instead of stays with it.
    exists().where(REVIEWS.c.assessment_id == ENTRIES.c.entry_id),
    exists().where(STUDY_SCORES.c.suggestion_id == ENTRIES.c.entry_id),
    exists().where(_NEWER.c.replaces == ENTRIES.c.entry_id, is_held(_key(_NEWER))),
)
CLASSES = (
    RowClass(
        "entries", ENTRIES, "entry_id", "ends", (OUTBOX, ENTRY_STATUSES, REVIEWS, STUDY_SCORES, PROCEDURES), _IS_NEEDED
    ),
    RowClass(
        "alerts",
        ALERTS,
        "alert_id",
        "opened",
        (ALERT_EVENTS,),
        exists().where(ALERT_WATCHES.c.alert_id == ALERTS.c.alert_id),
    ),
    # Those that no entry came of: the others go with their entry.
    RowClass(
        "procedures",
        PROCEDURES,
        "procedure_id",
        "ends",
        (),
        or_(
            PROCEDURES.c.state == ProcedureState.WAITING.value,
            exists().where(ENTRIES.c.entry_id == PROCEDURES.c.entry_id),
        ),
    ),
)


def count_due(connection: Connection, rows: RowClass, *, before: datetime) -> tuple[int, int]:
    """How many rows are older: those that would be deleted, and those that are kept since their infant is held."""
    held = and_(_is_old(rows, before), is_held(_key(rows.table)))
    due = select(func.count()).select_from(_due(rows, before).subquery())
    kept = select(func.count()).select_from(rows.table).where(held)
    return int(connection.scalar(due) or 0), int(connection.scalar(kept) or 0)


def delete_batch(unit: UnitOfWork, rows: RowClass, *, before: datetime, by: str, now: datetime) -> int:
    """Deletes the oldest so many that are due, and writes that down; returns how many: 0 when none is left."""
    connection, table = unit.connection, rows.table
    lock_holds(connection)
    extend_holds(unit, now=now)
    found = connection.execute(_due(rows, before).limit(MOST).with_for_update(of=table)).all()
    if not found:
        return 0
    ids = [row.id for row in found]
    # Where the triggers that refuse it look: for this transaction only.
    connection.execute(text("SELECT set_config('neopain.retention', 'on', true)"))
    for other in rows.with_it:
        connection.execute(delete(other).where(other.c[rows.id].in_(ids)))
    connection.execute(delete(table).where(table.c[rows.id].in_(ids)))
    connection.execute(text("SELECT set_config('neopain.retention', 'off', true)"))
    unit.audit(_deleted(rows, [row.infant for row in found], len(found), before=before, by=by))
    return len(found)


def _due(rows: RowClass, before: datetime) -> Select[tuple[str, str]]:
    table = rows.table
    infant = _key(table)
    return (
        select(table.c[rows.id].label("id"), infant.label("infant"))
        .where(_is_old(rows, before), not_(is_held(infant)), not_(rows.is_kept))
        .order_by(table.c[rows.moment], table.c[rows.id])
    )


def _is_old(rows: RowClass, before: datetime) -> ColumnElement[bool]:
    return rows.table.c[rows.moment] < before


def _deleted(rows: RowClass, infants: Sequence[str | None], count: int, *, before: datetime, by: str) -> AuditEvent:
    return AuditEvent(
        event=DELETED,
        actor=by,
        detail={"class": rows.name, "before": before.isoformat(), "rows": count},
        infants=sorted({one for one in infants if one}),
    )
