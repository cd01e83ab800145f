"""What of FHIR is passed on: what the pages need, by method and path. Everything else is refused here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus

from neopain.codecs.fhir.alert_act import OPERATIONS
from neopain.codecs.fhir.ids import ID
from neopain.codecs.fhir.refusal import Refused, not_found

PREFIX = "/fhir/"
READ_TYPES = ("Observation", "Patient", "Encounter", "Flag", "Device", "Location", "Provenance")
WRITTEN_TYPE = "Observation"
EVENTS = "$events"
PAGE_LINK = re.compile(r"(^|&)_getpages=")
"""How some servers (HAPI) name the next page: by their base URL and this parameter."""
READ_METHODS = ("GET", "HEAD")


class Kind(Enum):
    """What is asked for."""

    READ = "read"
    WRITE = "write"
    EVENTS = "events"


READING = dict.fromkeys(READ_METHODS, Kind.READ)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is passed on: the path below the server's base URL, as it came."""

    kind: Kind
    path: str


def read_asked(method: str, path: str, query: str, *, is_ours: bool) -> Asked:
    """What is asked, from the raw path below ``/fhir/``.

    ``Refused`` (404, 405) for what is not passed on; a server that is not ours is only read.
    """
    parts = [EVENTS] if path in (EVENTS, "%24events") else path.split("/")
    allowed = _allowed(parts, query, is_ours=is_ours)
    if not allowed:
        raise not_found("such address")
    if method not in allowed:
        headers = {"Allow": ", ".join(allowed)}
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "not-supported", "this is not passed on", headers=headers)
    return Asked(allowed[method], "/".join(parts))


def _allowed(parts: list[str], query: str, *, is_ours: bool) -> dict[str, Kind]:
    """The methods that an address has."""
    match parts:
        case ["metadata"]:
            return READING
        case [""] if PAGE_LINK.search(query):
            return READING
        case ["$events"] if is_ours:
            return {"GET": Kind.EVENTS}
        case [name, *rest] if name in READ_TYPES:
            return _of_type(name, rest, is_ours=is_ours)
    return {}


def _of_type(name: str, rest: list[str], *, is_ours: bool) -> dict[str, Kind]:
    is_written = is_ours and name == WRITTEN_TYPE
    match rest:
        case []:
            return {**READING, "POST": Kind.WRITE} if is_written else READING
        case ["_search"]:
            return {"POST": Kind.READ}
        case [own_id] if _is_id(own_id):
            return {**READING, "PUT": Kind.WRITE} if is_written else READING
        case [own_id, operation] if is_ours and name == "Flag" and _is_id(own_id):
            return {"POST": Kind.WRITE} if _operation(operation) in OPERATIONS else {}
    return {}


def _operation(segment: str) -> str:
    return segment.replace("%24", "$", 1)


def _is_id(segment: str) -> bool:
    """An id of FHIR; ``.`` and ``..`` are such, too, but on the way would become another path."""
    return ID.fullmatch(segment) is not None and segment.strip(".") != ""
