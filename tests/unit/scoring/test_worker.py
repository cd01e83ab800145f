"""When a window is of no more use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from neopain.domain.identity import BedId, recording_bed
from neopain.domain.window import Tick
from neopain.scoring.worker import expires

END = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_beds_window_lives_ten_seconds_after_it_should_have_closed() -> None:
    late = Tick(BedId("NICU/1/1"), END, closed=END + timedelta(minutes=1), last_ids={})
    assert expires(late) == END + timedelta(seconds=10.5)


def test_a_recordings_window_lives_by_when_it_was_closed() -> None:
    closed = END + timedelta(days=5000)
    assert expires(Tick(recording_bed("baby"), END, closed, {})) == closed + timedelta(seconds=100)
