"""Search (R4 search.html): which parameters each resource has, and a query read into what it asks for.

The tables are what the CapabilityStatement says. Unknown parameters are refused or passed over as ``Prefer: handling``
says; a modifier that is not known is always refused, since it may turn the meaning round.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus

from neopain.codecs.fhir.cursor import Place, read_cursor, write_cursor
from neopain.codecs.fhir.dates import DateValue, read_date
from neopain.codecs.fhir.ids import ID
from neopain.codecs.fhir.refusal import Refused, Warnings, bad_request

DEFAULT_COUNT = 50
MOST_COUNT = 500
MOST_PARAMETERS = 40
MOST_VALUES = 100

Pair = tuple[str, str]


class Kind(Enum):
    """Type of a search parameter, in R4's words."""

    TOKEN = "token"  # noqa: S105 - a type of parameter
    REFERENCE = "reference"
    DATE = "date"


class Summary(Enum):
    """``_summary``."""

    NO = "false"
    YES = "true"
    TEXT = "text"
    DATA = "data"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class SearchType:
    """What can be searched of one type of resource.

    ``sorts`` are the names for ``_sort``, the first is what holds without one; none: the order is by id.
    ``includes`` are names for ``_include`` and the type each brings.
    """

    parameters: dict[str, Kind]
    sorts: tuple[str, ...] = ()
    includes: dict[str, str] = field(default_factory=dict)


OF_PATIENT = {
    "patient": Kind.REFERENCE,
    "patient.identifier": Kind.TOKEN,
}
OF_SUBJECT = {
    **OF_PATIENT,
    "subject": Kind.REFERENCE,
    "subject.identifier": Kind.TOKEN,
}
ALIASES = {
    "subject": "patient",
    "subject.identifier": "patient.identifier",
    "subject:Patient": "patient",
    "subject:Patient.identifier": "patient.identifier",
    "patient:Patient": "patient",
    "patient:Patient.identifier": "patient.identifier",
}
"""Our subjects are all patients: what asks the same has one name from here on."""
SEARCHES: dict[str, SearchType] = {
    "Observation": SearchType(
        {
            "_id": Kind.TOKEN,
            "_lastUpdated": Kind.DATE,
            **OF_SUBJECT,
            "category": Kind.TOKEN,
            "code": Kind.TOKEN,
            "date": Kind.DATE,
            "encounter": Kind.REFERENCE,
            "identifier": Kind.TOKEN,
            "status": Kind.TOKEN,
        },
        sorts=("-date", "date", "_lastUpdated", "-_lastUpdated"),
        includes={"patient": "Patient", "subject": "Patient", "encounter": "Encounter"},
    ),
    "Patient": SearchType({"_id": Kind.TOKEN, "identifier": Kind.TOKEN}),
    "Encounter": SearchType(
        {"_id": Kind.TOKEN, **OF_SUBJECT, "identifier": Kind.TOKEN, "status": Kind.TOKEN},
        includes={"patient": "Patient", "subject": "Patient"},
    ),
    "Device": SearchType(
        {"_id": Kind.TOKEN, **OF_PATIENT, "identifier": Kind.TOKEN},
        includes={"patient": "Patient"},
    ),
    "Flag": SearchType(
        {"_id": Kind.TOKEN, "_lastUpdated": Kind.DATE, **OF_SUBJECT, "identifier": Kind.TOKEN, "status": Kind.TOKEN},
        sorts=("-date", "date"),
        includes={"patient": "Patient", "subject": "Patient"},
    ),
    "Provenance": SearchType(
        {"_id": Kind.TOKEN, **OF_PATIENT, "recorded": Kind.DATE, "target": Kind.REFERENCE},
        sorts=("-recorded", "recorded"),
        includes={"target": "Observation"},
    ),
    "AuditEvent": SearchType(
        {
            "_id": Kind.TOKEN,
            "date": Kind.DATE,
            "entity": Kind.REFERENCE,
            **OF_PATIENT,
            "subtype": Kind.TOKEN,
        },
        sorts=("-date", "date"),
    ),
    "Subscription": SearchType({"_id": Kind.TOKEN, "status": Kind.TOKEN}),
}
CONTROLS = ("_sort", "_count", "_cursor", "_include", "_summary")
"""What shapes a result; each may come once, ``_include`` more often."""
PASSED_OVER = ("_format", "_pretty")
"""Understood elsewhere, or harmless: neither refused nor warned of."""
REFERENCED_TYPES = {"patient": "Patient", "encounter": "Encounter", "target": "Observation", "entity": "Observation"}


@dataclass(frozen=True, slots=True)
class Token:
    """A token (R4 search.html#token). ``system`` None: any; empty: none at all. ``code`` empty: any of the system."""

    system: str | None
    code: str

    def means(self, system: str, code: str) -> bool:
        """Whether a coding or an identifier is what the token asks for."""
        return (self.system is None or self.system == system) and self.code in ("", code)


@dataclass(frozen=True, slots=True)
class Tokens:
    """A token parameter: any of the values."""

    name: str
    values: tuple[Token, ...]

    def mean(self, system: str, code: str) -> bool:
        """Whether any value asks for the coding or identifier."""
        return any(one.means(system, code) for one in self.values)


@dataclass(frozen=True, slots=True)
class References:
    """A reference parameter: any of the ids, all of the one type that the parameter refers to."""

    name: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dates:
    """A date parameter: any of the values."""

    name: str
    values: tuple[DateValue, ...]


Criterion = Tokens | References | Dates


@dataclass(frozen=True, slots=True)
class Search:
    """A search as understood: every criterion must hold. ``understood`` are the pairs that it was read from."""

    resource_type: str
    criteria: tuple[Criterion, ...] = ()
    sort: str = ""
    count: int = DEFAULT_COUNT
    after: Place | None = None
    includes: frozenset[str] = frozenset()
    summary: Summary = Summary.NO
    understood: tuple[Pair, ...] = ()

    @property
    def is_descending(self) -> bool:
        """Whether the newest comes first."""
        return self.sort.startswith("-")

    @property
    def sorts_by(self) -> str:
        """The parameter that it is sorted by; empty for the order of ids."""
        return self.sort.lstrip("-")

    @property
    def is_count(self) -> bool:
        """Whether only the number of matches is asked for (R4 search.html#count: 0 means that too)."""
        return self.summary is Summary.COUNT or self.count == 0

    def next_pairs(self, place: Place) -> list[Pair]:
        """The query of the page after the place."""
        return [
            *((name, value) for name, value in self.understood if name != "_cursor"),
            ("_cursor", write_cursor(place, sort=self.sort)),
        ]


def read_search(resource_type: str, pairs: Sequence[Pair], *, is_strict: bool, warnings: Warnings) -> Search:
    """What the query asks for. ``Refused`` (400) for what cannot be read, and for the unknown when strict.

    What is passed over is added to ``warnings``.
    """
    if len(pairs) > MOST_PARAMETERS:
        raise bad_request(f"at most {MOST_PARAMETERS} parameters", code="too-costly")
    reader = _Reader(resource_type, is_strict=is_strict, warnings=warnings)
    for name, value in pairs:
        _require_text(name, value)
        reader.take(name, value)
    return reader.search()


class _Reader:
    def __init__(self, resource_type: str, *, is_strict: bool, warnings: Warnings) -> None:
        self.type = SEARCHES[resource_type]
        self.resource_type = resource_type
        self.is_strict = is_strict
        self.warnings = warnings
        self.criteria: list[Criterion] = []
        self.controls: dict[str, str] = {}
        self.includes: set[str] = set()
        self.understood: list[Pair] = []

    def take(self, name: str, value: str) -> None:
        own_name = ALIASES.get(name, name)
        if name in CONTROLS:
            self._control(name, value)
        elif (kind := self.type.parameters.get(own_name)) is not None:
            if not value:
                return
            self.criteria.append(_criterion(own_name, kind, value))
        elif name in PASSED_OVER:
            return
        else:
            self._unknown(name)
            return
        self.understood.append((name, value))

    def search(self) -> Search:
        sort = self._sort()
        cursor = self.controls.get("_cursor")
        place = read_cursor(cursor, sort=sort, has_moment=bool(sort)) if cursor is not None else None
        return Search(
            resource_type=self.resource_type,
            criteria=tuple(self.criteria),
            sort=sort,
            count=_count(self.controls.get("_count")),
            after=place,
            includes=frozenset(self.includes),
            summary=_summary(self.controls.get("_summary")),
            understood=tuple(self.understood),
        )

    def _control(self, name: str, value: str) -> None:
        if name == "_include":
            self._include(value)
        elif name in self.controls:
            raise bad_request(f"{name} comes once")
        else:
            self.controls[name] = value

    def _include(self, value: str) -> None:
        source, _, name = value.partition(":")
        name, _, target = name.partition(":")
        found = self.type.includes.get(name)
        if source != self.resource_type or found is None or target not in ("", found):
            known = ", ".join(f"{self.resource_type}:{one}" for one in self.type.includes) or "none"
            raise bad_request(f"_include of {self.resource_type} is one of: {known}", code="not-supported")
        self.includes.add(ALIASES.get(name, name))

    def _sort(self) -> str:
        value = self.controls.get("_sort", "")
        if not value:
            return self.type.sorts[0] if self.type.sorts else ""
        if value not in self.type.sorts:
            known = ", ".join(self.type.sorts) or "none"
            raise bad_request(f"_sort of {self.resource_type} is one of: {known}", code="not-supported")
        return value

    def _unknown(self, name: str) -> None:
        base, _, modifier = name.partition(":")
        if modifier and (base in self.type.parameters or base in CONTROLS):
            raise bad_request("a modifier of a parameter is not supported", code="not-supported")
        # The name itself is not repeated: anything may be in it.
        text = f"a parameter is not known for {self.resource_type}; known are {', '.join(self.type.parameters)}"
        if self.is_strict:
            raise bad_request(text, code="not-supported")
        self.warnings.add("not-supported", f"{text}: passed over")


def _criterion(name: str, kind: Kind, value: str) -> Criterion:
    texts = _split(value, ",")
    if len(texts) > MOST_VALUES:
        raise bad_request(f"at most {MOST_VALUES} values of a parameter", code="too-costly")
    match kind:
        case Kind.TOKEN:
            return Tokens(name, tuple(_token(text) for text in texts))
        case Kind.REFERENCE:
            return References(name, tuple(_reference(name, text) for text in texts))
        case Kind.DATE:
            return Dates(name, tuple(read_date(_unescaped(text)) for text in texts))


def read_token(text: str) -> Token:
    """A token, ``system|code``; ``Refused`` (400) when it says nothing."""
    return _token(text)


def _token(text: str) -> Token:
    parts = [_unescaped(part) for part in _split(text, "|")]
    if len(parts) > 2 or not any(parts):
        raise bad_request("a token is code, system|code, |code or system|")
    return Token(None, parts[0]) if len(parts) == 1 else Token(parts[0], parts[1])


def _reference(name: str, text: str) -> str:
    """The id that a reference names: ``id``, ``Type/id``, or an address that ends so."""
    expected = REFERENCED_TYPES[name]
    *before, own_id = _unescaped(text).split("/")
    if not ID.fullmatch(own_id) or (before and before[-1] != expected):
        raise bad_request(f"a reference is an id or {expected}/id")
    return own_id


def _split(text: str, separator: str) -> list[str]:
    r"""At separators that no ``\`` stands before (R4 search.html#escaping); the parts are still escaped."""
    parts: list[str] = [""]
    is_escaped = False
    for sign in text:
        if sign == separator and not is_escaped:
            parts.append("")
        else:
            parts[-1] += sign
        is_escaped = sign == "\\" and not is_escaped
    return parts


def _unescaped(text: str) -> str:
    return re.sub(r"\\([\\,|$])", r"\1", text)


def _count(value: str | None) -> int:
    if not value:
        return DEFAULT_COUNT
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise bad_request("_count is a whole number, 0 or more")
    return min(int(value), MOST_COUNT)


def _summary(value: str | None) -> Summary:
    try:
        return Summary(value or "false")
    except ValueError as error:
        raise bad_request(f"_summary is one of {', '.join(one.value for one in Summary)}") from error


def _require_text(*texts: str) -> None:
    """Control signs and half characters mean nothing here, and PostgreSQL does not take them."""
    if any(unicodedata.category(sign) in ("Cc", "Cs") for text in texts for sign in text):
        raise bad_request("a parameter holds a control character")


def handling_of(prefer: Iterable[str]) -> bool:
    """Whether ``Prefer`` asks for strict handling (R4 search.html#errors); lenient otherwise."""
    wanted = [part.strip().lower() for header in prefer for part in re.split("[;,]", header)]
    return "handling=strict" in wanted


def require_json(accept: str, format_parameter: str) -> None:
    """``Refused`` (406) when the client takes no JSON. ``_format`` goes before ``Accept`` (R4 http.html#mime-type)."""
    media_types = [format_parameter] if format_parameter else [part for part in accept.split(",") if part.strip()]
    names = {one.partition(";")[0].strip().lower() for one in media_types}
    if names and not names & JSON_NAMES:
        raise Refused(HTTPStatus.NOT_ACCEPTABLE, "not-supported", "this server speaks application/fhir+json only")


JSON_NAMES = {"json", "application/json", "application/fhir+json", "text/json", "application/*", "*/*"}
