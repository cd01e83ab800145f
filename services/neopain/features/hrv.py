"""RMSSD and SDNN of a 30 s window, from RR intervals only: averaged monitor numerics have lost the beats.

Rules from the reference model.md section 3: an interval is a beat from 240 to 800 ms; one that differs from the median
around it by more than 20 % is an artefact (Kariniemi 1985; a limit in beats per minute is always the narrower one
here); at least 80 % of the beats that 30 s hold must be good; a difference is never taken across a gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neopain.domain.window import VITALS_SPAN
from neopain.features.vitals_grid import Reading

SHORTEST_RR_MS = 240.0
LONGEST_RR_MS = 800.0
ARTEFACT_SHARE = 0.2
NEIGHBOURS = 5
"""Beats on each side that the local median is taken over."""
LEAST_GOOD_SHARE = 0.8
# Two beats follow each other when the later one's interval fits between them; a missed beat makes it about twice as
# long, and intervals that share one time stamp have lost their order.
_SHORTEST_STEP, _LONGEST_STEP = 0.5, 1.5

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HeartRateVariability:
    """Both in ms, over one window."""

    rmssd_ms: float
    sdnn_ms: float


def heart_rate_variability(readings: Sequence[Reading]) -> HeartRateVariability | None:
    """The variability of one source's RR intervals, oldest first, or None where there are too few good beats."""
    span = VITALS_SPAN.total_seconds()
    inside = [one for one in readings if -span < one.seconds <= 0]
    seconds = np.array([one.seconds for one in inside])
    intervals = np.array([one.value for one in inside])
    good = good_beats(intervals)
    if good.sum() < 2:
        return None
    expected = span * 1000 / float(np.median(intervals[good]))
    steps = _successive_differences(seconds, intervals, good)
    if good.sum() < LEAST_GOOD_SHARE * expected or steps.size == 0:
        return None
    return HeartRateVariability(
        rmssd_ms=float(np.sqrt(np.mean(steps**2))),
        sdnn_ms=float(np.std(intervals[good], ddof=1)),
    )


def good_beats(intervals: Numbers) -> npt.NDArray[np.bool_]:
    """Which intervals (ms, in their order, NaN for an unusable one) are beats and no artefacts."""
    is_beat = (intervals >= SHORTEST_RR_MS) & (intervals <= LONGEST_RR_MS)
    good = np.zeros(intervals.size, np.bool_)
    for index in np.flatnonzero(is_beat):
        around = slice(max(index - NEIGHBOURS, 0), index + NEIGHBOURS + 1)
        middle = float(np.median(intervals[around][is_beat[around]]))
        good[index] = abs(intervals[index] - middle) <= ARTEFACT_SHARE * middle
    return good


def _successive_differences(seconds: Numbers, intervals: Numbers, good: npt.NDArray[np.bool_]) -> Numbers:
    steps = np.diff(seconds) * 1000
    follows = (steps >= _SHORTEST_STEP * intervals[1:]) & (steps <= _LONGEST_STEP * intervals[1:])
    return np.asarray(np.diff(intervals)[follows & good[1:] & good[:-1]])
