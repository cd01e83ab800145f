"""Which windows are due at a moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from neopain.scoring.ticker import Due, due_ends

END = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """A moment after the end."""
    return END + timedelta(seconds=seconds)


def test_a_window_is_due_when_its_lateness_is_over() -> None:
    assert due_ends(END, at(0.5)) == Due((END,), at(1))


def test_a_window_is_not_due_before() -> None:
    assert due_ends(END, at(0.499)) == Due((), END)


def test_windows_that_were_missed_are_due_oldest_first() -> None:
    assert due_ends(END, at(3.6)) == Due((END, at(1), at(2), at(3)), at(4))


def test_no_window_older_than_a_minute_is_due() -> None:
    due = due_ends(END, at(100.5))
    assert (due.ends[0], due.ends[-1], due.following) == (at(40), at(100), at(101))


def test_a_clock_that_went_back_makes_nothing_due() -> None:
    assert due_ends(END, at(-10)) == Due((), END)
