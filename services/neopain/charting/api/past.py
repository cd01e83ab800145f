"""Patients and Encounters that entries name and the census has no more: their identifiers are all that is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, false, func, select, true
from sqlalchemy.dialects.postgresql import distinct_on

from neopain.charting.api.access import Limits
from neopain.charting.api.entries import AUTHORITY, IS_SERVED, OF_ENCOUNTER, OF_PATIENT, within
from neopain.charting.api.found import Condition, Found, any_of, identifier_condition
from neopain.charting.api.scene import Scene
from neopain.charting.tables import ENTRIES
from neopain.codecs.fhir import terminology as terms
from neopain.codecs.fhir.census import VISITS, past_encounter_of, patient_of
from neopain.codecs.fhir.ids import key_of
from neopain.codecs.fhir.search import Criterion, References, Search, Token, Tokens
from neopain.domain.identity import PatientId

NOT_KNOWN = "unknown"
"""Status of an Encounter that the census has no more."""


@dataclass(frozen=True, slots=True)
class PastKind:
    """A type of resource that entries name: its id as an expression over them, and which of them name one."""

    own_id: ColumnElement[str]
    is_named: Condition
    found: Callable[[PatientId, str, Scene], Found]


def _patient(patient: PatientId, _: str, scene: Scene) -> Found:
    return Found(patient_of(patient, scene.naming), key_of(patient), patient)


def _encounter(patient: PatientId, visit: str, _: Scene) -> Found:
    return Found(past_encounter_of(patient, visit), key_of(patient), patient, visit)


PASTS = {
    "Patient": PastKind(OF_PATIENT, true(), _patient),
    "Encounter": PastKind(OF_ENCOUNTER, ENTRIES.c.visit != "", _encounter),
}


@dataclass(frozen=True, slots=True)
class PastSearch:
    """A search among what entries name; ``known`` are the ids that the census has. Other types have no past."""

    connection: Connection
    search: Search
    limits: Limits
    scene: Scene
    known: set[str]

    def count(self) -> int:
        """How many match."""
        past = PASTS.get(self.search.resource_type)
        if past is None:
            return 0
        query = select(func.count(past.own_id.distinct())).where(*self._conditions(past))
        return int(self.connection.scalar(query) or 0)

    def after(self, own_id: str) -> list[Found]:
        """Those that follow the id in the order of ids: one more than a page, if there are so many."""
        past = PASTS.get(self.search.resource_type)
        if past is None:
            return []
        query = _query(past).where(*self._conditions(past), past.own_id > own_id).limit(self.search.count + 1)
        return [_read(row, past, self.scene) for row in self.connection.execute(query)]

    def _conditions(self, past: PastKind) -> list[Condition]:
        criteria = [self._condition(one, past) for one in self.search.criteria]
        return [IS_SERVED, past.is_named, within(self.limits), past.own_id.not_in(self.known), *criteria]

    def _condition(self, criterion: Criterion, past: PastKind) -> Condition:
        match criterion:
            case Tokens("_id", values):
                return past.own_id.in_([token.code for token in values if token.system is None])
            case Tokens("identifier") if self.search.resource_type == "Encounter":
                return any_of(_is_visit(token) for token in criterion.values)
            case Tokens("identifier" | "patient.identifier"):
                systems = self.scene.naming.systems
                return identifier_condition(criterion, AUTHORITY, ENTRIES.c.patient_value, systems)
            case Tokens("status"):
                return true() if criterion.mean(terms.ENCOUNTER_STATUS, NOT_KNOWN) else false()
            case References("patient", ids):
                return OF_PATIENT.in_(ids)
        raise NotImplementedError(f"a criterion of the table that is not made into SQL: {criterion.name}")


def read_past(connection: Connection, resource_type: str, ids: set[str], limits: Limits, scene: Scene) -> list[Found]:
    """Those of the resources that entries name and that may be told."""
    past = PASTS.get(resource_type)
    if past is None or not ids:
        return []
    query = _query(past).where(IS_SERVED, past.is_named, within(limits), past.own_id.in_(ids))
    return [_read(row, past, scene) for row in connection.execute(query)]


def _query(past: PastKind) -> Select[Any]:
    columns = (AUTHORITY.label("authority"), ENTRIES.c.patient_value, ENTRIES.c.patient_type, ENTRIES.c.visit)
    # Of an infant's entries the newest says of what type its number is.
    return select(*columns).ext(distinct_on(past.own_id)).order_by(past.own_id, ENTRIES.c.ends.desc())


def _read(row: Row[Any], past: PastKind, scene: Scene) -> Found:
    return past.found(PatientId(row.patient_value, row.authority, row.patient_type), row.visit, scene)


def _is_visit(token: Token) -> Condition:
    if token.system not in (None, VISITS):
        return false()
    return and_(ENTRIES.c.visit != "", ENTRIES.c.visit == token.code if token.code else true())
