"""Whom a client asked or wanted to write about, and was refused: for the audit trail alone, never for an answer."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from neopain.charting.api.access import Blinding, Limits
from neopain.charting.api.census import search_census
from neopain.charting.api.question import SUBSCRIPTION, AskCreate, AskDelete, AskOperation, AskRead, AskUpdate, Write
from neopain.charting.api.scene import Scene
from neopain.codecs.fhir.review import named_in
from neopain.codecs.fhir.search import MOST_COUNT, Criterion, References, Search, Token, Tokens
from neopain.codecs.fhir.terminology import Json

ANYBODY = Limits(blinding=Blinding(sees_all=True))
"""No limits: whoever there is."""
BEYOND = "it is beyond what the client may know of"


def hidden_infants(
    connection: Connection, search: Search, limits: Limits, scene: Scene, *, told: frozenset[str]
) -> frozenset[str] | None:
    """The infants whom the search names and the client may not know of, none where there are none such; None where it
    names nobody but whom the client may know of."""
    of_patients = _of_patients(search)
    if limits.are_none or of_patients is None or len(told) >= _values(of_patients):
        return None
    known = told | _infants(connection, of_patients, limits, scene)
    if len(known) >= _values(of_patients):
        return None
    return _infants(connection, of_patients, ANYBODY, scene) - known


def named_infants(connection: Connection, search: Search, scene: Scene) -> frozenset[str]:
    """The infants whom the search names by their Patients or identifiers, those that there are."""
    of_patients = _of_patients(search)
    return _infants(connection, of_patients, ANYBODY, scene) if of_patients is not None else frozenset()


def named_by(question: Write, body: Json) -> tuple[AskRead, ...]:
    """What a write is about: the resource of its address, or those that a new one names; nothing of a Subscription."""
    if isinstance(question, AskDelete) or question.resource_type == SUBSCRIPTION:
        return ()
    match question:
        case AskUpdate() | AskOperation():
            return (AskRead(question.resource_type, question.id, ()),)
        case AskCreate():
            return tuple(AskRead(resource_type, own_id, ()) for resource_type, own_id in named_in(body))


def text_of_write(question: Write) -> str:
    """A write as it was asked for, without its body: ``PUT Observation/<id>``."""
    match question:
        case AskUpdate():
            return f"PUT {question.resource_type}/{question.id}"
        case AskCreate():
            return f"POST {question.resource_type}"
        case AskOperation():
            return f"POST {question.resource_type}/{question.id}/{question.operation}"
        case AskDelete():
            return f"DELETE {SUBSCRIPTION}/{question.id}"


def _infants(connection: Connection, search: Search, limits: Limits, scene: Scene) -> frozenset[str]:
    page = search_census(connection, search, limits, scene)
    return frozenset(infant for one in page.matches for infant in one.infants)


def _of_patients(search: Search) -> Search | None:
    """The search for the Patients that a search names; None where it names none."""
    criteria = tuple(one for criterion in search.criteria for one in _of_patient(criterion, search.resource_type))
    return Search("Patient", criteria, count=MOST_COUNT) if criteria else None


def _of_patient(criterion: Criterion, resource_type: str) -> Iterator[Tokens]:
    match criterion:
        case References("patient", ids):
            yield Tokens("_id", tuple(Token(None, one) for one in ids))
        case Tokens("patient.identifier", values):
            yield Tokens("identifier", values)
        case Tokens("_id" | "identifier") if resource_type == "Patient":
            yield criterion


def _values(search: Search) -> int:
    return max(len(one.values) for one in search.criteria if isinstance(one, Tokens))
