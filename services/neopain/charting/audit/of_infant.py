"""Who saw or changed what of an infant: the audit trail's rows about it, whatever numbers it has had.

Asking is a read of patient data itself, and is in the chain of reads before anybody is told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Engine, select

from neopain.charting.audit.chain import AuditEvent, append
from neopain.charting.disclosures import READS
from neopain.charting.tables import AUDIT
from neopain.charting.unit_of_work import unit_of_work
from neopain.errors import ConfigurationError
from neopain.runtime.clock import Clock

ASKED = "audit_of_infant_read"
RENUMBERED = "entry_renumbered"
FORMER = "was_entry_of"
"""In the detail of ``RENUMBERED``: the number that the infant had before."""


@dataclass(frozen=True, slots=True)
class AskedOf:
    """Whose rows are wanted, by whom and why; ``until`` is not included. ``authority`` None: it is looked for."""

    number: str
    authority: str | None
    by: str
    reason: str
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ToldRow:
    """One row: what was done, by whom; ``patient`` is authority|number as it was then."""

    place: str
    recorded: datetime
    event: str
    actor: str
    entry_id: str
    patient: str
    detail: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ToldOf:
    """The rows about an infant in the order of time, and the numbers that it has had, that asked for first."""

    numbers: tuple[str, ...]
    rows: tuple[ToldRow, ...]


def read_rows_of(engine: Engine, clock: Clock, asked: AskedOf) -> ToldOf:
    """Writes down who asks and returns the rows.

    ``ConfigurationError`` when no row is about the number, or numbers of several authorities are meant; that is written
    down too. ``DatabaseUnavailable``: it is not written down, and nothing is told.
    """
    now = clock.now()
    with unit_of_work(engine, clock) as unit:
        found = _authorities(unit.connection, asked)
        numbers = _all_numbers(unit.connection, found[0]) if len(found) == 1 else ()
        append(unit.connection, [_asked(asked, one) for one in numbers or [""]], now=now, chain=READS)
    if not found:
        raise ConfigurationError(f"no row of the audit trail is about number {asked.number}{_of(asked.authority)}")
    if len(found) > 1:
        named = ", ".join(one.rpartition("|")[0] or "none" for one in found)
        raise ConfigurationError(
            f"number {asked.number} is in the audit trail for several authorities ({named}): say which with --authority"
        )
    with unit_of_work(engine, clock) as unit:
        return ToldOf(numbers, _rows(unit.connection, asked, numbers, before=now))


def _of(authority: str | None) -> str:
    return "" if authority is None else f" of authority {authority or 'none'}"


def _authorities(connection: Connection, asked: AskedOf) -> list[str]:
    """The infants whom the number may mean, as the audit trail names them."""
    if asked.authority is not None:
        is_meant: ColumnElement[bool] = AUDIT.c.patient == f"{asked.authority}|{asked.number}"
    else:
        is_meant = AUDIT.c.patient.endswith(f"|{asked.number}", autoescape=True)
    found = connection.scalars(select(AUDIT.c.patient).where(is_meant).distinct().order_by(AUDIT.c.patient))
    return [one for one in found if one.partition("|")[2] == asked.number]


def _all_numbers(connection: Connection, first: str) -> tuple[str, ...]:
    """The number and those that were merged into it or that it was merged into (A40), in the order of finding."""
    numbers = [first]
    for number in numbers:
        of_number = select(AUDIT.c.detail).where(AUDIT.c.patient == number, AUDIT.c.event == RENUMBERED)
        former = [str(json.loads(detail).get(FORMER, "")) for detail in connection.scalars(of_number)]
        was_so = AUDIT.c.detail.contains(f'"{FORMER}":{json.dumps(number)}', autoescape=True)
        later = connection.scalars(select(AUDIT.c.patient).where(AUDIT.c.event == RENUMBERED, was_so).distinct())
        numbers += [one for one in dict.fromkeys([*former, *later]) if one and one not in numbers]
    return tuple(numbers)


def _rows(connection: Connection, asked: AskedOf, numbers: tuple[str, ...], *, before: datetime) -> tuple[ToldRow, ...]:
    query = select(AUDIT).where(AUDIT.c.patient.in_(numbers), AUDIT.c.recorded <= before)
    if asked.since is not None:
        query = query.where(AUDIT.c.recorded >= asked.since)
    if asked.until is not None:
        query = query.where(AUDIT.c.recorded < asked.until)
    in_order = query.order_by(AUDIT.c.recorded, AUDIT.c.chain, AUDIT.c.position)
    return tuple(
        ToldRow(
            place=f"{row.chain}/{row.position}",
            recorded=row.recorded,
            event=row.event,
            actor=row.actor,
            entry_id=row.entry_id,
            patient=row.patient,
            detail=json.loads(row.detail),
        )
        for row in connection.execute(in_order)
    )


def _asked(asked: AskedOf, patient: str) -> AuditEvent:
    return AuditEvent(
        event=ASKED,
        actor=asked.by,
        patient=patient,
        detail={
            "number": asked.number,
            "authority": asked.authority,
            "since": asked.since.isoformat() if asked.since else "",
            "until": asked.until.isoformat() if asked.until else "",
            "why": asked.reason,
        },
    )
