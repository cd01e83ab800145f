"""Dates of a search: the range that a precision implies, and what each prefix asks of a period."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neopain.codecs.fhir.dates import Prefix, read_date
from neopain.codecs.fhir.refusal import Refused

NOW = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("2026", "2026-01-01", "2027-01-01"),
        ("2026-12", "2026-12-01", "2027-01-01"),
        ("2026-02-28", "2026-02-28", "2026-03-01"),
        ("2026-10-05T12:00", "2026-10-05T12:00", "2026-10-05T12:01"),
        ("2026-10-05T12:00:59Z", "2026-10-05T12:00:59", "2026-10-05T12:01"),
        ("2026-10-05T12:00:00.5Z", "2026-10-05T12:00:00.5", "2026-10-05T12:00:00.6"),
        ("2026-10-05T12:00:00.1234567Z", "2026-10-05T12:00:00.123456", "2026-10-05T12:00:00.123457"),
        ("2026-10-05T12:00+02:00", "2026-10-05T10:00", "2026-10-05T10:01"),
        ("2026-10-05T12:00 02:00", "2026-10-05T10:00", "2026-10-05T10:01"),
        ("2026-10-05T12:00-05:30", "2026-10-05T17:30", "2026-10-05T17:31"),
    ],
)
def test_a_value_is_the_range_of_its_precision(text: str, begin: str, end: str) -> None:
    value = read_date(text)

    assert (value.prefix, value.begin, value.end) == (Prefix.EQUAL, at(begin), at(end))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "26",
        "2026-13",
        "2026-02-30",
        "2026-10-05T24:00",
        "2026-10-05T12",
        "2026-10-05T12:00+15:00",
        "2026-10-05T12:00+01:75",
        "0000",
        "0001-01-01T00:00+01:00",
        "xx2026",
        "2026 ",
        "٢٠٢٦",
    ],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="a date"):
        read_date(text)


def test_the_end_of_time_has_no_end() -> None:
    assert read_date("9999").end == datetime.max.replace(tzinfo=UTC)


PERIOD = (at("2026-10-05T10:00"), at("2026-10-05T11:00"))


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("2026-10-05", True),
        ("2026-10-05T10:00", False),
        ("ne2026-10-05", False),
        ("ne2026-10-05T10:30", True),
        ("gt2026-10-05T10:30", True),
        ("gt2026-10-05T11:00", False),
        ("gt2026-10-05", False),
        ("ge2026-10-05", True),
        ("lt2026-10-05T10:30", True),
        ("lt2026-10-05T10:00", False),
        ("le2026-10-05T10:00", False),
        ("le2026-10-05", True),
        ("sa2026-10-05T09:59", True),
        ("sa2026-10-05T10:00", False),
        ("eb2026-10-05T11:01", True),
        ("eb2026-10-05T11:00", False),
        ("ap2026-10-05T12:00", False),
        ("ap2026-10-01", False),
        ("ap2026-10-05T10:50", True),
        ("ap2026-10-05T09:55", True),
        ("ap2026-10-04", False),
    ],
)
def test_a_prefix_asks_of_a_period_what_r4_says(text: str, *, holds: bool) -> None:
    assert read_date(text).claim(*PERIOD, now=NOW) is holds


@given(begin=MOMENTS, start=MOMENTS, length=st.timedeltas(timedelta(0), timedelta(days=400)))
def test_a_period_is_within_or_not_and_greater_or_equal_is_either(
    begin: datetime, start: datetime, length: timedelta
) -> None:
    value = f"{begin:%Y-%m-%d}"
    asked = {prefix: read_date(f"{prefix.value}{value}").claim(start, start + length, now=NOW) for prefix in Prefix}

    assert asked[Prefix.EQUAL] is not asked[Prefix.NOT_EQUAL]
    assert asked[Prefix.GREATER_OR_EQUAL] is (asked[Prefix.GREATER] or asked[Prefix.EQUAL])
    assert asked[Prefix.LESS_OR_EQUAL] is (asked[Prefix.LESS] or asked[Prefix.EQUAL])
    assert not (asked[Prefix.STARTS_AFTER] and asked[Prefix.ENDS_BEFORE])
