"""For how long a row in the audit trail stands for what pages poll."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from neopain.charting.api.watching import Watching

NOON = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
NURSE = ("issuer", "nurse-7")
ANNA = "HOSP|1"


def test_a_row_stands_for_what_is_polled_within_a_minute() -> None:
    watching = Watching()
    watching.written(NURSE, [ANNA], now=NOON)

    assert watching.due(NURSE, [ANNA], now=NOON + timedelta(seconds=59)) == {}
    assert watching.due(NURSE, [ANNA], now=NOON + timedelta(seconds=60)) == {
        ANNA: {"stands_until": "2026-10-05T12:02:00+00:00", "repeated": 1}
    }


def test_a_row_of_a_clock_that_was_ahead_stands_for_nothing_once_it_is_right() -> None:
    watching = Watching()
    watching.written(NURSE, [ANNA], now=NOON + timedelta(days=1))

    assert watching.due(NURSE, [ANNA], now=NOON) == {ANNA: {"stands_until": "2026-10-05T12:01:00+00:00", "repeated": 0}}
