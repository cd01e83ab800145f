"""OBX-3, OBX-5 and OBX-6 of a numeric observation: which row of the code table, which number, in which unit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from neopain.codecs.hl7v2 import codes
from neopain.codecs.hl7v2.codes import LOINC, MDC, NAMED, Code
from neopain.codecs.hl7v2.message import Delimiters, Segment, part
from neopain.domain.vitals import VitalKind

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,12}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})")
_LONGEST_LABEL = 64
_CACHED = 4096
"""Distinct spellings kept; monitors repeat the same few hundred."""


@dataclass(frozen=True, slots=True)
class Identified:
    """``row`` is None for a code that no table knows; ``is_contradictory`` where the code and its name mean different
    kinds, so that neither is believed. ``label`` is the code as sent, shortened."""

    label: str
    row: Code | None
    is_contradictory: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """``is_censored``: the value lies beyond the scale, the number is its end."""

    value: float
    is_censored: bool = False


@lru_cache(maxsize=_CACHED)
def identify(raw: str, delimiters: Delimiters) -> Identified:
    """The row of OBX-3 (CWE): by its first triplet, else by its alternate one."""
    triplets = [tuple(part(raw, at + one, 1, delimiters) for one in range(3)) for at in (1, 4)]
    code, name, system = triplets[0]
    label = f"{code or name}^{system}"[:_LONGEST_LABEL]
    for triplet in triplets:
        row, is_contradictory = _row(*triplet)
        if row is not None:
            return Identified(label, row, is_contradictory)
    return Identified(label, None)


def _row(code: str, name: str, system: str) -> tuple[Code | None, bool]:
    known = codes.SYSTEMS.get(system.upper())
    if known == LOINC:
        return codes.BY_CODE.get((LOINC, code)), False
    if known == NAMED and (NAMED, code.upper()) in codes.BY_CODE:
        return codes.BY_CODE[NAMED, code.upper()], False
    if known is None:
        return None, False
    if not code.isdecimal() and (name.isdecimal() or not name):
        code, name = name, code  # some senders write the name first, or nothing else
    by_code = codes.BY_CODE.get((MDC, code))
    by_name = codes.BY_NAME.get(name)
    if code and by_name is not None and (by_code is None or by_code.kind is not by_name.kind):
        return by_name, True
    return by_code or by_name, False


@lru_cache(maxsize=_CACHED)
def factor(kind: VitalKind, raw: str, delimiters: Delimiters) -> float | None:
    """What a value in the unit of OBX-6 (CWE) is multiplied with; None for a unit that no table knows."""
    return codes.unit_factor(kind, tuple(part(raw, at, 1, delimiters) for at in (1, 2, 4, 5)))


def read_number(obx: Segment) -> Number | None:
    """The number of OBX-5, typed NM, SN or a text that is one; None where it is none."""
    match obx.raw(2).strip().upper():
        case "NM" | "ST" | "TX" | "":
            return _number(obx.raw(5).strip())
        case "SN":
            comparator, number, separator = (obx.text(5, at) for at in (1, 2, 3))
            read = _number(number) if not separator else None
            return Number(read.value, is_censored=comparator not in ("", "=")) if read else None
        case _:
            return None


def _number(text: str) -> Number | None:
    return Number(float(text)) if _NUMBER.fullmatch(text) else None
