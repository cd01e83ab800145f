"""Dropping a month of the audit trail: a signed checkpoint stands instead of it, in the same transaction.

A month that names a held infant stays whole: rows of a chain cannot go one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from sqlalchemy import ColumnElement, Connection, Engine, and_, exists, func, insert, or_, select, table, text

from neopain.charting.audit.chain import AuditEvent
from neopain.charting.audit.checkpoint import Checkpoint, Piece, sign
from neopain.charting.audit.months import Month, months_kept
from neopain.charting.audit.of_infant import is_about_one_of
from neopain.charting.audit.rows import chains_of, read_rows
from neopain.charting.audit.walk import pieces_of
from neopain.charting.database import translated
from neopain.charting.retention.holds import extend_holds, held_now
from neopain.charting.tables import AUDIT, AUDIT_CHECKPOINTS, AUDIT_HEADS
from neopain.charting.unit_of_work import unit_of_work
from neopain.codecs.fhir.ids import patient_id_of_key
from neopain.errors import DatabaseUnavailable
from neopain.runtime.clock import Clock

DROPPED = "audit_month_dropped"


def months_due(
    connection: Connection, held: Collection[str], *, kept: int, now: datetime
) -> Iterator[tuple[Month, bool]]:
    """The months older than so many before this one, the oldest first, and whether a held infant keeps each."""
    oldest = Month.of(now).after(-kept)
    for month in months_kept(connection):
        if month < oldest:
            yield month, _names(connection, month, held)


def drop_month(engine: Engine, clock: Clock, month: Month, key: EllipticCurvePrivateKey, *, by: str) -> int | None:
    """Drops the month's partition; returns how many rows it had, None when a held infant keeps it.

    Whoever calls has verified the trail. ``DatabaseUnavailable``: nothing has happened, try again.
    """
    now = clock.now()
    pieces = _pieces(engine, month)
    rows = sum(piece.last - piece.first + 1 for piece in pieces)
    checkpoint = Checkpoint(str(month), now.isoformat(), by, rows, pieces)
    with unit_of_work(engine, clock) as unit:
        connection = unit.connection
        # In the order in which writers take them, and the whole table only for the drop itself.
        connection.execute(select(AUDIT_HEADS.c.chain).order_by(AUDIT_HEADS.c.chain).with_for_update()).all()
        connection.execute(text(f"LOCK TABLE {month.partition} IN ACCESS EXCLUSIVE MODE"))
        extend_holds(unit, now=now)
        if _names(connection, month, held_now(connection)):
            return None
        if connection.scalar(select(func.count()).select_from(table(month.partition))) != rows:
            raise DatabaseUnavailable(f"rows came into the audit's month {month} while it was read: try again")
        signed = {"month": str(month), "made": now, "statement": sign(checkpoint, key)}
        connection.execute(insert(AUDIT_CHECKPOINTS), [signed])
        connection.execute(text(f"DROP TABLE {month.partition}"))
        unit.audit(AuditEvent(DROPPED, by, detail={"month": str(month), "rows": rows}))
        return rows


def _pieces(engine: Engine, month: Month) -> tuple[Piece, ...]:
    with translated("reading a month of the audit trail"), engine.connect() as raw:
        connection = raw.execution_options(isolation_level="REPEATABLE READ")
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        return tuple(
            piece
            for chain in chains_of(connection)
            for piece in pieces_of(read_rows(connection, AUDIT.c.chain == chain, *_within(month)))
        )


def _names(connection: Connection, month: Month, held: Collection[str]) -> bool:
    if not held:
        return False
    is_one = or_(AUDIT.c.patient.in_(held), is_about_one_of([patient_id_of_key(one) for one in held]))
    return bool(connection.scalar(select(exists().where(and_(is_one, *_within(month))))))


def _within(month: Month) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return AUDIT.c.recorded >= month.begin, AUDIT.c.recorded < month.after(1).begin
