"""A gap is a silence longer than usual for its source."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from neopain.domain.cadence import Cadence

NOON = datetime(2026, 7, 4, 12, tzinfo=UTC)


def gaps(*seconds: float) -> list[float | None]:
    cadence = Cadence()
    found = [cadence.observe(NOON + timedelta(seconds=one)) for one in seconds]
    return [gap.total_seconds() if gap else None for gap in found]


@pytest.mark.parametrize(("silence", "gap"), [(5, None), (6, 6)])
def test_of_a_source_of_every_second_more_than_five_seconds_are_a_gap(silence: float, gap: float | None) -> None:
    assert gaps(0, 1, 2, 2 + silence) == [None, None, None, gap]


@pytest.mark.parametrize(("silence", "gap"), [(180, None), (181, 181)])
def test_of_a_source_of_every_minute_more_than_three_minutes_are(silence: float, gap: float | None) -> None:
    assert gaps(0, 60, 120, 120 + silence)[-1] == gap


def test_a_source_that_becomes_slower_tells_gaps_for_a_while_only() -> None:
    found = gaps(0, 1, *(1 + 60 * n for n in range(1, 15)))
    assert found[2] == 60
    assert found[-1] is None


def test_nothing_is_known_of_the_usual_before_two_messages() -> None:
    assert gaps(0, 3600) == [None, None]


def test_what_another_listener_took_earlier_changes_nothing() -> None:
    assert gaps(0, 1, 0.5, 2) == [None, None, None, None]
