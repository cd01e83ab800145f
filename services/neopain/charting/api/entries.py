"""Charted entries out of the database: Observations and their Provenance. Entries that are held are not told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    cast,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
    tuple_,
)

from neopain.charting.api.access import Limits
from neopain.charting.api.found import (
    Condition,
    Found,
    Page,
    any_date,
    any_of,
    bed_condition,
    earliest_of,
    identifier_condition,
    is_in_study,
)
from neopain.charting.api.scene import Scene
from neopain.charting.entries import OF_NURSE, EntryState, entry_of
from neopain.charting.statuses import changes_of_all
from neopain.charting.tables import ENCOUNTER_ID, ENTRIES, MOMENT, PATIENT_ID
from neopain.codecs.fhir import terminology as terms
from neopain.codecs.fhir.charted import ServedEntry, served_observation
from neopain.codecs.fhir.cursor import Place
from neopain.codecs.fhir.ids import key_of
from neopain.codecs.fhir.provenance import provenance_of
from neopain.codecs.fhir.search import Criterion, Dates, References, Search, Token, Tokens
from neopain.domain.entry_status import EntryStatus
from neopain.domain.study import Reveal

OF_PATIENT: ColumnElement[str] = literal_column(PATIENT_ID)
OF_ENCOUNTER: ColumnElement[str] = literal_column(ENCOUNTER_ID)
AUTHORITY: ColumnElement[str] = func.coalesce(ENTRIES.c.patient_authority, "")
UPDATED: ColumnElement[datetime] = func.coalesce(ENTRIES.c.updated, ENTRIES.c.issued)
OBSERVED_FROM: ColumnElement[datetime] = cast(ENTRIES.c.draft["observed_from"].astext, MOMENT)
OBSERVED_TO: ColumnElement[datetime] = cast(ENTRIES.c.draft["observed_to"].astext, MOMENT)
WAS_CHARTED: Condition = ENTRIES.c.state.in_([EntryState.CHARTED.value, EntryState.WITHDRAWN.value])
IS_SERVED: Condition = and_(WAS_CHARTED, ENTRIES.c.patient_value.is_not(None))
"""What is told to everybody who may know of its infant."""
ROWS = select(ENTRIES, UPDATED.label("updated_at"))
"""Every entry, those that are told to nobody, too: to be asked for with ``is_told`` and ``within``."""
SORTS: dict[str, ColumnElement[datetime]] = {
    "date": ENTRIES.c.ends,
    "_lastUpdated": UPDATED,
    "recorded": ENTRIES.c.issued,
}
"""``date`` is by the end of what an entry is about."""
CATEGORY = (terms.OBSERVATION_CATEGORY, "survey")
IS_OF_NURSE: Condition = ENTRIES.c.kind.startswith(OF_NURSE, autoescape=True)
CODES: tuple[tuple[tuple[str, str], Condition], ...] = (
    ((terms.SCORES, terms.PAIN_SCORE), not_(IS_OF_NURSE)),
    ((terms.LOINC, terms.NIPS_TOTAL["code"]), IS_OF_NURSE),
)


def search_entries(connection: Connection, search: Search, limits: Limits, scene: Scene) -> Page:
    """A page of Observations, or of Provenance, by what the search is for."""
    query = ROWS.where(
        is_told(limits), within(limits), *(_condition(one, connection, scene) for one in search.criteria)
    )
    if search.is_count:
        total = connection.scalar(select(func.count()).select_from(query.subquery()))
        return Page(total=int(total or 0))
    rows = connection.execute(_in_order(query, search)).all()
    shown = rows[: search.count]
    is_more = len(rows) > len(shown)
    return Page(
        matches=tuple(_found(connection, shown, search.resource_type)),
        next_place=_place(shown[-1], search) if is_more else None,
    )


def read_entry(connection: Connection, resource_type: str, own_id: str, limits: Limits) -> Found | None:
    """The Observation or the Provenance of an entry; None when there is none to be told."""
    rows = connection.execute(ROWS.where(is_told(limits), within(limits), ENTRIES.c.entry_id == own_id)).all()
    return next(_found(connection, rows, resource_type), None)


def read_entries(connection: Connection, ids: set[str], limits: Limits) -> list[Found]:
    """The Observations of these entries."""
    query = ROWS.where(is_told(limits), within(limits), ENTRIES.c.entry_id.in_(ids)).order_by(ENTRIES.c.entry_id)
    return list(_found(connection, connection.execute(query).all(), "Observation"))


def is_told(limits: Limits) -> Condition:
    """``IS_SERVED``, and what of the entries that are kept for a study this client may see."""
    blinding = limits.blinding
    is_blinded = and_(ENTRIES.c.state == EntryState.BLINDED.value, ENTRIES.c.patient_value.is_not(None))
    if blinding.sees_all:
        return or_(IS_SERVED, is_blinded)
    if blinding.policies is None:
        return IS_SERVED
    is_over = and_(ENTRIES.c.revealed == Reveal.AFTER_STUDY.value, not_(is_in_study(ENTRIES.c.bed, blinding.policies)))
    return or_(IS_SERVED, and_(is_blinded, or_(ENTRIES.c.revealed == Reveal.AFTER_SCORE.value, is_over)))


def within(limits: Limits) -> Condition:
    """What of the entries may be told."""
    of_patient = true() if limits.patient is None else OF_PATIENT.in_(limits.patient)
    return and_(of_patient, bed_condition(ENTRIES.c.bed, limits))


def _found(connection: Connection, rows: Sequence[Row[Any]], resource_type: str) -> Iterator[Found]:
    changed = [row.entry_id for row in rows if row.status != EntryStatus.PRELIMINARY.value]
    changes = changes_of_all(connection, changed)
    for row in rows:
        entry = entry_of(row)
        told = tuple(changes.get(row.entry_id, ()))
        served = ServedEntry(entry, EntryStatus(row.status), row.version, row.updated_at, row.ends, told, row.in_study)
        resource = served_observation(served) if resource_type == "Observation" else provenance_of(entry)
        yield Found(resource, key_of(entry.patient), entry.patient, entry.visit, served)


def _in_order(query: Select[Any], search: Search) -> Select[Any]:
    moment = SORTS[search.sorts_by]
    if search.after is not None and search.after.moment is not None:
        here = tuple_(moment, ENTRIES.c.entry_id)
        there = tuple_(search.after.moment, search.after.id)
        query = query.where(here < there if search.is_descending else here > there)
    if search.is_descending:
        query = query.order_by(moment.desc(), ENTRIES.c.entry_id.desc())
    else:
        query = query.order_by(moment, ENTRIES.c.entry_id)
    return query.limit(search.count + 1)


def _place(row: Row[Any], search: Search) -> Place:
    moments = {"date": row.ends, "_lastUpdated": row.updated_at, "recorded": row.issued}
    return Place(row.entry_id, moments[search.sorts_by])


def _condition(criterion: Criterion, connection: Connection, scene: Scene) -> Condition:  # noqa: PLR0911 - a table
    match criterion:
        case Dates("date", values):
            earliest = earliest_of(values, now=scene.now)
            coarse = true() if earliest is None else ENTRIES.c.ends >= earliest
            return and_(coarse, any_date(values, OBSERVED_FROM, OBSERVED_TO, now=scene.now))
        case Dates("_lastUpdated", values):
            return any_date(values, UPDATED, UPDATED, now=scene.now)
        case Dates("recorded", values):
            return any_date(values, ENTRIES.c.issued, ENTRIES.c.issued, now=scene.now)
        case References("patient", ids):
            return OF_PATIENT.in_(ids)
        case References("encounter", ids):
            return and_(ENTRIES.c.visit != "", OF_ENCOUNTER.in_(ids))
        case References("target", ids):
            return ENTRIES.c.entry_id.in_(ids)
        case Tokens("patient.identifier"):
            by_number = identifier_condition(criterion, AUTHORITY, ENTRIES.c.patient_value, scene.naming.systems)
            return any_of([by_number, OF_PATIENT.in_(scene.census(connection).patients_with(criterion))])
        case Tokens("category"):
            return true() if criterion.mean(*CATEGORY) else false()
        case Tokens("code"):
            return any_of(is_so for code, is_so in CODES if criterion.mean(*code))
        case Tokens("status"):
            meant = [one.value for one in EntryStatus if criterion.mean(terms.OBSERVATION_STATUS, one.value)]
            return ENTRIES.c.status.in_(meant)
        case Tokens("_id", values):
            return ENTRIES.c.entry_id.in_([token.code for token in values if token.system is None])
        case Tokens("identifier", values):
            return any_of(_is_identified(token) for token in values)
    raise NotImplementedError(f"a criterion of the table that is not made into SQL: {criterion.name}")


def _is_identified(token: Token) -> Condition:
    if token.system not in (None, terms.ENTRY_IDENTIFIERS):
        return false()
    return ENTRIES.c.entry_id == token.code if token.code else true()
