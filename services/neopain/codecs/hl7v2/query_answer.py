"""The answer to a query of the census: ADR^A19, RSP^K22 or RSP^ZV2 (v2.6 chapters 3.3.19 and 3.3.57; IHE ITI-22).

Of a person only what tells it from others at a bedside: numbers, birth, sex, bed, visit. No name: the census keeps
none, and PID-5 says so (v2.5 chapter 3.4.2.5). Every segment with something of a person in it is read again with
hl7apy, strictly: what it finds fault with, or reads otherwise than it was meant, is not sent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from neopain.codecs.hl7v2.ack import (
    Addressing,
    Outcome,
    Stamp,
    err_line,
    msa_line,
    msh_line,
    one_line,
)
from neopain.codecs.hl7v2.message import APPLICATION_ERROR, DUPLICATE_KEY, Delimiters, Message, escape
from neopain.codecs.hl7v2.query import FORMS, QueryForm, version_of
from neopain.codecs.hl7v2.soundness import require_sound
from neopain.domain.census import Infant
from neopain.domain.identity import PatientId, parts_of
from neopain.domain.query import Findings, Found, Query
from neopain.errors import MalformedMessage

MOST_FOUND = 100
"""The most infants that one answer tells of, whatever the asker would take."""
MOST_BEDS_NAMED = 3
"""Of more held beds only the number is told."""

# What the segments have since when, and until when.
HAS_QAK = (2, 3, 1)
HAS_COUNTS = (2, 4)
HAS_QRI = (2, 4)
HAS_UNSPECIFIED_NAME = (2, 3, 1)
WITHOUT_MSA_TEXT = (2, 7)

_OID = re.compile(r"[0-2](?:\.[0-9]+)+")


@dataclass(frozen=True, slots=True)
class Asked:
    """The message that asks, and how to answer it."""

    message: Message
    to: Addressing
    form: QueryForm

    @property
    def version(self) -> tuple[int, ...]:
        """MSH-12 of the answer, for comparing."""
        return version_of(self.to.version)


def asked_by(message: Message, to: Addressing, kind: tuple[str, str]) -> Asked:
    """The query in that message; ``kind`` is one of ``FORMS``."""
    return Asked(message, to, FORMS[kind])


def write_findings(asked: Asked, query: Query, findings: Findings, stamp: Stamp, *, zone: tzinfo) -> bytes:
    """The answer that tells who was found, without its MLLP envelope; dates are those of ``zone``.

    Raises ``MalformedMessage``: 205 where more were found than the asker takes (nobody is told then: the first ones
    would look like all), 207 where the answer cannot be written so that it is read as it is meant.
    """
    found = findings.found
    most = MOST_FOUND if query.most is None else min(query.most, MOST_FOUND)
    if len(found) > most:
        rule = f"{len(found)} infants are meant and {most} would be taken: none is told, ask more narrowly"
        raise MalformedMessage(asked.form.definition, rule, code=DUPLICATE_KEY)
    people = [line for number, one in enumerate(found, 1) for line in _person(asked, one, number, zone)]
    require_sound(people, version=asked.to.version, delimiters=asked.to.delimiters)
    text = _held_text(findings) or ("" if found or asked.version >= HAS_QAK else "nobody was found")
    return _encoded(asked, [*_head(asked, "A", text, stamp), *_definition(asked, _status(findings), found), *people])


def write_query_error(asked: Asked, outcome: Outcome, stamp: Stamp, error: MalformedMessage) -> bytes:
    """The answer to a query that cannot be answered, with the place and the rule."""
    head = [*_head(asked, outcome.value, str(error), stamp), err_line(asked.to.delimiters, error)]
    lines = [*head, *_definition(asked, f"A{outcome.value}", ())]
    return "".join(f"{line}\r" for line in lines).encode(asked.to.codec, errors="replace")


def _head(asked: Asked, outcome: str, text: str, stamp: Stamp) -> list[str]:
    structures = asked.form.structures
    structure = structures.get(asked.to.version, structures[""])
    has_text = asked.version < WITHOUT_MSA_TEXT
    lines = [
        msh_line(asked.to, stamp, answers_with=(*asked.form.answer, structure)),
        msa_line(asked.to, f"A{outcome}", text if has_text else ""),
    ]
    return lines if has_text or outcome != "A" or not text else [*lines, _notice(asked.to.delimiters, text)]


def _notice(signs: Delimiters, text: str) -> str:
    accepted = signs.component.join(("0", "Message accepted", "HL70357"))
    return signs.field.join(("ERR", "", "", accepted, "W", "", "", "", escape(text, signs)))


def _definition(asked: Asked, status: str, found: Sequence[Found]) -> list[str]:
    """QAK, and the segments that were asked with as they were sent."""
    signs, form = asked.to.delimiters, asked.form
    echoed = [one for one in asked.message.segments if one.name in (form.definition, "QRF")]
    definition = next((one for one in echoed if one.name == form.definition), None)
    lines = [signs.field.join(one_line(field) for field in one.fields) for one in echoed]
    if asked.version < HAS_QAK:
        return lines
    tag, name = (one_line(definition.raw(at)) if definition and at else "" for at in (form.tag, form.name))
    counts = (name, str(len(found)), str(len(found)), "0") if asked.version >= HAS_COUNTS else ()
    return [signs.field.join(("QAK", tag, status, *counts)), *lines]


def _status(findings: Findings) -> str:
    return "OK" if findings.found else "NF"


def _held_text(findings: Findings) -> str:
    """Why nothing is told of some beds: their reasons name nobody."""
    held = findings.held
    told = [f"bed {state.bed} is held ({state.held_reason})" for state in held[:MOST_BEDS_NAMED]]
    more = [f"{len(held) - MOST_BEDS_NAMED} more beds are held"] if len(held) > MOST_BEDS_NAMED else []
    return "; ".join((*told, *more)) + ": nothing is told of who lies there" if held else ""


def _person(asked: Asked, found: Found, number: int, zone: tzinfo) -> list[str]:
    signs, infant = asked.to.delimiters, found.infant
    name = "^^^^^^U".replace("^", signs.component)
    if asked.version >= HAS_UNSPECIFIED_NAME:
        name = signs.repetition + name
    numbers = signs.repetition.join(_cx(one, signs) for one in infant.identifiers)
    pid = [
        "PID",
        str(number),
        "",
        numbers,
        "",
        name,
        "",
        escape(_birth(infant, zone), signs),
        escape(infant.sex, signs),
    ]
    lines = [signs.field.join(pid).rstrip(signs.field)]
    if asked.form.has_visit:
        return [*lines, _pv1(found, number, signs)]
    return [*lines, signs.field.join(("QRI", "", "", _exact(signs)))] if asked.version >= HAS_QRI else lines


def _pv1(found: Found, number: int, signs: Delimiters) -> str:
    place = signs.component.join(escape(part, signs) for part in parts_of(found.bed)).rstrip(signs.component)
    fields = ["PV1", str(number), "U", place]
    if found.infant.visit:
        visit = signs.component.join((escape(found.infant.visit, signs), "", "", "", "VN"))
        fields += [*[""] * 15, visit]
    return signs.field.join(fields)


def _cx(patient: PatientId, signs: Delimiters) -> str:
    authority = escape(patient.assigning_authority, signs)
    if _OID.fullmatch(patient.assigning_authority):
        authority = signs.subcomponent.join(("", authority, "ISO"))
    return signs.component.join((escape(patient.value, signs), "", "", authority, patient.type_code or "MR"))


def _birth(infant: Infant, zone: tzinfo) -> str:
    """A day, or a minute where the minute is known: an infant is told from its twin by it."""
    if infant.born is None:
        return ""
    local = infant.born.astimezone(zone)
    is_day = (local.hour, local.minute, local.second) == (0, 0, 0)
    return f"{local:%Y%m%d}" if is_day else f"{local:%Y%m%d%H%M%z}"


def _exact(signs: Delimiters) -> str:
    return signs.component.join(("EXACT", "everything that was asked for holds", "L"))


def _encoded(asked: Asked, lines: Sequence[str]) -> bytes:
    try:
        return "".join(f"{line}\r" for line in lines).encode(asked.to.codec)
    except UnicodeEncodeError as error:
        rule = "the answer has characters that this set does not have"
        raise MalformedMessage("MSH-18", rule, code=APPLICATION_ERROR) from error
