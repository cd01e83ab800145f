from __future__ import annotations

from datetime import datetime, timedelta

import av
import pytest

from neopain.domain.time import TimeQuality, Timing
from neopain.errors import CameraUnavailable
from neopain.ingest.camera.clock import StreamClock
from neopain.ingest.camera.source import Arrived

from ...conftest import START

FRAME = av.VideoFrame(16, 16, "rgb24")


def arrived(seconds: float, *, delay: float = 0.05, ahead: float | None = None) -> Arrived:
    """A picture of that RTP time that arrives so much later; by the camera's clock ``ahead`` of ours, if it has one."""
    moment = START + timedelta(seconds=seconds)
    taken = None if ahead is None else moment + timedelta(seconds=ahead)
    return Arrived(FRAME, moment + timedelta(seconds=delay), seconds, taken)


def settled(clock: StreamClock, **how: float) -> Timing:
    """The times of a picture after a second of others like it."""
    for number in range(10):
        clock.align(arrived(number / 10, **how))
    timing = clock.align(arrived(1.0, **how))
    assert timing is not None
    return timing


def offset(timing: Timing, moment: datetime = START + timedelta(seconds=1)) -> float:
    return round((timing.aligned - moment).total_seconds(), 6)


def test_what_was_kept_while_the_connection_was_made_is_left_out() -> None:
    clock = StreamClock()
    burst = [clock.align(Arrived(FRAME, START, seconds / 10, None)) for seconds in range(10)]
    assert burst == [None] * 10


def test_with_a_sender_report_the_camera_s_own_time_is_the_source_time() -> None:
    timing = settled(StreamClock(), ahead=0.4)
    assert timing.quality is TimeQuality.SOURCE
    assert timing.source == START + timedelta(seconds=1.4)
    assert offset(timing) == 0.05


def test_jitter_of_the_network_does_not_reach_the_aligned_time() -> None:
    clock = StreamClock()
    settled(clock)
    late = clock.align(arrived(1.1, delay=0.35))
    assert late is not None
    assert offset(late, START + timedelta(seconds=1.1)) == 0.05


def test_without_a_sender_report_the_rtp_clock_s_rhythm_places_what_arrives_and_says_so() -> None:
    timing = settled(StreamClock())
    assert (timing.quality, timing.source) == (TimeQuality.NO_SOURCE_TIME, None)
    assert offset(timing) == 0.05


def test_a_camera_s_clock_that_the_site_does_not_trust_is_not_used() -> None:
    timing = settled(StreamClock(trusts_source=False), ahead=3600.0)
    assert timing.quality is TimeQuality.NO_SOURCE_TIME
    assert offset(timing) == 0.05


@pytest.mark.parametrize(
    ("ahead", "quality"), [(1.9, TimeQuality.SOURCE), (-5.0, TimeQuality.SKEWED), (40.0, TimeQuality.UNUSABLE)]
)
def test_the_house_s_limits_hold_for_a_camera_s_clock(ahead: float, quality: TimeQuality) -> None:
    timing = settled(StreamClock(), ahead=ahead)
    assert timing.quality is quality
    assert offset(timing) == 0.05


def test_the_first_sender_report_takes_over_from_the_rhythm() -> None:
    clock = StreamClock()
    settled(clock)
    timing = clock.align(arrived(1.1, ahead=0.2))
    assert timing is not None
    assert timing.quality is TimeQuality.SOURCE


def test_sound_is_placed_by_its_first_sample_although_it_is_sent_at_its_end() -> None:
    clock, length = StreamClock(), timedelta(seconds=0.1)
    timing = None
    for number in range(11):
        timing = clock.align(arrived(number / 10, delay=0.15), length=length)
    assert timing is not None
    assert offset(timing) == 0.05


@pytest.mark.parametrize("to", [0.5, 9.0])
def test_an_rtp_clock_that_jumps_ends_the_connection(to: float) -> None:
    clock = StreamClock()
    settled(clock)
    with pytest.raises(CameraUnavailable, match="clock-jumped"):
        clock.align(Arrived(FRAME, START + timedelta(seconds=1.2), to, None))


def test_a_pause_of_the_camera_is_no_jump() -> None:
    clock = StreamClock()
    settled(clock)
    assert clock.align(arrived(9.0)) is not None


@pytest.mark.parametrize("ahead", [None, 0.4, -10.0, 40.0])
def test_a_lag_is_found_whatever_the_camera_s_clock_says(ahead: float | None) -> None:
    clock = StreamClock()
    for number in range(10):
        clock.align(arrived(number / 10, ahead=ahead))
    clock.align(arrived(1.0, delay=6.05, ahead=ahead))
    assert clock.lag == timedelta(seconds=6)
