"""A site's flowsheet interface: who is addressed, whose numbers it knows, and which value goes to which row.

What the rows are called is the site's own (interop.md 1.7). Reading the site's file is left to charting, what a row
says of an entry to ``flowsheet_values``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from enum import Enum

from neopain.codecs.fhir.terminology import OWN_CODES, PAIN_SCORE

NIPS_CODE = "98012-8"
"""LOINC, total score NIPS: only ever carries 0 to 7 (interop.md 1.4)."""
LONGEST_ST = 199
"""Characters that a string of type ST holds (v2.5.1 chapter 2.A.74)."""


class ValueType(Enum):
    """OBX-2 (table 0125), those that a flowsheet takes."""

    NUMBER = "NM"
    STRING = "ST"
    TEXT = "TX"


class Missing(Enum):
    """What is sent for a number that the entry does not have."""

    OMIT = "omit"
    """The row is left out."""
    REASON = "reason"
    """The reason in words, as a string: never a number."""


class Acknowledgement(Enum):
    """Which answer settles a message (v2.5.1 chapter 2.9): of the application, of safe storage, or of original mode."""

    APPLICATION = "application"
    ACCEPT = "accept"
    ORIGINAL = "original"


@dataclass(frozen=True, slots=True)
class Coded:
    """A coded element (CE): identifier, text and coding system."""

    code: str
    text: str = ""
    system: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the flowsheet, an OBX. ``value`` names one of ``SOURCES``; ``words`` are the site's for ours."""

    value: str
    observation: Coded
    kind: ValueType
    unit: str = ""
    sent_unit: Coded = Coded("")
    decimals: int = 1
    missing: Missing = Missing.OMIT
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Authority:
    """How the receiver names an assigning authority of the census (PID-3.4), and the type of its numbers (PID-3.5).

    Without a type, numbers keep the one that they came with.
    """

    sent: str
    type_code: str = ""


@dataclass(frozen=True, slots=True)
class Flowsheet:
    """The interface of one receiver; times are written in ``zone``. ``authorities``: by those of the census."""

    name: str
    sender: tuple[str, str]
    receiver: tuple[str, str]
    authorities: Mapping[str, Authority]
    rows: tuple[Row, ...]
    acknowledgement: Acknowledgement = Acknowledgement.APPLICATION
    charset: str = "UNICODE UTF-8"
    codec: str = "utf-8"
    zone: tzinfo = UTC
    service: Coded = Coded(PAIN_SCORE, OWN_CODES[PAIN_SCORE], "99NEOPAIN")
    patient_class: str = "U"
    retraction: str = "D"
    """OBX-11 of what was entered in error: D deletes it, W posts it as wrong (table 0085)."""
