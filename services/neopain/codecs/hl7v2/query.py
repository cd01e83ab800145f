"""Queries of the census: QRY^A19 (v2.5 chapter 3.3.19), QBP^Q22 (v2.6 chapter 3.3.57), QBP^ZV1 (IHE PDQ, ITI-22).

By a patient's number, a place, a visit; never by name, since the census keeps none. Whatever would narrow the answer
and cannot be looked up is refused, not passed over: else more people would be told of than were asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from neopain.codecs.hl7v2.header import Header
from neopain.codecs.hl7v2.identity import NOT_PERSONAL, is_placeholder, readable
from neopain.codecs.hl7v2.message import (
    FIELD_MISSING,
    SEGMENT_SEQUENCE_ERROR,
    UNSUPPORTED_VERSION,
    VALUE_NOT_FOUND,
    Message,
    Segment,
    part,
    repeated,
)
from neopain.domain.identity import PatientId
from neopain.domain.query import Place, Query
from neopain.errors import MalformedMessage


@dataclass(frozen=True, slots=True)
class QueryForm:
    """One kind of query and its answer. ``definition`` is the segment that is asked with and echoed, ``tag`` and
    ``name`` the fields in it that QAK-1 and QAK-3 echo; ``has_visit`` says whether the answer's structure has PV1."""

    definition: str
    tag: int
    name: int | None
    answer: tuple[str, str]
    structures: Mapping[str, str]
    has_visit: bool


_RSP_K21 = dict.fromkeys(("2.5", "2.5.1", "2.6"), "RSP_K21")
FORMS: Mapping[tuple[str, str], QueryForm] = {
    ("QRY", "A19"): QueryForm("QRD", 4, None, ("ADR", "A19"), {"": "ADR_A19"}, has_visit=True),
    ("QBP", "Q22"): QueryForm("QPD", 2, 1, ("RSP", "K22"), {"": "RSP_K22", **_RSP_K21}, has_visit=False),
    ("QBP", "ZV1"): QueryForm("QPD", 2, 1, ("RSP", "ZV2"), {"": "RSP_ZV2"}, has_visit=True),
}
"""By MSH-9.1 and MSH-9.2. ``structures`` is MSH-9.3 of the answer by version: table 0354 has changed its mind."""

OLDEST = (2, 3)
"""Before, PID-3 had no authority and PV1-3 no room."""
DEMOGRAPHICS = frozenset({"", "DEM", "ANU", "APM"})
"""QRD-9 (table 0048) that is answered: demographics, whoever lies in a unit, whoever has a number."""

_PARAMETER = re.compile(r"@([A-Z][A-Z0-9]{2})\.([0-9]{1,3})(?:\.([0-9]{1,2}))?(?:\.([0-9]{1,2}))?")
PARAMETERS: Mapping[tuple[str, int, int, int], str] = {
    ("PID", 3, 1, 1): "number",
    ("PID", 3, 4, 1): "authority",
    ("PID", 3, 4, 2): "authority id",
    ("PID", 3, 4, 3): "authority type",
    ("PID", 3, 5, 1): "type",
    ("PV1", 3, 1, 1): "unit",
    ("PV1", 3, 2, 1): "room",
    ("PV1", 3, 3, 1): "bed",
    ("PV1", 3, 4, 1): "facility",
    ("PV1", 19, 1, 1): "visit",
}
"""QPD-3 (QIP): segment, field, component and subcomponent, those left out being the first."""


def version_of(text: str) -> tuple[int, ...]:
    """MSH-12 for comparing; a sender without a version is taken for one of 2.6, as in our answers."""
    return tuple(int(one) for one in (text or "2.6").split("."))


def read_query(message: Message, header: Header, *, default_facility: str = "") -> Query:
    """Who is asked for; the message must be of a kind in ``FORMS``.

    Raises ``MalformedMessage``: 100 or 101 for what is missing, 103 for what cannot be looked up or is not readable
    (102), 203 for a version before 2.3.
    """
    if version_of(header.version) < OLDEST:
        raise MalformedMessage("MSH-12", "queries are answered from version 2.3 on", code=UNSUPPORTED_VERSION)
    if not all(message.delimiters):
        raise MalformedMessage("MSH-2", "the answer needs all of the four signs", code=VALUE_NOT_FOUND)
    form = FORMS[header.message_type, header.trigger]
    definition = _required(message, form.definition)
    if form.definition == "QRD":
        return _by_definition(definition, message.first("QRF"), default_facility)
    return _by_parameters(definition, message.first("RCP"), default_facility)


def _by_definition(qrd: Segment, qrf: Segment | None, default_facility: str) -> Query:
    """QRD-8 names persons; without one, QRF-1 the unit, and QRF-5 room and bed."""
    _require(qrd, 2, frozenset({"", "R"}), "only record-oriented answers (R) are given")
    _require(qrd, 3, frozenset({"", "I"}), "only immediate answers (I) are given")
    _require(qrd, 9, DEMOGRAPHICS, "only demographics (DEM, ANU, APM) are told")
    patients = tuple(one for raw in qrd.repetitions(8) if (one := _subject(raw, qrd)) is not None)
    place = Place() if patients or qrf is None else _filtered(qrf, default_facility)
    return _asked(Query(patients, place, most=_limit(qrd, 7)), "QRD-8", "a patient's number, or a place in QRF-1")


def _subject(raw: str, qrd: Segment) -> PatientId | None:
    """XCN: number, and the authority in its ninth component."""
    value, *names = (part(raw, component, 1, qrd.delimiters) for component in (1, 2, 3))
    if is_placeholder(value):
        if any(names):
            raise MalformedMessage("QRD-8", "nobody is looked up by name: the census keeps none", code=VALUE_NOT_FOUND)
        return None
    authority = part(raw, 9, 1, qrd.delimiters) or part(raw, 9, 2, qrd.delimiters)
    return PatientId(readable(value, "QRD-8"), readable(authority, "QRD-8"))


def _filtered(qrf: Segment, default_facility: str) -> Place:
    if not (raw := qrf.raw(5)):
        room = bed = ""
    elif raw.count(qrf.delimiters.component) != 1:
        raise MalformedMessage("QRF-5", "must be a room and a bed, two components", code=VALUE_NOT_FOUND)
    else:
        room, bed = qrf.text(5, 1), qrf.text(5, 2)
    return _place(unit=qrf.text(1), room=room, bed=bed, facility=default_facility, location="QRF")


def _by_parameters(qpd: Segment, rcp: Segment | None, default_facility: str) -> Query:
    """QPD-3: every parameter must hold."""
    named = _parameters(qpd)
    if rcp is not None:
        _require(rcp, 1, frozenset({"", "I"}), "only immediate answers (I) are given")
    place = _place(
        unit=named.get("unit", ""),
        room=named.get("room", ""),
        bed=named.get("bed", ""),
        facility=named.get("facility", default_facility),
        location="QPD-3",
    )
    query = Query(
        patients=_numbered(named),
        place=place,
        visit=named.get("visit", ""),
        domains=frozenset(
            authority
            for raw in qpd.repetitions(8)
            if (authority := part(raw, 4, 1, qpd.delimiters) or part(raw, 4, 2, qpd.delimiters))
        ),
        most=_limit(rcp, 2) if rcp is not None else None,
    )
    return _asked(query, "QPD-3", "a patient's number (@PID.3.1), a place (@PV1.3) or a visit (@PV1.19)")


def _parameters(qpd: Segment) -> dict[str, str]:
    named: dict[str, str] = {}
    for raw in repeated(qpd.raw(3), qpd.delimiters):
        key, value = part(raw, 1, 1, qpd.delimiters), part(raw, 2, 1, qpd.delimiters)
        if not value:
            continue
        found = _PARAMETER.fullmatch(key.upper())
        known = PARAMETERS.get((found[1], int(found[2]), int(found[3] or 1), int(found[4] or 1))) if found else None
        if known is None:
            rule = f"nobody is looked up by {found[0]}" if found else "a parameter must be a field, @PID.3.1"
            raise MalformedMessage("QPD-3", rule, code=VALUE_NOT_FOUND)
        if known in named:
            raise MalformedMessage("QPD-3", "a parameter must not be named twice", code=VALUE_NOT_FOUND)
        named[known] = readable(value, "QPD-3")
    return named


def _numbered(named: Mapping[str, str]) -> tuple[PatientId, ...]:
    value, type_code = named.get("number", ""), named.get("type", "").upper()
    if is_placeholder(value):
        if named.keys() & {"authority", "authority id", "type"}:
            raise MalformedMessage("QPD-3", "an authority needs a number (@PID.3.1)", code=FIELD_MISSING)
        return ()
    if type_code in NOT_PERSONAL:
        raise MalformedMessage("QPD-3", "a number of that type names no single person", code=VALUE_NOT_FOUND)
    return (PatientId(value, named.get("authority") or named.get("authority id", "")),)


def _place(*, unit: str, room: str, bed: str, facility: str, location: str) -> Place:
    place = Place(*(readable(one, location) for one in (unit, room, bed, facility)))
    return place or Place()


def _asked(query: Query, location: str, what: str) -> Query:
    if not (query.patients or query.place or query.visit):
        raise MalformedMessage(location, f"{what} is required", code=FIELD_MISSING)
    return query


def _limit(segment: Segment, field: int) -> int | None:
    """A quantity of records (CQ); one of lines or pages says nothing of people."""
    amount, unit = segment.text(field), segment.text(field, 2).upper()
    return int(amount) if amount.isdecimal() and int(amount) > 0 and unit in ("", "RD") else None


def _require(segment: Segment, field: int, allowed: frozenset[str], rule: str) -> None:
    if segment.text(field).upper() not in allowed:
        raise MalformedMessage(segment.place(field), rule, code=VALUE_NOT_FOUND)


def _required(message: Message, name: str) -> Segment:
    segment = message.first(name)
    if segment is None:
        raise MalformedMessage(name, "the segment is required", code=SEGMENT_SEQUENCE_ERROR)
    return segment
