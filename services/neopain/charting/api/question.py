"""From a request's method, target and form to what is asked. Nothing is looked up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote, urlencode

from neopain.charting.api.settings import BASE_PATH
from neopain.codecs.fhir.alert_act import OPERATIONS
from neopain.codecs.fhir.held_bed import RESOLVE_HELD
from neopain.codecs.fhir.ids import ID
from neopain.codecs.fhir.refusal import Refused, bad_request, not_found
from neopain.codecs.fhir.search import SEARCHES, Pair

READING = ("GET", "HEAD")
FORM = "application/x-www-form-urlencoded"
OPERATIONS_ON = {"Flag": tuple(OPERATIONS), "Encounter": (RESOLVE_HELD,)}
WRITTEN = ("Observation",)
"""Types that a person can write."""
ONLY_CREATED = ("Procedure",)
"""Types that can be created, and are served in no other way."""
SUBSCRIPTION = "Subscription"
"""What a client can write, and delete."""
VIEWS = ("$status", "$events")
"""Operations on it, which change nothing."""


@dataclass(frozen=True, slots=True)
class AskCapability:
    """``/metadata``."""

    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class AskRead:
    """``/Type/id``."""

    resource_type: str
    id: str
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class AskSearch:
    """``/Type?...`` or ``/Type/_search``."""

    resource_type: str
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class AskUpdate:
    """PUT of ``/Type/id``."""

    resource_type: str
    id: str
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class AskCreate:
    """POST of ``/Type``."""

    resource_type: str
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class AskOperation:
    """POST of ``/Type/id/$operation``."""

    resource_type: str
    id: str
    operation: str
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class AskDelete:
    """DELETE of ``/Subscription/id``."""

    id: str
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class AskView:
    """``/Subscription/id/$operation``; without an id, of all that are the client's."""

    id: str
    operation: str
    pairs: tuple[Pair, ...]


Write = AskUpdate | AskCreate | AskOperation | AskDelete
Question = AskCapability | AskRead | AskSearch | AskView | Write


def read_question(method: str, target: str, *, form: str = "") -> Question:  # noqa: PLR0911 - a table
    """What is asked. ``Refused``: 400, 404, or 405 for a method that the address does not know."""
    path, _, query = target.partition("?")
    segments = _segments(path)
    is_form = segments[1:] == ["_search"]
    if (write := _write(method, segments, read_pairs(query))) is not None:
        return write
    if method not in READING and not (is_form and method == "POST"):
        allowed = "GET, HEAD, POST" if is_form else _allowed(segments)
        text = "a nurse's review can be written (PUT and POST of Observation), her answer to a Flag, and her decision "
        text += "about a held bed; a procedure (POST of Procedure); and a Subscription"
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "not-supported", text, headers={"Allow": allowed})
    pairs = (*read_pairs(query), *read_pairs(form))
    match segments:
        case ["metadata"]:
            return AskCapability(pairs)
        case ["Subscription", own_id, operation] if operation in VIEWS and ID.fullmatch(own_id):
            return AskView(own_id, operation, pairs)
        case ["Subscription", "$status"]:
            return AskView("", "$status", pairs)
        case [resource_type] if resource_type in SEARCHES:
            return AskSearch(resource_type, pairs)
        case [resource_type, "_search"] if resource_type in SEARCHES:
            return AskSearch(resource_type, pairs)
        case [resource_type, own_id] if resource_type in SEARCHES and ID.fullmatch(own_id):
            return AskRead(resource_type, own_id, pairs)
    raise not_found("such address")


def _allowed(segments: list[str]) -> str:
    if segments[-1] in OPERATIONS_ON.get(segments[0], ()):
        return "POST"
    if segments[0] in ONLY_CREATED:
        return "POST"
    if segments[0] == SUBSCRIPTION and not segments[-1].startswith("$"):
        return "GET, HEAD, PUT, DELETE" if len(segments) > 1 else "GET, HEAD, POST"
    if segments[0] not in WRITTEN:
        return "GET, HEAD"
    return "GET, HEAD, PUT" if len(segments) > 1 else "GET, HEAD, POST"


def _write(method: str, segments: list[str], pairs: tuple[Pair, ...]) -> Write | None:
    match method, segments:
        case "PUT", [resource_type, own_id] if resource_type in (*WRITTEN, SUBSCRIPTION) and ID.fullmatch(own_id):
            return AskUpdate(resource_type, own_id, pairs)
        case "DELETE", ["Subscription", own_id] if ID.fullmatch(own_id):
            return AskDelete(own_id, pairs)
        case "POST", [resource_type] if resource_type in (*WRITTEN, *ONLY_CREATED, SUBSCRIPTION):
            return AskCreate(resource_type, pairs)
        case "POST", [resource_type, own_id, operation] if operation in OPERATIONS_ON.get(
            resource_type, ()
        ) and ID.fullmatch(own_id):
            return AskOperation(resource_type, own_id, operation, pairs)
    return None


def takes_form(method: str, target: str) -> bool:
    """Whether the request's body is a query."""
    return method == "POST" and target.partition("?")[0].endswith("/_search")


def read_pairs(query: str) -> tuple[Pair, ...]:
    """Names and values of a query string (UTF-8); ``Refused`` (400) when it is none."""
    try:
        return tuple(parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=1000))
    except ValueError as error:
        raise bad_request("the query is no form of names and values in UTF-8, or has too many") from error


def write_query(pairs: Sequence[Pair]) -> str:
    """The query string of pairs, with its question mark; empty without one."""
    return f"?{urlencode(pairs)}" if pairs else ""


def _segments(path: str) -> list[str]:
    if not path.startswith(f"{BASE_PATH}/"):
        raise not_found("such address")
    try:
        return [unquote(part, errors="strict") for part in path.removeprefix(f"{BASE_PATH}/").split("/")]
    except ValueError as error:
        raise not_found("such address") from error
