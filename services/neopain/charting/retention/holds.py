"""Legal holds: infants of whom nothing is deleted until a person says so.

A hold is a row for each number of the infant. Numbers that are merged with one of them (A40) are held too: every
deletion begins with looking for such.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Engine, exists, func, insert, select, text, update

from neopain.charting.audit.chain import AuditEvent
from neopain.charting.audit.of_infant import all_numbers, infants_meant, one_infant
from neopain.charting.database import translated
from neopain.charting.tables import LEGAL_HOLDS
from neopain.charting.unit_of_work import UnitOfWork, unit_of_work
from neopain.errors import ConfigurationError
from neopain.runtime.clock import Clock

PLACED = "legal_hold_placed"
EXTENDED = "legal_hold_extended"
RELEASED = "legal_hold_released"
OURSELVES = "charting"
IN_FORCE = LEGAL_HOLDS.c.released.is_(None)
LOCK = 7_305_109
"""Of whoever places a hold, or deletes by what is held."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold in force: since when, by whom and why. ``numbers``: how many the infant has had."""

    id: str
    placed: datetime
    by: str
    reason: str
    numbers: int


def place_hold(engine: Engine, clock: Clock, number: str, authority: str | None, *, by: str, reason: str) -> Hold:
    """Keeps everything about the infant from now on: waits for a deletion that has looked at the holds already.

    ``ConfigurationError`` when the audit trail does not know the number, or of several authorities.
    """
    now = clock.now()
    with unit_of_work(engine, clock) as unit:
        lock_holds(unit.connection)
        patient = one_infant(infants_meant(unit.connection, number, authority), number, authority)
        numbers = all_numbers(unit.connection, patient)
        hold = Hold(uuid.uuid4().hex, now, by, reason, len(numbers))
        _write(unit.connection, hold, numbers)
        unit.audit(AuditEvent(PLACED, by, detail={"hold": hold.id, "why": reason}, infants=numbers))
        return hold


def release_hold(engine: Engine, clock: Clock, hold_id: str, *, by: str, reason: str) -> None:
    """Ends a hold: from now on what is due is deleted. ``ConfigurationError`` when none of that id is in force."""
    of_hold = (LEGAL_HOLDS.c.hold_id == hold_id, IN_FORCE)
    with unit_of_work(engine, clock) as unit:
        values = {"released": clock.now(), "released_by": by, "release_reason": reason}
        released = update(LEGAL_HOLDS).where(*of_hold).values(values).returning(LEGAL_HOLDS.c.patient)
        numbers = unit.connection.scalars(released).all()
        if not numbers:
            raise ConfigurationError(f"no hold {hold_id} is in force: see `neopain retention show`")
        unit.audit(AuditEvent(RELEASED, by, detail={"hold": hold_id, "why": reason}, infants=numbers))


def read_holds(engine: Engine) -> list[Hold]:
    """The holds in force, the oldest first; not whom they are about. ``DatabaseUnavailable``."""
    columns = LEGAL_HOLDS.c
    query = select(
        columns.hold_id, func.min(columns.placed), func.min(columns.placed_by), func.min(columns.reason), func.count()
    )
    with translated("reading holds"), engine.connect() as connection:
        found = connection.execute(query.where(IN_FORCE).group_by(columns.hold_id).order_by(func.min(columns.placed)))
        return [Hold(*row) for row in found]


def lock_holds(connection: Connection) -> None:
    """Has no hold placed until the transaction ends."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})


def held_now(connection: Connection) -> frozenset[str]:
    """The numbers of all infants that are held, with those that were merged with them since."""
    return frozenset(number for held, news in _in_force(connection).values() for number in (*held, *news))


def extend_holds(unit: UnitOfWork, *, now: datetime) -> None:
    """Holds those numbers too that were merged with held ones since; what is deleted goes by ``is_held`` after that."""
    for (hold_id, reason), (_, news) in _in_force(unit.connection).items():
        if news:
            _write(unit.connection, Hold(hold_id, now, OURSELVES, reason, len(news)), news)
            unit.audit(AuditEvent(EXTENDED, OURSELVES, detail={"hold": hold_id}, infants=news))


def _in_force(connection: Connection) -> dict[tuple[str, str], tuple[list[str], list[str]]]:
    """Of each hold (id, reason) the numbers that it has, and those that it lacks."""
    columns = LEGAL_HOLDS.c
    known: dict[tuple[str, str], list[str]] = {}
    for row in connection.execute(select(columns.hold_id, columns.reason, columns.patient).where(IN_FORCE)):
        known.setdefault((row.hold_id, row.reason), []).append(row.patient)
    return {
        hold: (numbers, [one for one in all_numbers(connection, *numbers) if one not in numbers])
        for hold, numbers in known.items()
    }


def is_held(patient: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether an infant, by its key (authority|number), is held."""
    return exists().where(LEGAL_HOLDS.c.patient == patient, IN_FORCE)


def _write(connection: Connection, hold: Hold, numbers: Iterable[str]) -> None:
    rows = [
        {"hold_id": hold.id, "patient": one, "placed": hold.placed, "placed_by": hold.by, "reason": hold.reason}
        for one in numbers
    ]
    connection.execute(insert(LEGAL_HOLDS), rows)
