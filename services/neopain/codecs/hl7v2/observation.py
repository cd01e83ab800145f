"""OBX-3, OBX-5 and OBX-6 of a numeric observation: which row of the code table, which number, in which unit."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from neopain.codecs.hl7v2 import codes
from neopain.codecs.hl7v2.codes import MDC, NAMED, Code, VitalCodes
from neopain.codecs.hl7v2.message import LONGEST_KEPT, Delimiters, part, text_of
from neopain.codecs.hl7v2.validity import validity_of
from neopain.domain.vitals import Validity, VitalKind

NUMBER = r"[+-]?(?:[0-9]{1,12}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})"
"""The pattern of a number as monitors write it; a gateway that calculates writes 17 digits."""
_NUMBER = re.compile(NUMBER)
is_number = _NUMBER.fullmatch
"""Whether a text is one number and nothing else."""
_LONGEST_LABEL = 64
_MOST_KEPT = 2048
"""Distinct spellings kept of a dialect; monitors repeat the same few hundred."""
_MOST_DIALECTS = 4
_BELIEF = {Validity.GOOD: 0, Validity.QUESTIONABLE: 10, Validity.INVALID: 20}


@dataclass(frozen=True, slots=True)
class Identified:
    """``row`` is None for a code that no table knows; ``is_contradictory`` where the code and its name mean different
    kinds, so that neither is believed. ``label`` is the code as sent, shortened."""

    label: str
    row: Code | None
    is_contradictory: bool = False


class UnknownCode(NamedTuple):
    """A code as sent, each part shortened: one that no table knows, or whose name means something else, or one whose
    unit no table knows."""

    system: str
    code: str
    name: str
    unit: str

    @property
    def label(self) -> str:
        """Code and system in one word."""
        return f"{self.code}^{self.system}"[:_LONGEST_LABEL]


class Number(NamedTuple):
    """``is_censored``: the value lies beyond the scale, the number is its end."""

    value: float
    is_censored: bool = False


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an OBX says beside its number and its time.

    ``code`` is that of the table where it is known, else as sent. ``kind`` is None for what is known and is no number
    that is used for scoring, ``scale`` for a unit that no table knows. ``unknown`` is there for a code that none knows.
    ``is_idle``: whatever number stands there, nothing is done with it. ``plain`` is there where a number (OBX-2 NM)
    only needs to be multiplied: kind, factor, and what ``worth_of`` says of it.
    """

    code: str
    is_contradictory: bool
    kind: VitalKind | None
    rank: int
    scale: float | None
    validity: Validity
    unknown: UnknownCode | None = None
    is_idle: bool = False
    plain: tuple[VitalKind, float, int] | None = None


@dataclass(slots=True)
class Dialect:
    """How a message is to be read: its delimiters and the registry in force. Keeps the meanings that it has found."""

    delimiters: Delimiters
    known: VitalCodes
    kept: dict[tuple[str, ...], Meaning] = field(default_factory=dict)
    kept_untimed: dict[tuple[str, ...], Meaning] = field(default_factory=dict)
    """Those of OBX without a time of their own, by OBX-2, OBX-3, and all from OBX-6 on as one text."""

    def meaning_of(self, repeated: tuple[str, ...]) -> Meaning:
        """From OBX-2, OBX-3, OBX-6, OBX-8 and OBX-11 as sent: a monitor repeats them, numbers and times are new."""
        meaning = self.kept.get(repeated)
        if meaning is None:
            meaning = _meaning(repeated, self)
            _keep(self.kept, repeated, meaning)
        return meaning

    def keep_untimed(self, ends: tuple[str, ...], meaning: Meaning) -> None:
        """Keeps the meaning of an OBX without a time of its own."""
        _keep(self.kept_untimed, ends, meaning)


def _keep(kept: dict[tuple[str, ...], Meaning], sent: tuple[str, ...], meaning: Meaning) -> None:
    if sum(map(len, sent)) <= LONGEST_KEPT:
        if len(kept) >= _MOST_KEPT:
            kept.clear()
        kept[sent] = meaning


@lru_cache(maxsize=_MOST_DIALECTS)
def dialect_of(delimiters: Delimiters, known: VitalCodes) -> Dialect:
    """The dialect of these delimiters and this registry, the same one as long as few others come between."""
    return Dialect(delimiters, known)


def worth_of(validity: Validity, rank: int) -> int:
    """What a number is worth beside others of its kind and time; the lowest is the most believable."""
    return _BELIEF[validity] + rank


def _meaning(repeated: tuple[str, ...], dialect: Dialect) -> Meaning:
    data_type, identifier, unit, flags, status = repeated
    delimiters, known = dialect.delimiters, dialect.known
    found = identify(identifier, delimiters, known)
    row, validity = found.row, validity_of(flags, status, delimiters)
    if row is None:
        unknown = unknown_code(identifier, unit, delimiters)
        return Meaning(found.label, False, None, 0, None, validity, unknown)
    code = found.label if found.is_contradictory else row.code
    kind = row.kind if isinstance(row.kind, VitalKind) else None
    scale = factor(kind, unit, delimiters) if kind is not None else None
    is_numeric = data_type.strip().upper() != "NA"
    is_idle = is_numeric and kind is None and not found.is_contradictory
    plain = None
    if data_type == "NM" and kind is not None and scale is not None and not found.is_contradictory:
        plain = (kind, scale, worth_of(validity, row.rank))
    return Meaning(code, found.is_contradictory, kind, row.rank, scale, validity, is_idle=is_idle, plain=plain)


def unknown_code(identifier: str, unit: str, delimiters: Delimiters) -> UnknownCode:
    """What a sender says of a code that no table knows: OBX-3's first triplet and the unit of OBX-6."""
    code, name, system = (part(identifier, at, 1, delimiters)[:_LONGEST_LABEL] for at in (1, 2, 3))
    units = part(unit, 2, 1, delimiters) or part(unit, 1, 1, delimiters)
    return UnknownCode(system, code or name, name, units[:_LONGEST_LABEL])


def identify(raw: str, delimiters: Delimiters, known: VitalCodes) -> Identified:
    """The row of OBX-3 (CWE): by its first triplet, else by its alternate one."""
    triplets = [tuple(part(raw, at + one, 1, delimiters) for one in range(3)) for at in (1, 4)]
    code, name, system = triplets[0]
    label = f"{code or name}^{system}"[:_LONGEST_LABEL]
    for triplet in triplets:
        row, is_contradictory = row_of(*triplet, known=known)
        if row is not None:
            return Identified(label, row, is_contradictory)
    return Identified(label, None)


def row_of(code: str, name: str, system: str, *, known: VitalCodes) -> tuple[Code | None, bool]:
    """The row of one triplet, and whether its code and its name mean different kinds."""
    spelled = codes.SYSTEMS.get(system.upper(), system.upper())
    if spelled == NAMED and (NAMED, code.upper()) in known.by_code:
        return known.by_code[NAMED, code.upper()], False
    if spelled not in (MDC, NAMED):
        return known.by_code.get((spelled, code)), False
    if code == "0":
        code = ""  # a term that had no number yet when the monitor was made
    if not code.isdecimal() and (name.isdecimal() or not name):
        code, name = name, code  # some senders write the name first, or nothing else
    by_code = known.by_code.get((MDC, code)) if code else None
    by_name = known.by_name.get(name)
    if code and by_name is not None and (by_code is None or by_code.kind is not by_name.kind):
        return by_name, True
    return by_code or by_name, False


def factor(kind: VitalKind, raw: str, delimiters: Delimiters) -> float | None:
    """What a value in the unit of OBX-6 (CWE) is multiplied with; None for a unit that no table knows."""
    return codes.unit_factor(kind, tuple(part(raw, at, 1, delimiters) for at in (1, 2, 4, 5)))


def read_number(data_type: str, raw: str, delimiters: Delimiters) -> Number | None:
    """The number of OBX-5 as sent, typed NM, SN or a text that is one; None where it is none."""
    match data_type if data_type == "NM" else data_type.strip().upper():
        case "NM" | "ST" | "TX" | "":
            return _number(raw.strip())
        case "SN":
            comparator, number, separator = (text_of(raw, at, 1, delimiters) for at in (1, 2, 3))
            read = _number(number) if not separator else None
            return Number(read.value, is_censored=comparator not in ("", "=")) if read else None
        case _:
            return None


def _number(text: str) -> Number | None:
    return Number(float(text)) if _NUMBER.fullmatch(text) else None
