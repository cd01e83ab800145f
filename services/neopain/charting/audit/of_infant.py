"""Who saw or changed what of an infant: the audit trail's rows about it, whatever numbers it has had.

Asking is a read of patient data itself, and is in the chain of reads before anybody is told.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from sqlalchemy import ColumnElement, Connection, Engine, Row, Text, and_, cast, exists, func, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from neopain.charting.audit.chain import AuditEvent, append
from neopain.charting.disclosures import READS
from neopain.charting.tables import AUDIT
from neopain.charting.unit_of_work import UnitOfWork, unit_of_work
from neopain.codecs.fhir.audit_event import ANOTHER, SEARCHED, detail_about, infants_of
from neopain.codecs.fhir.ids import patient_id_of_key
from neopain.errors import ConfigurationError
from neopain.runtime.clock import Clock

ASKED = "audit_of_infant_read"
RENUMBERED = "entry_renumbered"
PATIENTS = """
WITH RECURSIVE found AS (
  SELECT min(patient) AS patient FROM audit
  UNION ALL
  SELECT (SELECT min(audit.patient) FROM audit WHERE audit.patient > found.patient) FROM found
  WHERE found.patient IS NOT NULL
) SELECT patient FROM found WHERE patient IS NOT NULL
"""
"""The infants that rows are about, each found by the index: they are few beside the rows."""
AMONG_SEVERAL = """
SELECT DISTINCT split_part(infant, '|', 1) FROM audit, jsonb_array_elements_text(detail::jsonb -> 'infants') AS infant
WHERE patient = '' AND strpos(detail, '"infants":[') > 0 AND strpos(detail, :named) > 0
"""
"""The authorities of the infants in rows that are about several and in which the number stands; no index finds them."""
BY_NUMBER = ("identifier", "patient.identifier", "subject.identifier")
"""Parameters of a search that name infants by their numbers."""
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
    """One row: what was done, by whom; ``patient`` is authority|number as it was then. Other infants are left out."""

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
        found = infants_meant(unit.connection, asked.number, asked.authority)
        numbers = all_numbers(unit.connection, found[0]) if len(found) == 1 else ()
        append(unit.connection, [_asked(asked, numbers)], now=now, chain=READS)
    one_infant(found, asked.number, asked.authority)
    with unit_of_work(engine, clock) as unit:
        return ToldOf(numbers, _rows(unit.connection, asked, numbers))


def one_infant(found: Sequence[str], number: str, authority: str | None) -> str:
    """The one infant that was found; ``ConfigurationError`` when none was, or several."""
    if not found:
        of = "" if authority is None else f" of authority {authority or 'none'}"
        raise ConfigurationError(f"no row of the audit trail is about number {number}{of}")
    if len(found) > 1:
        named = ", ".join(one.partition("|")[0] or "none" for one in found)
        raise ConfigurationError(
            f"number {number} is in the audit trail for several authorities ({named}): say which with --authority"
        )
    return found[0]


def infants_meant(connection: Connection, number: str, authority: str | None) -> list[str]:
    """The infants whom the number may mean, as the audit trail names them (authority|number)."""
    authorities: Sequence[str | None] = [authority]
    if authority is None:
        authorities = sorted({*_authorities(connection), *_authorities_among_several(connection, number)})
    meant = [f"{one}|{number}" for one in authorities]
    return [one for one in meant if connection.scalar(select(exists().where(_is_about([one]))))]


def _authorities(connection: Connection) -> set[str]:
    return {one.partition("|")[0] for one in connection.scalars(text(PATIENTS)) if one}


def _authorities_among_several(connection: Connection, number: str) -> Sequence[str]:
    # It reads every row about several, which may be those of years.
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    return connection.scalars(text(AMONG_SEVERAL), {"named": f"|{json.dumps(number)[1:]}"}).all()


def all_numbers(connection: Connection, *first: str) -> tuple[str, ...]:
    """The numbers and those that were merged into them or that they were merged into (A40), in the order of finding."""
    numbers = list(first)
    for number in numbers:
        of_number = select(AUDIT.c.detail).where(AUDIT.c.patient == number, AUDIT.c.event == RENUMBERED)
        former = [str(json.loads(detail).get(FORMER, "")) for detail in connection.scalars(of_number)]
        of_later = select(AUDIT.c.patient).where(AUDIT.c.event == RENUMBERED, _was(number))
        later = connection.scalars(of_later.distinct())
        numbers += [one for one in dict.fromkeys([*former, *later]) if one and one not in numbers]
    return tuple(numbers)


def note_numbers(unit: UnitOfWork, infant: str, former: Iterable[str], *, actor: str) -> None:
    """Writes down which numbers were the infant's before (A40), where no row says so: it may have had no entries."""
    told = {(event.patient, event.detail.get(FORMER)) for event in unit.events if event.event == RENUMBERED}
    for number in former:
        of_both = _was(number) & (AUDIT.c.patient == infant) & (AUDIT.c.event == RENUMBERED)
        if (infant, number) not in told and not unit.connection.scalar(select(exists().where(of_both))):
            unit.audit(AuditEvent(RENUMBERED, actor, patient=infant, detail={FORMER: number}))


def _was(number: str) -> ColumnElement[bool]:
    return AUDIT.c.detail.contains(f'"{FORMER}":{json.dumps(number)}', autoescape=True)


def _rows(connection: Connection, asked: AskedOf, numbers: tuple[str, ...]) -> tuple[ToldRow, ...]:
    query = select(AUDIT).where(_is_about(numbers))
    if asked.since is not None:
        query = query.where(AUDIT.c.recorded >= asked.since)
    if asked.until is not None:
        query = query.where(AUDIT.c.recorded < asked.until)
    in_order = query.order_by(AUDIT.c.recorded, AUDIT.c.chain, AUDIT.c.position)
    return tuple(_told(row, numbers) for row in connection.execute(in_order))


def _told(row: Row[Any], numbers: tuple[str, ...]) -> ToldRow:
    detail: dict[str, object] = json.loads(row.detail)
    if row.event == SEARCHED:
        detail["asked"] = _asked_about(str(detail.get("asked", "")), numbers)
    own = [one for one in infants_of(row.patient, detail) if one in numbers]
    return ToldRow(
        place=f"{row.chain}/{row.position}",
        recorded=row.recorded,
        event=row.event,
        actor=row.actor,
        entry_id=row.entry_id,
        patient=own[0],
        detail=detail_about(detail, numbers),
    )


def _asked_about(asked: str, numbers: Collection[str]) -> str:
    """A search as it may be told of one infant: without the numbers of others that it was for, too."""
    what, _, query = asked.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    own = {number.partition("|")[2] for number in numbers}
    told = [(name, _without_others(value, own) if name in BY_NUMBER else value) for name, value in pairs]
    return asked if told == pairs else f"{what}?{urlencode(told)}"


def _without_others(values: str, own: Collection[str]) -> str:
    tokens = (token if token.rpartition("|")[2] in own else ANOTHER for token in values.split(","))
    return ",".join(dict.fromkeys(tokens))


def is_about_one_of(ids: Collection[str]) -> ColumnElement[bool]:
    """Whether a row that is about several infants is about one with such an id (``codecs.fhir.ids``)."""
    infants = func.audit_infant_ids(AUDIT.c.detail, type_=ARRAY(Text))
    return and_(AUDIT.c.patient == "", infants.overlap(cast(list(ids), ARRAY(Text))))


def _is_about(numbers: Collection[str]) -> ColumnElement[bool]:
    return or_(AUDIT.c.patient.in_(numbers), is_about_one_of([patient_id_of_key(one) for one in numbers]))


def _asked(asked: AskedOf, numbers: Sequence[str]) -> AuditEvent:
    return AuditEvent(
        event=ASKED,
        actor=asked.by,
        infants=numbers,
        detail={
            "number": asked.number,
            "authority": asked.authority,
            "since": asked.since.isoformat() if asked.since else "",
            "until": asked.until.isoformat() if asked.until else "",
            "why": asked.reason,
        },
    )
