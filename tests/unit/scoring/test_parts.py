"""Where the time of a window goes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from neopain.scoring.parts import Parts

PUBLISHED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ENTRY_ID = f"{int(PUBLISHED.timestamp() * 1000)}-3"


def test_the_queue_is_from_the_ticks_publication_to_its_taking() -> None:
    parts = Parts.of_tick(ENTRY_ID, PUBLISHED.replace(microsecond=250_000))
    assert parts.fields() == {"queue_ms": 250.0}


def test_a_server_whose_clock_is_ahead_gives_no_negative_queue() -> None:
    assert Parts.of_tick(ENTRY_ID, PUBLISHED.replace(second=4)).seconds["queue"] == 0.0


def test_a_part_that_is_repeated_adds_up() -> None:
    parts = Parts(0)
    parts.add("inference", 0.5)
    parts.add("inference", 0.25)
    assert parts.seconds == {"inference": 0.75}


def test_a_part_that_fails_is_measured_too() -> None:
    parts = Parts(0)
    with pytest.raises(ZeroDivisionError), parts.measured("read"):
        _ = 1 / 0
    assert parts.seconds["read"] >= 0.0
