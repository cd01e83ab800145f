"""Aggregates out of the database, as Observations. What is nobody's is not told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    cast,
    collate,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
    tuple_,
)

from neopain.charting.aggregates import SCORE, stored_aggregate
from neopain.charting.api.access import Limits
from neopain.charting.api.found import (
    Condition,
    Found,
    Page,
    any_date,
    bed_condition,
    earliest_of,
    identifier_condition,
)
from neopain.charting.api.scene import Scene
from neopain.charting.tables import AGGREGATES, ENCOUNTER_ID, PATIENT_ID
from neopain.codecs.fhir import terminology as terms
from neopain.codecs.fhir.aggregate import LETTERS, VITAL_CODES, Whose, score_aggregate, vital_aggregate
from neopain.codecs.fhir.cursor import Place
from neopain.codecs.fhir.ids import key_of
from neopain.codecs.fhir.search import Criterion, Dates, References, Search, Tokens
from neopain.domain.aggregate import SLOT

OF_PATIENT: ColumnElement[str] = literal_column(PATIENT_ID)
OF_ENCOUNTER: ColumnElement[str] = literal_column(ENCOUNTER_ID)
AUTHORITY: ColumnElement[str] = func.coalesce(AGGREGATES.c.patient_authority, "")
CODES = {SCORE: terms.AGGREGATED_SCORE, **{kind.value: code for kind, code in VITAL_CODES.items()}}
"""The codes of Observations by the kinds of rows."""
LETTER: ColumnElement[str] = literal_column(
    "CASE kind " + " ".join(f"WHEN '{kind}' THEN '{letter}'" for kind, letter in LETTERS.items()) + " END"
)
OWN_ID: ColumnElement[str] = collate(
    OF_PATIENT
    + "."
    + func.substr(func.md5(AGGREGATES.c.bed), 1, 8)
    + "."
    + LETTER
    + "."
    + cast(cast(func.extract("epoch", AGGREGATES.c.begins), BigInteger), AGGREGATES.c.bed.type),
    "C",
)
FIRST = datetime.min.replace(tzinfo=UTC)
SORTS: dict[str, ColumnElement[datetime]] = {"date": AGGREGATES.c.ends, "_lastUpdated": AGGREGATES.c.written}
IS_SERVED: Condition = AGGREGATES.c.patient_value.is_not(None)


def search_aggregates(connection: Connection, search: Search, limits: Limits, scene: Scene) -> Page:
    """A page of aggregates."""
    conditions = [_condition(one, connection, scene) for one in search.criteria]
    query = select(AGGREGATES).where(IS_SERVED, within(limits), *conditions)
    if search.is_count:
        return Page(total=int(connection.scalar(select(func.count()).select_from(query.subquery())) or 0))
    rows = connection.execute(in_order(query, search)).all()
    shown = [_found(row) for row in rows[: search.count]]
    is_more = len(rows) > len(shown)
    return Page(tuple(shown), place_of(shown[-1], search) if is_more else None)


def read_aggregate(connection: Connection, own_id: str, limits: Limits) -> Found | None:
    """One aggregate; None when there is none to be told."""
    begin = _begin_of(own_id)
    if begin is None:
        return None
    patient = own_id.partition(".")[0]
    row = connection.execute(
        select(AGGREGATES).where(
            IS_SERVED, within(limits), OF_PATIENT.in_([patient]), AGGREGATES.c.begins == begin, OWN_ID.in_([own_id])
        )
    ).one_or_none()
    return _found(row) if row is not None else None


def within(limits: Limits) -> Condition:
    """What of the aggregates may be told."""
    of_patient = true() if limits.patient is None else OF_PATIENT.in_(limits.patient)
    # What is kept for a study is kept for good, and tells of no single moment that a nurse scored.
    is_open = true() if limits.blinding.sees_all else not_(AGGREGATES.c.in_study)
    return and_(of_patient, is_open, bed_condition(AGGREGATES.c.bed, limits))


def place_of(found: Found, search: Search) -> Place:
    """The place of a match in the sort order."""
    return Place(found.id, moment_of(found, search))


def moment_of(found: Found, search: Search) -> datetime:
    """The moment that a match is sorted by."""
    resource = found.resource
    is_by_date = search.sorts_by == "date"
    return datetime.fromisoformat(resource["effectivePeriod"]["end"] if is_by_date else resource["meta"]["lastUpdated"])


def in_order(query: Select[Any], search: Search) -> Select[Any]:
    """The query's matches from the place on where the last page ended, one more than a page."""
    # By begin is by end, and the index is over begins.
    moment = AGGREGATES.c.begins if search.sorts_by == "date" else AGGREGATES.c.written
    if search.after is not None and search.after.moment is not None:
        there = _a_slot_before(search.after.moment) if search.sorts_by == "date" else search.after.moment
        here = tuple_(moment, OWN_ID)
        place = tuple_(there, search.after.id)
        # The first condition is for the index.
        query = query.where(moment <= there if search.is_descending else moment >= there)
        query = query.where(here < place if search.is_descending else here > place)
    order = (moment.desc(), OWN_ID.desc()) if search.is_descending else (moment, OWN_ID)
    return query.order_by(*order).limit(search.count + 1)


def _found(row: Row[Any]) -> Found:
    stored = stored_aggregate(row)
    whose = Whose(stored.patient, stored.visit, stored.bed)
    if stored.scores is not None:
        resource = score_aggregate(stored.scores, whose, version=stored.version, written=stored.written)
    elif stored.vital is not None:
        resource = vital_aggregate(stored.vital, whose, stored.begin, version=stored.version, written=stored.written)
    else:
        raise TypeError(stored)
    return Found(resource, key_of(stored.patient), stored.patient, stored.visit)


def _condition(criterion: Criterion, connection: Connection, scene: Scene) -> Condition:  # noqa: PLR0911 - a table
    match criterion:
        case Dates("date", values):
            earliest = earliest_of(values, now=scene.now)
            coarse = true() if earliest is None else AGGREGATES.c.begins >= _a_slot_before(earliest)
            return and_(coarse, any_date(values, AGGREGATES.c.begins, AGGREGATES.c.ends, now=scene.now))
        case Dates("_lastUpdated", values):
            earliest = earliest_of(values, now=scene.now)
            coarse = true() if earliest is None else AGGREGATES.c.written >= earliest
            return and_(coarse, any_date(values, AGGREGATES.c.written, AGGREGATES.c.written, now=scene.now))
        case References("patient", ids):
            return OF_PATIENT.in_(ids)
        case References("encounter", ids):
            return and_(AGGREGATES.c.visit != "", OF_ENCOUNTER.in_(ids))
        case Tokens("patient.identifier"):
            by_number = identifier_condition(criterion, AUTHORITY, AGGREGATES.c.patient_value, scene.naming.systems)
            return or_(by_number, OF_PATIENT.in_(scene.census(connection).patients_with(criterion)))
        case Tokens("category"):
            return true() if criterion.mean(terms.CATEGORIES, terms.AGGREGATE) else false()
        case Tokens("code"):
            return AGGREGATES.c.kind.in_([kind for kind, code in CODES.items() if criterion.mean(terms.SCORES, code)])
        case Tokens("status"):
            return true() if criterion.mean(terms.OBSERVATION_STATUS, "preliminary") else false()
        case Tokens("_id", values):
            return or_(false(), *(_has_id(token.code) for token in values if token.system is None))
        case Tokens("identifier"):
            return false()
    raise NotImplementedError(f"a criterion of the table that is not made into SQL: {criterion.name}")


def _a_slot_before(moment: datetime) -> datetime:
    """The begin of a slot that ends then, or the first moment that there is: a client may ask for any."""
    return max(moment, FIRST + SLOT) - SLOT


def _has_id(own_id: str) -> Condition:
    begin = _begin_of(own_id)
    if begin is None:
        return false()
    return and_(OF_PATIENT.in_([own_id.partition(".")[0]]), AGGREGATES.c.begins == begin, OWN_ID.in_([own_id]))


def _begin_of(own_id: str) -> datetime | None:
    """The begin that an id of an aggregate says; None when it is none of ours."""
    seconds = own_id.rpartition(".")[2]
    if own_id.count(".") != 3 or not seconds.isascii() or not seconds.isdigit() or len(seconds) > 11:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(seconds))
