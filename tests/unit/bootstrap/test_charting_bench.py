"""The windows that ``neopain bench charting`` charts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from neopain.bootstrap.charting_bench import first_end
from neopain.domain.policy import DEMO_POLICY

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


def test_a_window_closes_the_interval_before_whenever_the_bench_begins() -> None:
    ends = [first_end(NOW + timedelta(seconds=0.5 * half)) for half in range(20)]

    assert {(end - NOW) % DEMO_POLICY.interval > DEMO_POLICY.lateness for end in ends} == {True}
    assert all(timedelta(minutes=59) < end - NOW < timedelta(minutes=61) for end in ends)
