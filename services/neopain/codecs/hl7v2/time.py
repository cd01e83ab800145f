"""The time forms of HL7 v2 (DTM and TS, v2.6 chapter 2.A.22): ``YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]``.

Beside them what senders write instead: milliseconds glued to the seconds, more than four digits of fraction, ``Z``, an
offset with a colon or without minutes; and ISO 8601 to the second, ``2026-10-05T12:00:00+02:00``, which engines take
over from FHIR or XML. Its other forms are no times.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise

from neopain.codecs.hl7v2.message import DATA_TYPE_ERROR
from neopain.errors import MalformedMessage

_DTM = re.compile(
    r"([0-9]{4})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:\.?([0-9]{1,9}))?)?)?)?)?)?"
    r"\s*(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
    r"\s*(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
"""Its groups are those of ``_DTM``."""
_USUAL = re.compile(r"([0-9]{8})((?:[01][0-9]|2[0-3])[0-9]{4}(?:\.[0-9]{1,6})?)([+-][0-9]{4})?")
"""A time to the second as the standard has it and most senders write it."""
_LARGEST_OFFSET = timedelta(hours=14)
_YEARS = range(1900, 9999)
_HOUR = 3600
"""Seconds."""


class Precision(IntEnum):
    """How far a time was written out."""

    YEAR = 1
    MONTH = 2
    DAY = 3
    HOUR = 4
    MINUTE = 5
    SECOND = 6


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as a message gives it: UTC, its precision, and the text exactly as sent. Parts left out are the first ones
    (a day is its midnight)."""

    utc: datetime
    precision: Precision
    text: str


def read_moment(text: str, *, zone: tzinfo, location: str) -> Moment:
    """The time in the text; ``zone`` holds where it carries no offset. ``MalformedMessage`` (102) when it is none.

    A local time that occurs twice in the night when clocks go back is read as its first occurrence, unless the zone
    says otherwise (``zone_at``).
    """
    found = _found(text)
    if found is None:
        raise _no_time(location)
    *parts, fraction, offset = found.groups()
    given = [int(one) for one in parts if one is not None]
    year, month, day, hour, minute, second = (given + [1, 1, 1, 0, 0, 0][len(given) :])[:6]
    try:
        local = datetime(year, month, day, hour, minute, second, _microseconds(fraction), tzinfo=_zone(offset, zone))
        return Moment(local.astimezone(UTC), Precision(len(given)), text)
    except (ValueError, OverflowError) as error:
        raise _no_time(location) from error


def told_moment(text: str, *, zone: tzinfo) -> Moment | None:
    """The time in a field that may be empty; None when it is none.

    Nor is it one in a year before 1900 or in 9999: systems write that where they have none (the first and the last
    moment of .NET, day 0 of OLE), and what is added to it would lie outside the calendar.
    """
    try:
        moment = read_moment(text, zone=zone, location="")
    except MalformedMessage:
        return None
    return moment if moment.utc.year in _YEARS else None


def offset_zone(text: str) -> tzinfo | None:
    """The zone of a time's own offset, None where it carries none or is no time.

    MSH-7's offset is the default of all other times of its message (v2.6 chapter 2.15.9.7).
    """
    found = _found(text)
    if found is None or found[8] is None:
        return None
    try:
        return _zone(found[8], UTC)
    except ValueError:
        return None


def zone_at(zone: tzinfo, moment: datetime) -> tzinfo:
    """The zone as a message that comes at that moment (UTC) means it.

    In the night when clocks go back an hour of local times occurs twice: each is the occurrence that is nearest to the
    moment. Without that a monitor's clock would be an hour behind for an hour, and a transfer told an hour too early.
    """
    return _Nearest(zone, moment) if _goes_back_near(zone, int(moment.timestamp()) // _HOUR) else zone


@lru_cache(maxsize=256)
def _goes_back_near(zone: tzinfo, hour: int) -> bool:
    near = (datetime.fromtimestamp((hour + away) * _HOUR, zone) for away in range(-25, 26))
    offsets = (local.utcoffset() for local in near)
    return any(before > after for before, after in pairwise(offset or timedelta(0) for offset in offsets))


class _Nearest(tzinfo):
    """A zone in which a local time that occurs twice is the occurrence nearest to a moment."""

    def __init__(self, zone: tzinfo, moment: datetime) -> None:
        self.zone = zone
        self.moment = moment

    def utcoffset(self, local: datetime | None, /) -> timedelta | None:
        if local is None:
            return self.zone.utcoffset(None)
        occurrences = [local.replace(tzinfo=self.zone, fold=fold) for fold in (0, 1)]
        first, second = (one.utcoffset() or timedelta(0) for one in occurrences)
        # Where the second offset is the larger one, the local time lies in the hour that a night in spring leaves out.
        nearest = min(occurrences, key=self._distance) if first > second else occurrences[0]
        return nearest.utcoffset()

    def dst(self, local: datetime | None, /) -> timedelta | None:
        return self.zone.dst(local)

    def tzname(self, local: datetime | None, /) -> str | None:
        return self.zone.tzname(local)

    def _distance(self, occurrence: datetime) -> timedelta:
        return abs(occurrence.astimezone(UTC) - self.moment)


def write_moment(moment: datetime) -> str:
    """The time in HL7's form with milliseconds and offset."""
    text = moment.isoformat(timespec="milliseconds")
    return f"{text[:4]}{text[5:7]}{text[8:10]}{text[11:13]}{text[14:16]}{text[17:26]}{text[27:29]}"


def _found(text: str) -> re.Match[str] | None:
    stripped = text.strip()
    return _DTM.fullmatch(stripped) or _ISO.fullmatch(stripped)


def _microseconds(fraction: str | None) -> int:
    return int((fraction or "0").ljust(6, "0")[:6])


def _zone(offset: str | None, default: tzinfo) -> tzinfo:
    return default if offset is None else _zone_of(offset)


@lru_cache(maxsize=128)
def _zone_of(offset: str) -> tzinfo:
    if offset == "Z":
        return UTC
    digits = offset[1:].replace(":", "").ljust(4, "0")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    if size > _LARGEST_OFFSET or int(digits[2:]) > 59:
        raise ValueError(f"{offset} is no offset")
    return timezone(-size if offset[0] == "-" else size)


def _no_time(location: str) -> MalformedMessage:
    return MalformedMessage(location, "must be a time, YYYYMMDDHHMMSS[.S...][+/-ZZZZ]", code=DATA_TYPE_ERROR)


def to_the_minute(text: str, *, zone: tzinfo) -> datetime | None:
    """The begin of the minute, in UTC, that a time without seconds means; None when it is none, or another time."""
    try:
        moment = read_moment(text, zone=zone, location="OBX-14")
    except MalformedMessage:
        return None
    return moment.utc if moment.precision is Precision.MINUTE else None


def to_the_second(text: str, *, zone: tzinfo) -> datetime | None:
    """A time that an observation can be placed by, in UTC; None when it is none, or less exact than a second."""
    usual = _USUAL.fullmatch(text)
    try:
        if usual is not None:
            day, clock, offset = usual.groups()
            local = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=_zone(offset, zone))
            return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    try:
        moment = read_moment(text, zone=zone, location="OBX-14")
    except MalformedMessage:
        return None
    return moment.utc if moment.precision is Precision.SECOND else None
