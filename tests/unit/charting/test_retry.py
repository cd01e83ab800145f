"""When a delivery is tried again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from neopain.charting.retry import RetryPolicy

POLICY = RetryPolicy(first=timedelta(seconds=1), longest=timedelta(seconds=60))


@pytest.mark.parametrize(("attempts", "least", "most"), [(0, 0.5, 1), (3, 4, 8), (6, 30, 60), (10_000, 30, 60)])
def test_the_wait_doubles_up_to_the_longest(attempts: int, least: float, most: float) -> None:
    wait = POLICY.wait(attempts, asked_for=None).total_seconds()

    assert least <= wait <= most


def test_what_the_ehr_asked_for_is_waited_for() -> None:
    assert POLICY.wait(0, asked_for=120) == timedelta(seconds=120)


@pytest.mark.parametrize("asked_for", [86_401.0, 1e30, float("inf")])
def test_a_wish_beyond_a_day_is_a_slip(asked_for: float) -> None:
    assert POLICY.wait(0, asked_for=asked_for) == timedelta(days=1)


def test_a_short_wish_of_the_ehr_does_not_shorten_the_wait() -> None:
    assert POLICY.wait(6, asked_for=1) >= timedelta(seconds=30)
