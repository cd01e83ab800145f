"""The audit trail out of the database, as AuditEvents."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, and_, false, func, or_, select, tuple_

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

LARGEST = 2**63
OF_REST = {"read": READ, "search-type": SEARCHED}
"""Our events by their interaction."""


def search_audit(connection: Connection, search: Search, scene: Scene) -> Page:
    """A page of AuditEvents."""
    query = select(AUDIT).where(*(_condition(one, scene) for one in search.criteria))
    if search.is_count:
        return Page(total=int(connection.scalar(select(func.count()).select_from(query.subquery())) or 0))
    here = tuple_(AUDIT.c.recorded, AUDIT.c.chain, AUDIT.c.position)
    if search.after is not None and search.after.moment is not None:
        chain, position = _place(search.after.id)
        there = tuple_(search.after.moment, chain, position)
        query = query.where(here < there if search.is_descending else here > there)
    columns = (AUDIT.c.recorded, AUDIT.c.chain, AUDIT.c.position)
    ordered = query.order_by(*(one.desc() if search.is_descending else one for one in columns))
    rows = connection.execute(ordered.limit(search.count + 1)).all()
    shown = [_row(row) for row in rows[: search.count]]
    is_more = len(rows) > len(shown)
    return Page(
        matches=tuple(_found(row) for row in shown),
        next_place=Place(shown[-1].id, shown[-1].recorded) if is_more else None,
    )


def read_audit(connection: Connection, own_id: str) -> Found | None:
    """One AuditEvent; None when there is none."""
    row = connection.execute(select(AUDIT).where(_has_id(own_id))).first()
    return _found(_row(row)) if row is not None else None


def _found(row: AuditRow) -> Found:
    return Found(audit_event_of(row), row.patient, others=row.infants if not row.patient else ())


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


def _condition(criterion: Criterion, scene: Scene) -> Condition:
    match criterion:
        case Dates("date", values):
            return any_date(values, AUDIT.c.recorded, AUDIT.c.recorded, now=scene.now)
        case References("patient", ids):
            return or_(and_(AUDIT.c.patient != "", func.md5(AUDIT.c.patient).in_(ids)), is_about_one_of(ids))
        case References("entity", ids):
            return AUDIT.c.entry_id.in_(ids)
        case Tokens("patient.identifier", values):
            keys = [key for token in values for key in _keys(token, scene)]
            return or_(AUDIT.c.patient.in_(keys), is_about_one_of([patient_id_of_key(key) for key in keys]))
        case Tokens("subtype", values):
            return any_of(AUDIT.c.event == event for token in values for event in _events(token))
        case Tokens("_id", values):
            return any_of(_has_id(token.code) for token in values if token.system is None)
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
    chain, position = _place(own_id)
    return and_(AUDIT.c.chain == chain, AUDIT.c.position == position) if chain else false()


def _place(own_id: str) -> tuple[str, int]:
    """Chain and position of an id; no chain when it is none of ours."""
    chain, _, position = own_id.rpartition("-")
    if not chain or not position.isascii() or not position.isdigit() or len(position) > 18:
        return "", 0
    return chain, int(position)
