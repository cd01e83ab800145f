"""What is due by the site's settings, and doing it. Each step is a transaction: a run that was killed goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, text

from neopain.charting.audit.checkpoint import read_signing_key, read_trusted_keys
from neopain.charting.audit.months import Month
from neopain.charting.audit.verify import verify_audit
from neopain.charting.database import translated
from neopain.charting.retention.holds import held_now
from neopain.charting.retention.months import drop_month, months_due
from neopain.charting.retention.rows import CLASSES, RowClass, count_due, delete_batch
from neopain.charting.settings import ChartingSettings
from neopain.charting.unit_of_work import unit_of_work
from neopain.errors import ConfigurationError
from neopain.runtime.clock import Clock

Say = Callable[[str], None]
AUDIT_CLASS = "audit"
OWNS = "SELECT current_user, pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'audit'::regclass"


@dataclass(frozen=True, slots=True)
class Due:
    """Of a class of data: how long it is kept ("" for good), what is due, and what is kept since an infant is held."""

    name: str
    kept: str
    unit: str
    due: int
    held: int
    months: tuple[str, ...] = ()


def what_is_due(engine: Engine, clock: Clock, settings: ChartingSettings) -> list[Due]:
    """Every class, and what a run would delete of it now; nothing is changed. ``DatabaseUnavailable``."""
    now = clock.now()
    with translated("looking at what is due"), engine.connect() as connection:
        rows = [_rows_due(connection, one, settings, now=now) for one in CLASSES]
        return [*rows, _months_due(connection, settings, now=now)]


def run_retention(engine: Engine, clock: Clock, settings: ChartingSettings, *, by: str, say: Say) -> None:
    """Deletes what is due and says what was deleted, step by step; to be run by the tables' owner.

    ``ConfigurationError`` when the database's role does not own them, when months of the audit are due and there is no
    key to sign, or when the trail is not whole; rows are deleted before the last two. ``DatabaseUnavailable``: run it
    again, what was done is done.
    """
    _require_owner(engine)
    if (settings.retention_entries_days, settings.retention_alerts_days) == (None, None):
        # The audit trail is kept no shorter than they are.
        say("everything is kept for good: see NEOPAIN_CHARTING_RETENTION_*")
    for one in CLASSES:
        before = _before(one, settings, now=clock.now())
        if before is None:
            continue
        deleted = 0
        while count := _delete(engine, clock, one, before=before, by=by):
            deleted += count
        say(f"{one.name}: {deleted} deleted, from before {before:%Y-%m-%d}")
    if settings.retention_audit_months is not None:
        _drop_months(engine, clock, settings, by=by, say=say)


def _require_owner(engine: Engine) -> None:
    with translated("looking at who owns the tables"), engine.connect() as connection:
        role, is_owner = connection.execute(text(OWNS)).one()
    if not is_owner:
        raise ConfigurationError(
            f"role {role} deletes nothing: run it with the URL of the role that migrates, which owns the tables"
        )


def _delete(engine: Engine, clock: Clock, rows: RowClass, *, before: datetime, by: str) -> int:
    with unit_of_work(engine, clock) as unit:
        return delete_batch(unit, rows, before=before, by=by, now=clock.now())


def _drop_months(engine: Engine, clock: Clock, settings: ChartingSettings, *, by: str, say: Say) -> None:
    with translated("looking at what is due"), engine.connect() as connection:
        due = _due_months(connection, settings, now=clock.now())
    wanted = [month for month, is_held in due if not is_held]
    if held := ", ".join(str(month) for month, is_held in due if is_held):
        say(f"{AUDIT_CLASS}: {held} kept for holds")
    if not wanted:
        say(f"{AUDIT_CLASS}: no month is due")
        return
    if settings.audit_signing_key is None:
        raise ConfigurationError(
            f"{len(wanted)} months of the audit trail are due: NEOPAIN_CHARTING_AUDIT_SIGNING_KEY names the key that "
            "signs what stands instead of them"
        )
    key = read_signing_key(settings.audit_signing_key)
    trusted = read_trusted_keys(settings.audit_public_keys, settings.audit_signing_key)
    found = verify_audit(settings.database_url, anchor_path=settings.audit_anchor_path, trusted=trusted)
    if not found.is_whole:
        raise ConfigurationError(f"no month is dropped: {found.as_text()}")
    for month in wanted:
        rows = drop_month(engine, clock, month, key, by=by)
        say(f"{AUDIT_CLASS}: {month} " + ("kept for a hold" if rows is None else f"dropped, {rows} rows, signed"))


def _rows_due(connection: Connection, rows: RowClass, settings: ChartingSettings, *, now: datetime) -> Due:
    before = _before(rows, settings, now=now)
    if before is None:
        return Due(rows.name, "", "rows", 0, 0)
    due, held = count_due(connection, rows, before=before)
    return Due(rows.name, f"{(now - before).days} days", "rows", due, held)


def _months_due(connection: Connection, settings: ChartingSettings, *, now: datetime) -> Due:
    kept = settings.retention_audit_months
    if kept is None:
        return Due(AUDIT_CLASS, "", "months", 0, 0)
    found = _due_months(connection, settings, now=now)
    months = tuple(str(month) for month, is_held in found if not is_held)
    return Due(AUDIT_CLASS, f"{kept} months", "months", len(months), len(found) - len(months), months)


def _due_months(connection: Connection, settings: ChartingSettings, *, now: datetime) -> list[tuple[Month, bool]]:
    kept = settings.retention_audit_months
    return list(months_due(connection, held_now(connection), kept=kept, now=now)) if kept is not None else []


def _before(rows: RowClass, settings: ChartingSettings, *, now: datetime) -> datetime | None:
    days = settings.retention_alerts_days if rows.name == "alerts" else settings.retention_entries_days
    return now - timedelta(days=days) if days is not None else None
