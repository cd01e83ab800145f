"""Dates of a search (R4 search.html#date): a prefix and the range that the value's precision implies.

A value without an offset is read as UTC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Any

from neopain.codecs.fhir.refusal import bad_request

LATEST = datetime.max.replace(tzinfo=UTC)
APPROXIMATELY = 0.1
"""``ap`` means: within this share of the distance between the value and now (R4 search.html#prefix)."""
MOST_OFFSET = timedelta(hours=14)


class Prefix(Enum):
    """How a date compares; a value without prefix is ``eq``."""

    EQUAL = "eq"
    NOT_EQUAL = "ne"
    GREATER = "gt"
    LESS = "lt"
    GREATER_OR_EQUAL = "ge"
    LESS_OR_EQUAL = "le"
    STARTS_AFTER = "sa"
    ENDS_BEFORE = "eb"
    APPROXIMATE = "ap"


# A "+" that a client forgot to escape arrives as a space.
FORM = re.compile(
    r"(?P<prefix>eq|ne|gt|lt|ge|le|sa|eb|ap)?(?P<year>[0-9]{4})"
    r"(-(?P<month>[0-9]{2})"
    r"(-(?P<day>[0-9]{2})"
    r"(T(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(:(?P<second>[0-9]{2})(\.(?P<fraction>[0-9]{1,9}))?)?"
    r"(?P<zone>Z|[+ -][0-9]{2}:[0-9]{2})?)?)?)?"
)


@dataclass(frozen=True, slots=True)
class DateValue:
    """A moment known to some precision: from ``begin`` (included) to ``end`` (not), UTC."""

    prefix: Prefix
    begin: datetime
    end: datetime

    def around(self, now: datetime) -> tuple[datetime, datetime]:
        """The range that counts as approximately the value."""
        margin = abs(now - self.begin) * APPROXIMATELY
        earliest = datetime.min.replace(tzinfo=UTC)
        begin = self.begin - margin if self.begin - earliest > margin else earliest
        return begin, self.end + margin if LATEST - self.end > margin else LATEST

    def claim(self, start: Any, stop: Any, *, now: datetime) -> Any:
        """What the value asks of a period (both ends included) or a moment (start = stop).

        True or False for datetimes; for what else can be compared with them, such as SQL columns, what that gives.
        """
        begin, end = self.around(now) if self.prefix is Prefix.APPROXIMATE else (self.begin, self.end)
        is_within = (start >= begin) & (stop < end)
        is_above, is_below = stop >= end, start < begin
        claims = {
            Prefix.EQUAL: is_within,
            Prefix.NOT_EQUAL: is_below | is_above,
            Prefix.GREATER: is_above,
            Prefix.LESS: is_below,
            Prefix.GREATER_OR_EQUAL: is_above | is_within,
            Prefix.LESS_OR_EQUAL: is_below | is_within,
            Prefix.STARTS_AFTER: start >= end,
            Prefix.ENDS_BEFORE: stop < begin,
            Prefix.APPROXIMATE: (start < end) & (stop >= begin),
        }
        return claims[self.prefix]


def read_date(text: str) -> DateValue:
    """A date value with its prefix; ``Refused`` (400) when it is none."""
    found = FORM.fullmatch(text)
    if found is None:
        raise bad_request("a date is [prefix]YYYY[-MM[-DD[Thh:mm[:ss[.sss]][Z or +hh:mm]]]]")
    try:
        begin = _begin(found).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise bad_request("a date names a moment that there is, from year 1 to 9999") from error
    return DateValue(Prefix(found["prefix"] or "eq"), begin, _end(found, begin))


def _begin(found: re.Match[str]) -> datetime:
    fraction = (found["fraction"] or "").ljust(6, "0")[:6]
    return datetime(
        int(found["year"]),
        int(found["month"] or 1),
        int(found["day"] or 1),
        int(found["hour"] or 0),
        int(found["minute"] or 0),
        int(found["second"] or 0),
        int(fraction),
        tzinfo=_zone(found["zone"]),
    )


def _zone(text: str | None) -> timezone:
    if text in (None, "Z"):
        return UTC
    sign = -1 if text[0] == "-" else 1
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    if offset > MOST_OFFSET or int(text[4:6]) > 59:
        raise ValueError("no such offset")
    return timezone(sign * offset)


def _end(found: re.Match[str], begin: datetime) -> datetime:
    try:
        return _next(found, begin)
    except (ValueError, OverflowError):
        return LATEST


def _next(found: re.Match[str], begin: datetime) -> datetime:
    """The begin of the next moment of the same precision."""
    if found["day"] is None:
        # Without a time there is no offset: the begin is midnight UTC.
        if found["month"] is None:
            return begin.replace(year=begin.year + 1)
        return begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1)
    return begin + _precision(found)


def _precision(found: re.Match[str]) -> timedelta:
    if found["fraction"] is not None:
        return timedelta(microseconds=10 ** max(6 - len(found["fraction"]), 0))
    if found["second"] is not None:
        return timedelta(seconds=1)
    return timedelta(minutes=1) if found["minute"] is not None else timedelta(days=1)
