"""Aligned time: a source's clock is corrected by its rolling skew, within bounds, and never believed beyond them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neopain.domain.time import SkewEstimate, TimeQuality, Timing, recorded_timing, utc

NOON = datetime(2026, 7, 4, 12, 0, tzinfo=UTC)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def test_a_clock_that_is_a_little_off_is_corrected() -> None:
    skew = SkewEstimate()
    timing = skew.align(received=NOON, source=NOON - seconds(0.8), source_text="x")
    assert timing == Timing(NOON, NOON, TimeQuality.SOURCE, NOON - seconds(0.8), "x")


def test_a_slow_transport_does_not_move_the_aligned_time() -> None:
    skew = SkewEstimate()
    skew.align(received=NOON, source=NOON - seconds(0.1))
    late = skew.align(received=NOON + seconds(5), source=NOON + seconds(1))
    assert late.aligned == NOON + seconds(1.1)


def test_without_a_source_time_the_receive_time_stands_in_and_is_flagged() -> None:
    timing = SkewEstimate().align(received=NOON, source=None)
    assert (timing.aligned, timing.quality) == (NOON, TimeQuality.NO_SOURCE_TIME)


@pytest.mark.parametrize(
    ("after", "quality"),
    [
        (-31, TimeQuality.UNUSABLE),
        (-30, TimeQuality.NO_SOURCE_TIME),
        (0, TimeQuality.NO_SOURCE_TIME),
        (90, TimeQuality.NO_SOURCE_TIME),
        (91, TimeQuality.UNUSABLE),
        (2700, TimeQuality.UNUSABLE),
    ],
)
def test_a_minute_is_of_now_as_far_as_a_clock_may_be_off(after: float, quality: TimeQuality) -> None:
    received = NOON + seconds(after)
    timing = SkewEstimate().timing_of(received=received, source=None, source_text="202607041200", minute=NOON)
    assert timing == Timing(received, received, quality, None, "202607041200")


def test_a_time_that_means_no_minute_says_nothing_of_now() -> None:
    timing = SkewEstimate().timing_of(received=NOON, source=None, source_text="yesterday")
    assert (timing.quality, timing.source_text) == (TimeQuality.UNUSABLE, "yesterday")


@pytest.mark.parametrize(
    ("off", "quality"),
    [
        (2.0, TimeQuality.SOURCE),
        (-2.0, TimeQuality.SOURCE),
        (2.1, TimeQuality.SKEWED),
        (-2.1, TimeQuality.SKEWED),
        (30.0, TimeQuality.SKEWED),
        (30.1, TimeQuality.UNUSABLE),
        (-3600.0, TimeQuality.UNUSABLE),
    ],
)
def test_beyond_two_seconds_the_receive_time_is_used_and_beyond_thirty_nothing(
    off: float, quality: TimeQuality
) -> None:
    timing = SkewEstimate().align(received=NOON, source=NOON - seconds(off))
    assert (timing.quality, timing.aligned) == (quality, NOON)


def test_a_clock_that_was_put_right_is_believed_again_after_two_minutes_of_rare_messages() -> None:
    skew = SkewEstimate()
    skew.align(received=NOON, source=NOON + seconds(3600))
    soon, later = NOON + seconds(60), NOON + seconds(121)
    assert skew.align(received=soon, source=soon).quality is TimeQuality.UNUSABLE
    assert skew.align(received=later, source=later).quality is TimeQuality.SOURCE


def test_a_clock_that_was_put_right_is_believed_again_after_the_length_of_frequent_messages() -> None:
    skew = SkewEstimate(length=3)
    skew.align(received=NOON, source=NOON + seconds(3600))
    qualities = [skew.align(received=NOON, source=NOON).quality for _ in range(3)]
    assert qualities == [TimeQuality.UNUSABLE, TimeQuality.UNUSABLE, TimeQuality.SOURCE]


def test_one_message_feeds_the_estimate_once_whatever_it_carries() -> None:
    skew = SkewEstimate()
    skew.observe(received=NOON, source=NOON - seconds(0.5))
    old = skew.timing_of(received=NOON, source=NOON - seconds(300))
    assert (old.aligned, skew.observed) == (NOON - seconds(299.5), 1)


def test_a_recording_s_own_clock_is_the_only_one_there_is() -> None:
    taken = NOON - timedelta(days=400)
    assert recorded_timing(received=NOON, source=taken) == Timing(NOON, taken, TimeQuality.SOURCE, taken)


def test_utc_is_the_same_moment_and_refuses_a_time_without_a_zone() -> None:
    assert utc(NOON.astimezone(timezone(seconds(7200)))) == NOON
    with pytest.raises(ValueError, match="no time zone"):
        utc(NOON.replace(tzinfo=None))


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(-3, 3)), min_size=1, max_size=40), st.integers(1, 6))
def test_the_skew_is_the_smallest_of_the_delays_that_count(messages: list[tuple[int, int]], length: int) -> None:
    skew, received = SkewEstimate(length=length), NOON
    told: list[tuple[datetime, int]] = []
    for pause, delay in messages:
        received += seconds(pause)
        told.append((received, delay))
        skew.observe(received=received, source=received - seconds(delay))
        counting = [one for when, one in told[-length:] if received - when <= skew.span]
        assert skew.skew == seconds(min(counting))
