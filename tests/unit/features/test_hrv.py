"""RMSSD and SDNN: from beats, from enough of them, and never across a gap."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neopain.features.hrv import good_beats, heart_rate_variability
from neopain.features.vitals_grid import Reading


def beats(intervals_ms: list[float], *, last: float = 0.0) -> list[Reading]:
    """Beats one after the other, the last one ``last`` seconds relative to the end of the window."""
    times = np.cumsum(intervals_ms) / 1000
    return [
        Reading(float(time - times[-1] + last), interval) for time, interval in zip(times, intervals_ms, strict=True)
    ]


def test_beats_that_alternate_have_the_rmssd_of_their_step() -> None:
    found = heart_rate_variability(beats([400.0, 420.0] * 40))
    assert found is not None
    assert found.rmssd_ms == pytest.approx(20.0)


def test_beats_that_alternate_have_the_sdnn_of_their_spread() -> None:
    found = heart_rate_variability(beats([400.0, 420.0] * 40))
    assert found is not None
    assert found.sdnn_ms == pytest.approx(10.0, abs=0.1)


def test_even_beats_have_none() -> None:
    found = heart_rate_variability(beats([428.0] * 75))
    assert found is not None
    assert (found.rmssd_ms, found.sdnn_ms) == (0.0, 0.0)


def test_no_beats_give_no_value() -> None:
    assert heart_rate_variability([]) is None


def test_too_few_beats_for_thirty_seconds_give_no_value() -> None:
    # 30 s hold 70 beats of 428 ms; 55 are less than 80 %.
    assert heart_rate_variability(beats([428.0] * 55)) is None


def test_four_fifths_of_the_beats_are_enough() -> None:
    assert heart_rate_variability(beats([428.0] * 57)) is not None


def test_a_difference_is_not_taken_across_a_gap() -> None:
    before = beats([400.0] * 35, last=-15.0)
    after = beats([440.0] * 32, last=0.0)
    found = heart_rate_variability([*before, *after])
    assert found is not None
    assert found.rmssd_ms == 0.0


def test_beats_that_share_a_time_stamp_have_no_order() -> None:
    seconds = [-float(second) for second in range(29, -1, -1) for _ in range(2)]
    readings = [Reading(second, 420.0 + 10 * (index % 2)) for index, second in enumerate(seconds)]
    found = heart_rate_variability(readings)
    assert found is None or found.rmssd_ms == 0.0


def test_a_missed_beat_is_an_artefact() -> None:
    assert good_beats(np.array([420.0, 425.0, 790.0, 418.0, 422.0])).tolist() == [True, True, False, True, True]


def test_an_extra_beat_is_an_artefact() -> None:
    assert good_beats(np.array([420.0, 425.0, 250.0, 418.0, 422.0])).tolist() == [True, True, False, True, True]


@pytest.mark.parametrize("interval", [239.0, 801.0, math.nan])
def test_what_is_no_newborns_beat_is_no_beat(interval: float) -> None:
    assert good_beats(np.array([interval])).tolist() == [False]


def test_an_artefact_does_not_enter_the_rmssd() -> None:
    found = heart_rate_variability(beats([428.0] * 40 + [790.0] + [428.0] * 30))
    assert found is not None
    assert found.rmssd_ms == 0.0


def test_beats_before_the_window_do_not_count() -> None:
    assert heart_rate_variability(beats([428.0] * 75, last=-20.0)) is None
