"""Who and where in HL7 v2: PID-3 (CX, v2.6 chapter 2.A.14) and PV1-3 (PL, chapter 2.A.53).

The patient is never guessed: an identifier that is blank, a placeholder, shared in a family, or not readable in its
character set names nobody.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from neopain.codecs.hl7v2.message import (
    FIELD_MISSING,
    LONGEST_KEPT,
    UNREADABLE,
    VALUE_NOT_FOUND,
    Delimiters,
    Segment,
    part,
    repeated,
    text_of,
)
from neopain.domain.census import without_identifiers
from neopain.domain.identity import BedId, PatientId, bed_id
from neopain.errors import MalformedMessage

NULL = '""'
PLACEHOLDERS = frozenset({"", NULL, "-", "--", "---", "?", "*", "n/a", "na", "nil", "none", "null", "unk", "unknown"})
"""What monitors and registration desks write when they do not know; also any number of zeros."""

NOT_PERSONAL = frozenset(
    (
        *("AN", "ANC", "AND", "ANT", "BA", "BC", "CC", "GL", "VN"),  # accounts and stays
        *("AM", "DI", "DS", "MS", "VS"),  # cards of banks, until v2.4
        *("GI", "GN", "HC", "MA", "MB", "MC", "NH", "SB", "SN"),  # guarantors, and what a family is insured by
        *("DL", "EI", "MCT", "MI", "PEN", "PPN", "RR", "SS", "WCN"),  # a parent's papers, work and pension
        *("EN", "FI", "NE", "NII", "NIIP", "XX"),  # organisations
        "PN",  # a person's, it is not said whose
    )
)
"""Types of table 0203 that do not name one newborn: it may carry them of its mother or family, or of its stay."""
UNTYPED = ""
PREFERRED_TYPES = ("MR", UNTYPED, "PI", "PT")
"""A number without a type is taken for a medical record number, after those that are said to be one."""

_CACHED = 1024
"""Patients and beds kept in their read form: a monitor names the same in every message."""


def read_patients(segment: Segment, field: int) -> tuple[PatientId, ...]:
    """The identifiers of a CX field that name one person, the medical record number first.

    Raises ``MalformedMessage`` when one holds bytes outside of the message's character set.
    """
    return patients_in(segment.raw(field), segment.place(field), segment.delimiters)


def patients_in(raw: str, location: str, delimiters: Delimiters) -> tuple[PatientId, ...]:
    """What ``read_patients`` finds in the field as sent; ``location`` is its place in the words of an error."""
    find = _patients_in if len(raw) <= LONGEST_KEPT else _patients_in.__wrapped__
    return find(raw, location, delimiters)


def read_own_identifiers(pid: Segment) -> tuple[PatientId, ...]:
    """PID-3 without the mother's numbers (PID-21), which some senders give a newborn as well.

    Raises ``MalformedMessage`` where nobody is named, or only the mother.
    """
    identifiers = read_patients(pid, 3)
    if not identifiers:
        raise MalformedMessage("PID-3", "an identifier of the patient is required", code=FIELD_MISSING)
    own = without_identifiers(identifiers, read_patients(pid, 21))
    if not own:
        raise MalformedMessage("PID-3", "must name the patient, not only the mother of PID-21", code=VALUE_NOT_FOUND)
    return own


def own_patients_in(raw: str, mother: str, delimiters: Delimiters) -> tuple[PatientId, ...]:
    """Whom PID-3 names, without the mother's numbers of PID-21, both as sent; nobody where there is only the mother."""
    own = patients_in(raw, "PID-3", delimiters)
    try:
        return without_identifiers(own, patients_in(mother, "PID-21", delimiters)) if own and mother else own
    except MalformedMessage:
        return own  # what cannot be read is none of those that can


def read_bed(segment: Segment, field: int, *, default_facility: str = "") -> BedId | None:
    """The bed of a PL field, None where it names no place at all.

    Raises ``MalformedMessage`` when it holds bytes outside of the message's character set.
    """
    return bed_in(segment.raw(field), segment.place(field), segment.delimiters, default_facility)


def bed_in(raw: str, location: str, delimiters: Delimiters, default_facility: str) -> BedId | None:
    """What ``read_bed`` finds in the field as sent; ``location`` is its place in the words of an error."""
    find = _bed_in if len(raw) <= LONGEST_KEPT else _bed_in.__wrapped__
    return find(raw, location, delimiters, default_facility)


def names_a_bed(segment: Segment, field: int) -> bool:
    """Whether a PL field goes down to a room or a bed: a unit alone is a ward full of infants."""
    raw, location = segment.raw(field), segment.place(field)
    return any(_place_part(raw, component, location, segment.delimiters) for component in (2, 3))


def is_placeholder(text: str) -> bool:
    """Whether the text stands for "not known"."""
    return text.casefold() in PLACEHOLDERS or not text.strip("0")


@lru_cache(maxsize=_CACHED)
def _bed_in(raw: str, location: str, delimiters: Delimiters, default_facility: str) -> BedId | None:
    unit, room, bed, facility = (_place_part(raw, component, location, delimiters) for component in (1, 2, 3, 4))
    if not (unit or room or bed):
        return None
    return bed_id(unit=unit, room=room, bed=bed, facility=facility or default_facility)


def _place_part(raw: str, component: int, location: str, delimiters: Delimiters) -> str:
    text = text_of(raw, component, 1, delimiters) or (text_of(raw, component, 2, delimiters) if component == 4 else "")
    if text == NULL:
        return ""
    return readable(text, f"{location}.{component}")


@lru_cache(maxsize=_CACHED)
def _patients_in(raw: str, location: str, delimiters: Delimiters) -> tuple[PatientId, ...]:
    found = [one for each in repeated(raw, delimiters) if (one := _patient(each, location, delimiters)) is not None]
    return tuple(replace(one, type_code=one.type_code or "MR") for one in sorted(found, key=_rank))


def _patient(raw: str, location: str, delimiters: Delimiters) -> PatientId | None:
    value = part(raw, 1, 1, delimiters)
    type_code = _said(part(raw, 5, 1, delimiters)).upper()
    if is_placeholder(value) or type_code in NOT_PERSONAL:
        return None
    return PatientId(
        value=readable(value, f"{location}.1"),
        assigning_authority=readable(_authority(raw, delimiters), f"{location}.4"),
        type_code=type_code,
    )


def _authority(raw: str, delimiters: Delimiters) -> str:
    return _said(part(raw, 4, 1, delimiters)) or _said(part(raw, 4, 2, delimiters))


def _said(text: str) -> str:
    return "" if text == NULL else text


def _rank(patient: PatientId) -> int:
    return PREFERRED_TYPES.index(patient.type_code) if patient.type_code in PREFERRED_TYPES else len(PREFERRED_TYPES)


def readable(text: str, location: str) -> str:
    """The text; ``MalformedMessage`` when it holds bytes outside of the message's character set."""
    if UNREADABLE in text:
        raise MalformedMessage(location, "must be readable in the character set of MSH-18", code="102")
    return text
