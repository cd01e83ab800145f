"""Every time form that HL7 v2 has, and those that senders write instead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neopain.codecs.hl7v2.time import Precision, offset_zone, read_moment, to_the_second, write_moment, zone_at
from neopain.errors import MalformedMessage

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20260704120000+0200", datetime(2026, 7, 4, 10, 0, tzinfo=UTC)),
        ("20260704120000-0330", datetime(2026, 7, 4, 15, 30, tzinfo=UTC)),
        ("20260704120000.1234+0000", datetime(2026, 7, 4, 12, 0, 0, 123400, tzinfo=UTC)),
        ("20260704120000.5Z", datetime(2026, 7, 4, 12, 0, 0, 500000, tzinfo=UTC)),
        ("20260704120000123+0000", datetime(2026, 7, 4, 12, 0, 0, 123000, tzinfo=UTC)),
        ("20260704120000.123456789+00:00", datetime(2026, 7, 4, 12, 0, 0, 123456, tzinfo=UTC)),
        ("20260704120000+02", datetime(2026, 7, 4, 10, 0, tzinfo=UTC)),
        ("2026-07-04T12:00:00+02:00", datetime(2026, 7, 4, 10, 0, tzinfo=UTC)),
        ("2026-07-04T12:00:00.250Z", datetime(2026, 7, 4, 12, 0, 0, 250000, tzinfo=UTC)),
        ("2026-07-04T12:00:00.123456789-0330", datetime(2026, 7, 4, 15, 30, 0, 123456, tzinfo=UTC)),
        ("2026-01-04T12:00:00", datetime(2026, 1, 4, 11, 0, tzinfo=UTC)),
        ("20260704120000", datetime(2026, 7, 4, 10, 0, tzinfo=UTC)),
        ("20260104120000", datetime(2026, 1, 4, 11, 0, tzinfo=UTC)),
        ("202607041200", datetime(2026, 7, 4, 10, 0, tzinfo=UTC)),
        ("2026070412", datetime(2026, 7, 4, 10, 0, tzinfo=UTC)),
        ("20260704", datetime(2026, 7, 3, 22, 0, tzinfo=UTC)),
        ("202607", datetime(2026, 6, 30, 22, 0, tzinfo=UTC)),
        ("2026", datetime(2025, 12, 31, 23, 0, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_as_utc_with_the_site_zone_where_it_has_no_offset(text: str, expected: datetime) -> None:
    assert read_moment(text, zone=BERLIN, location="OBX-14").utc == expected


@pytest.mark.parametrize(
    ("text", "precision"),
    [
        ("20260704120000.1+0200", Precision.SECOND),
        ("2026-07-04T12:00:00", Precision.SECOND),
        ("202607041200+0200", Precision.MINUTE),
        ("2026070412", Precision.HOUR),
        ("20260704", Precision.DAY),
        ("202607", Precision.MONTH),
        ("2026", Precision.YEAR),
    ],
)
def test_the_precision_is_how_far_the_time_was_written_out(text: str, precision: Precision) -> None:
    assert read_moment(text, zone=UTC, location="OBX-14").precision is precision


def test_the_text_is_kept_exactly() -> None:
    assert read_moment("20260704120000.1230+0200", zone=UTC, location="OBX-14").text == "20260704120000.1230+0200"


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "20261304", "20260230", "20260704250000", "20260704126000", "2026-07-04", "20260704120000+2500"),
        *("2026-07-04T12:00", "2026-07-04T12:00+02:00", "2026-07-04T12", "2026-07-04 12:00:00", "2026-07-04T120000"),
        *("2026-07-04T24:00:00", "2026-02-30T12:00:00Z", "2026-07-04T12:00:00,5", "2026-07-04T12:00:00+25:00"),
        *("20260704T120000", "2026-W27-6T12:00:00", "2026-185T12:00:00", "2026-07-04T12:00:60"),
        *("20260704120000+0099", "0000", "99991231235959-1200", "20260704120000.", '""', "２０２６"),
    ],
)
def test_what_is_no_time_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        read_moment(text, zone=UTC, location="OBX[3]-14")
    assert (caught.value.location, caught.value.code) == ("OBX[3]-14", "102")


def test_an_hour_that_occurs_twice_is_read_as_its_first_occurrence() -> None:
    assert read_moment("20261025023000", zone=BERLIN, location="OBX-14").utc == datetime(
        2026, 10, 25, 0, 30, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("came", "text", "expected"),
    [
        ("2026-10-25T00:30:00", "20261025023000", "2026-10-25T00:30:00"),
        ("2026-10-25T01:30:00", "20261025023000", "2026-10-25T01:30:00"),
        ("2026-10-25T01:30:00", "2026-10-25T02:30:00", "2026-10-25T01:30:00"),
        ("2026-10-25T01:05:00", "20261025025500", "2026-10-25T00:55:00"),
        ("2026-10-25T00:59:59", "20261025020001", "2026-10-25T01:00:01"),
        ("2026-10-25T09:00:00", "20261025025500", "2026-10-25T01:55:00"),
        ("2026-10-25T01:30:00", "20261025014500", "2026-10-24T23:45:00"),
        ("2026-10-25T01:30:00", "20261025033000", "2026-10-25T02:30:00"),
        ("2026-10-25T01:30:00", "20261025023000+0200", "2026-10-25T00:30:00"),
        ("2026-03-29T01:10:00", "20260329023000", "2026-03-29T01:30:00"),
        ("2026-07-04T12:00:00", "20260704140000", "2026-07-04T12:00:00"),
    ],
)
def test_of_an_hour_that_occurs_twice_a_message_means_the_one_nearest_to_when_it_comes(
    came: str, text: str, expected: str
) -> None:
    zone = zone_at(BERLIN, datetime.fromisoformat(came).replace(tzinfo=UTC))
    wanted = datetime.fromisoformat(expected).replace(tzinfo=UTC)
    assert read_moment(text, zone=zone, location="EVN-2").utc == wanted
    assert to_the_second(text, zone=zone) == wanted


@pytest.mark.parametrize("text", ["20260704120000-0500", "2026-07-04T12:00:00-05:00"])
def test_the_offset_of_a_time_is_found_for_its_whole_message(text: str) -> None:
    zone = offset_zone(text)
    assert zone is not None
    assert zone.utcoffset(None) == timedelta(hours=-5)


@pytest.mark.parametrize(
    "text", ["20260704120000", "2026-07-04T12:00:00", "2026-07-04+02:00", "", "soon", "20260704120000+9900"]
)
def test_a_time_without_an_offset_gives_no_zone(text: str) -> None:
    assert offset_zone(text) is None


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_reading_what_was_written_gives_it_back_to_the_millisecond(moment: datetime) -> None:
    read = read_moment(write_moment(moment), zone=BERLIN, location="MSH-7").utc
    assert read == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


FRACTION = st.sampled_from(["", ".5", ".25", ".123", ".1234", ".00001", ".999999"])
OFFSET = st.sampled_from(["", "+0000", "-0130", "+1400", "+1401", "+0060", "-2359"])
PLACES = st.sampled_from([UTC, BERLIN])


@settings(max_examples=200, deadline=None)
@given(
    st.from_regex(r"(19|20|00)[0-9]{2}(0[0-9]|1[0-3])[0-3][0-9][0-2][0-9][0-6][0-9][0-6][0-9]", fullmatch=True),
    FRACTION,
    OFFSET,
    PLACES,
)
def test_a_time_in_the_usual_writing_is_read_as_any_other(
    digits: str, fraction: str, offset: str, zone: tzinfo
) -> None:
    text = f"{digits}{fraction}{offset}"
    try:
        expected = read_moment(text, zone=zone, location="OBX-14").utc
    except MalformedMessage:
        expected = None
    assert to_the_second(text, zone=zone) == expected
