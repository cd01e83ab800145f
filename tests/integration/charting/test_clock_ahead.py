"""Windows of tomorrow move nothing on; and what they moved while charting had the same clock is taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from neopain.charting.intake import Written, take_score
from neopain.domain.alert_policy import AlertPolicy

from .conftest import NOON

Rows = Callable[[str], list[dict[str, Any]]]
Count = Callable[[str], int]

DAY = 86_400


@pytest.fixture
def alerting(ward: Any) -> Any:
    """The ward with alerts."""
    ward.policy = replace(ward.policy, alert=AlertPolicy(enabled=True))
    return ward


def live(rows: Rows) -> list[float]:
    """The ends of the newest windows, in seconds from noon."""
    return [(row["window_end"] - NOON).total_seconds() for row in rows("SELECT window_end FROM live_scores")]


def test_a_window_of_tomorrow_moves_nothing_on(alerting: Any, rows: Rows, count: Count) -> None:
    alerting.take(alerting.score(1), alerting.score(DAY, 9.0), alerting.score(2), alerting.score(12))

    assert [row["windows"] for row in rows("SELECT draft ->> 'windows' AS windows FROM entries")] == ["2"]
    assert live(rows) == [12.0]
    assert count("windows") == 3
    assert rows("SELECT newest FROM alert_watches")[0]["newest"] == NOON + timedelta(seconds=12)


def test_tomorrow_its_window_is_taken_as_if_nothing_had_been(ward: Any, rows: Rows) -> None:
    ward.take(ward.score(DAY, 9.0))
    ward.clock.advance(DAY)
    ward.take(ward.score(DAY, 2.0))
    assert rows("SELECT draft ->> 'value' AS value FROM live_scores") == [{"value": "2.0"}]


def test_a_clock_of_charting_that_is_behind_makes_no_window_one_of_tomorrow(ward: Any, count: Count) -> None:
    for second in (DAY + 1, DAY + 2, DAY + 12):
        arrived = NOON + timedelta(seconds=second)
        take_score(ward.intake, ward.score(second), arrived=arrived)
    assert (count("windows"), count("entries")) == (3, 1)


def test_what_a_clock_of_charting_that_was_a_day_ahead_took_is_taken_back_when_it_is_right_again(
    ward: Any, rows: Rows
) -> None:
    ward.take(ward.score(1))
    ward.clock.advance(DAY)
    ward.take(ward.score(DAY + 2), ward.score(DAY + 3))
    ward.clock.advance(-DAY)

    assert take_score(ward.intake, ward.score(14)) == Written()
    assert take_score(ward.intake, ward.score(23)) == Written(charted=1)
    ends = [row["window_end"] for row in rows("SELECT window_end FROM windows ORDER BY window_end")]
    assert ends == [NOON + timedelta(seconds=second) for second in (1, 14, 23)]
    assert live(rows) == [23.0]


def test_an_alert_of_a_clock_that_was_a_day_ahead_ends_and_another_opens(alerting: Any, rows: Rows) -> None:
    alerting.clock.advance(DAY)
    alerting.take(*(alerting.score(DAY + second, 9.9) for second in range(120)))
    alerting.clock.advance(-DAY)
    alerting.take(*(alerting.score(second, 9.9) for second in range(120)))

    events = rows("SELECT kind, reason, moment < '2026-10-06' AS is_of_now FROM alert_events ORDER BY moment, place")
    opened = [one for one in events if one["kind"] == "opened"]
    assert [one["is_of_now"] for one in opened] == [True, False]
    assert [(one["reason"], one["is_of_now"]) for one in events if one["kind"] == "ended"] == [
        ("clock-was-ahead", False)
    ]
