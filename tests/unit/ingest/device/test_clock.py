from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from neopain.domain.time import TimeQuality
from neopain.errors import MalformedMessage
from neopain.ingest.device.clock import DeviceClock, device_bed

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOON_US = 1_772_366_400_000_000


def test_the_source_time_of_a_device_is_kept_exactly() -> None:
    timing = DeviceClock().align(received=NOON, source_us=NOON_US - 50_001)
    assert timing.source == NOON - timedelta(microseconds=50_001)
    assert timing.quality is TimeQuality.SOURCE


def test_a_chunk_of_sound_is_aligned_by_its_end_since_it_cannot_be_sent_before() -> None:
    length = timedelta(seconds=1)
    timing = DeviceClock().align(received=NOON, source_us=NOON_US - 1_000_000, length=length)
    assert timing.aligned == NOON - length
    assert timing.source == NOON - length


def test_sound_without_a_source_time_ended_when_it_arrived() -> None:
    timing = DeviceClock().align(received=NOON, source_us=None, length=timedelta(seconds=1))
    assert timing.aligned == NOON - timedelta(seconds=1)
    assert timing.quality is TimeQuality.NO_SOURCE_TIME


def test_a_clock_that_is_off_by_more_than_30_s_is_not_believed() -> None:
    timing = DeviceClock().align(received=NOON, source_us=NOON_US - 31_000_000)
    assert timing.quality is TimeQuality.UNUSABLE


def test_an_item_that_waited_in_the_device_is_as_old_as_the_device_says() -> None:
    sent_us = NOON_US - 50_000
    timing = DeviceClock().align(received=NOON, source_us=sent_us - 600_000_000, sent_us=sent_us)
    assert timing.quality is TimeQuality.SOURCE
    assert timing.aligned == NOON - timedelta(minutes=10)


def test_an_item_that_waited_keeps_its_age_when_the_device_s_clock_is_skewed() -> None:
    sent_us = NOON_US - 10_000_000
    timing = DeviceClock().align(received=NOON, source_us=sent_us - 20_000_000, sent_us=sent_us)
    assert timing.quality is TimeQuality.SKEWED
    assert timing.aligned == NOON - timedelta(seconds=20)


def test_an_item_that_was_sent_before_it_was_measured_is_not_believed() -> None:
    timing = DeviceClock().align(received=NOON, source_us=NOON_US + 60_000_000, sent_us=NOON_US)
    assert timing.quality is TimeQuality.UNUSABLE
    assert timing.aligned == NOON


def test_a_time_that_no_calendar_has_is_refused() -> None:
    with pytest.raises(MalformedMessage, match="4611686018427387904 is no time"):
        DeviceClock().align(received=NOON, source_us=2**62)


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 201, "recording/4711"])
def test_what_cannot_be_a_bed_is_refused(name: str) -> None:
    with pytest.raises(MalformedMessage, match="bed"):
        device_bed(name)
