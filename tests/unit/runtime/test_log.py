"""One event, one line, fields."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

import pytest

from neopain.runtime.log import FieldFormatter, Log


def line(message: str, **fields: object) -> str:
    """The line of an event at a fixed time."""
    record = logging.LogRecord("n", logging.INFO, "f", 1, message, None, None)
    record.created = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC).timestamp()
    record.fields = fields
    return FieldFormatter("scoring").format(record)


def test_an_event_is_one_line_of_fields() -> None:
    assert line("score_published", bed="NICU/1/1", latency_ms=12.5) == (
        "2026-01-02T03:04:05.678Z INFO service=scoring event=score_published bed=NICU/1/1 latency_ms=12.5"
    )


def test_a_value_that_would_break_the_line_is_quoted() -> None:
    assert line("e", why="no\nanswer", key="a=b", nothing="").endswith(r"why='no\nanswer' key='a=b' nothing=''")


def test_a_time_is_written_in_iso_form() -> None:
    assert line("e", window=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)).endswith("window=2026-01-02T03:04:05+00:00")


def test_an_error_within_an_except_brings_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        Log("n").error("broken")
    assert caplog.records[0].exc_info is not None
    assert caplog.records[0].exc_info[0] is ZeroDivisionError


def test_an_error_elsewhere_brings_none(caplog: pytest.LogCaptureFixture) -> None:
    Log("n").error("broken", why="so")
    assert not caplog.records[0].exc_info
    assert sys.exc_info() == (None, None, None)
