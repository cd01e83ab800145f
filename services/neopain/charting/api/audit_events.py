"""The audit trail out of the database, as AuditEvents."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Connection, Row, Select, Text, and_, case, false, func, or_, select, tuple_

from neopain.charting.api.found import Condition, Found, Page, any_date, any_of
from neopain.charting.api.scene import Scene
from neopain.charting.audit.of_infant import is_about_one_of
from neopain.charting.tables import AUDIT
from neopain.codecs.fhir.audit_event import EVENTS, INTERACTIONS, READ, SEARCHED, AuditRow, audit_event_of
from neopain.codecs.fhir.authority import authorities_of
from neopain.codecs.fhir.cursor import Place
from neopain.codecs.fhir.ids import patient_id_of_key
from neopain.codecs.fhir.refusal import bad_request
from neopain.codecs.fhir.search import Criterion, Dates, References, Search, Token, Tokens

OWN_ID = re.compile(r"([a-z]+)-([0-9]{1,18})(?:-([1-9][0-9]{0,8}))?")
"""Chain, position, and of a row about several infants the number of the part."""
BY_PART = {"patient", "patient.identifier", "_id"}
"""Parameters that ask for parts of rows."""
OF_REST = {"read": READ, "search-type": SEARCHED}
"""Our events by their interaction."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of rows about several infants, the parts that are asked for: by the ids of patients and their own; None: any."""

    patients: frozenset[str] | None
    own: frozenset[str] | None

    def has(self, part: AuditRow) -> bool:
        """Whether a part, or a row that is whole, is asked for."""
        is_ones = self.patients is None or (bool(part.patient) and patient_id_of_key(part.patient) in self.patients)
        return is_ones and (self.own is None or part.id in self.own)


def search_audit(connection: Connection, search: Search, scene: Scene) -> Page:
    """A page of AuditEvents: of a row about several infants, one for each that is asked for."""
    wanted = _wanted(search.criteria, scene)
    if wanted.patients is not None and not wanted.patients:
        return Page(total=0 if search.is_count else None)
    query = select(AUDIT).where(*_conditions(search.criteria, scene, wanted))
    if search.is_count:
        return Page(total=_count(connection, query, wanted))
    columns = (AUDIT.c.recorded, AUDIT.c.chain, AUDIT.c.position)
    last = ("", 0, 0)
    if search.after is not None and search.after.moment is not None:
        last = _place(search.after.id)
        # That row too: a page may end between its parts.
        here, there = tuple_(*columns), tuple_(search.after.moment, *last[:2])
        query = query.where(here <= there if search.is_descending else here >= there)
    query = query.order_by(*(one.desc() if search.is_descending else one for one in columns))
    if wanted.own is None:
        # Each row has a part that is asked for, but the one at which the last page ended.
        query = query.limit(search.count + 2)
    rows = (_row(row) for row in connection.execute(query).all())
    parts = (part for row in rows for part in row.parts if wanted.has(part) and not _is_told(part, last))
    found = list(islice(parts, search.count + 1))
    shown, is_more = found[: search.count], len(found) > search.count
    return Page(
        matches=tuple(_found(part) for part in shown),
        next_place=Place(shown[-1].id, shown[-1].recorded) if is_more else None,
    )


def read_audit(connection: Connection, own_id: str) -> Found | None:
    """One AuditEvent; None when there is none. A row about several infants has one for each and none itself."""
    row = connection.execute(select(AUDIT).where(_has_id(own_id))).first()
    return next((_found(part) for part in _row(row).parts if part.id == own_id), None) if row is not None else None


def _is_told(part: AuditRow, last: tuple[str, int, int]) -> bool:
    chain, position, number = last
    return (part.chain, part.position) == (chain, position) and part.number <= number


def _count(connection: Connection, query: Select[Any], wanted: Wanted) -> int:
    if wanted.own is not None:
        rows = connection.execute(query).all()
        return sum(wanted.has(part) for row in rows for part in _row(row).parts)
    infants = func.audit_infant_ids(AUDIT.c.detail, type_=ARRAY(Text))
    parts: ColumnElement[int] = func.coalesce(func.cardinality(infants), 1)
    if wanted.patients is not None:
        infant = func.unnest(infants).column_valued("infant")
        asked = select(func.count(infant)).where(infant.in_(wanted.patients)).correlate(AUDIT)
        parts = case((AUDIT.c.patient != "", 1), else_=asked.scalar_subquery())
    return int(connection.scalar(query.with_only_columns(func.coalesce(func.sum(parts), 0))) or 0)


def _found(part: AuditRow) -> Found:
    return Found(audit_event_of(part), part.patient)


def _row(row: Row[Any]) -> AuditRow:
    return AuditRow(
        chain=row.chain,
        position=row.position,
        recorded=row.recorded,
        event=row.event,
        actor=row.actor,
        entry_id=row.entry_id,
        patient=row.patient,
        detail=json.loads(row.detail),
    )


def _wanted(criteria: Sequence[Criterion], scene: Scene) -> Wanted:
    patients: frozenset[str] | None = None
    own: frozenset[str] | None = None
    for criterion in criteria:
        match criterion:
            case References("patient", ids):
                patients = _both(patients, ids)
            case Tokens("patient.identifier", values):
                patients = _both(patients, [patient_id_of_key(key) for one in values for key in _keys(one, scene)])
            case Tokens("_id", values):
                own = _both(own, [token.code for token in values if token.system is None])
    return Wanted(patients, own)


def _both(first: frozenset[str] | None, second: Iterable[str]) -> frozenset[str]:
    return frozenset(second) if first is None else first & frozenset(second)


def _conditions(criteria: Sequence[Criterion], scene: Scene, wanted: Wanted) -> Iterator[Condition]:
    if wanted.patients is not None:
        is_ones = and_(AUDIT.c.patient != "", func.md5(AUDIT.c.patient).in_(wanted.patients))
        yield or_(is_ones, is_about_one_of(wanted.patients))
    if wanted.own is not None:
        yield any_of(_has_id(one) for one in wanted.own)
    yield from (_condition(one, scene) for one in criteria if one.name not in BY_PART)


def _condition(criterion: Criterion, scene: Scene) -> Condition:
    match criterion:
        case Dates("date", values):
            return any_date(values, AUDIT.c.recorded, AUDIT.c.recorded, now=scene.now)
        case References("entity", ids):
            return AUDIT.c.entry_id.in_(ids)
        case Tokens("subtype", values):
            return any_of(AUDIT.c.event == event for token in values for event in _events(token))
    raise NotImplementedError(f"a criterion of the table that is not made into SQL: {criterion.name}")


def _keys(token: Token, scene: Scene) -> list[str]:
    if token.system is None or not token.code:
        raise bad_request("patient.identifier of AuditEvent is system|value", code="not-supported")
    return [f"{authority}|{token.code}" for authority in authorities_of(token.system, scene.naming.systems)]


def _events(token: Token) -> list[str]:
    found = []
    if token.system in (None, EVENTS) and token.code:
        found.append(token.code)
    if token.system in (None, INTERACTIONS) and token.code in OF_REST:
        found.append(OF_REST[token.code])
    return found


def _has_id(own_id: str) -> Condition:
    chain, position, _ = _place(own_id)
    return and_(AUDIT.c.chain == chain, AUDIT.c.position == position) if chain else false()


def _place(own_id: str) -> tuple[str, int, int]:
    """Chain, position and number of an id; no chain when it is none of ours."""
    found = OWN_ID.fullmatch(own_id)
    return (found[1], int(found[2]), int(found[3] or 0)) if found is not None else ("", 0, 0)
