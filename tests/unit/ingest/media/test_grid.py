from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neopain.ingest.media.grid import TimeGrid

START = datetime(2026, 3, 1, tzinfo=UTC)
INTERVAL = 4 / 30


def taken(seconds: list[float]) -> list[float]:
    grid, kept = TimeGrid(INTERVAL), []
    for one in seconds:
        moment = START + timedelta(seconds=one)
        if grid.is_due(moment):
            grid.take(moment)
            kept.append(one)
    return kept


@pytest.mark.parametrize(("rate", "kept"), [(30, 75), (25, 75), (15, 75), (10, 75), (7.5, 75), (5, 50), (1, 10)])
def test_ten_seconds_of_any_camera_give_at_most_the_grid_s_rate(rate: float, kept: int) -> None:
    assert len(taken([number / rate for number in range(int(10 * rate))])) == kept


def test_every_fourth_frame_of_a_30_fps_camera_is_taken() -> None:
    assert taken([number / 30 for number in range(17)]) == [0, 4 / 30, 8 / 30, 12 / 30, 16 / 30]


@given(st.lists(st.floats(-0.025, 0.025), min_size=75, max_size=75))
def test_jitter_does_not_thin_a_camera_that_is_as_fast_as_the_grid(jitter: list[float]) -> None:
    jitter[0] = 0.0
    assert len(taken([number * INTERVAL + off for number, off in enumerate(jitter)])) == 75


def test_after_a_gap_the_grid_starts_anew() -> None:
    assert taken([0.0, 10.05, 10.1, 10.19]) == [0.0, 10.05, 10.19]


def test_a_clock_that_is_put_back_does_not_stop_the_stream() -> None:
    assert taken([100.0, 50.0, 50.2]) == [100.0, 50.0, 50.2]


def test_an_item_sent_again_is_not_taken_again() -> None:
    assert taken([0.0, 0.2, 0.2]) == [0.0, 0.2]
