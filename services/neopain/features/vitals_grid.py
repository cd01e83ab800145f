"""VITALS: monitor values and movement on a grid of 30 s at 4 Hz, sample and hold, with a mask for each channel.

A value is held for 1.5 times the measured interval of its source, so that a slow source fills its channel and a lost
source empties it. A value that may not be used ends the hold of the one before it: the source itself no longer knows.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from neopain.domain.identity import SourceId
from neopain.domain.media import MovementSample
from neopain.domain.time import TimeQuality, Timing
from neopain.domain.vitals import Validity, VitalKind, VitalsBatch, is_plausible
from neopain.domain.window import VITALS_SPAN
from neopain.features.absence import Heard
from neopain.features.signature import VITALS_CHANNELS, VITALS_RATE_HZ, VITALS_STEPS

HOLD_INTERVALS = 1.5
UNKNOWN_HOLD_SECONDS = 5.0
"""A source of which only one value is known has no measured interval yet."""
LONGEST_HOLD = timedelta(seconds=90)
"""One and a half times the slowest source that is served: one value a minute."""
VITALS_LOOKBACK = VITALS_SPAN + LONGEST_HOLD + timedelta(seconds=75)
"""How far back values matter: what may be held into the window, and one more of a slow source to measure its rhythm."""

GRID_SECONDS = np.arange(1 - VITALS_STEPS, 1, dtype=np.float64) / VITALS_RATE_HZ
"""Float64 [120]: the grid's times in seconds relative to the end of the window, -29.75 to 0."""

# Keeps a value that is exactly as old as its hold valid in spite of rounding.
_EPSILON_SECONDS = 1e-6

Row = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel: float32 [120] in its unit, 0 where the bool [120] mask is False, and what was heard of it."""

    values: Row
    mask: Mask
    heard: Heard


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one source: seconds relative to the end of the window (at most 0), NaN where it may not be used."""

    seconds: float
    value: float


@dataclass(slots=True)
class _Kind:
    by_source: dict[SourceId, list[Reading]]
    items: int = 0
    older: int = 0
    clock_unusable: int = 0
    invalid: int = 0


def vitals_channels(
    batches: Iterable[VitalsBatch], movements: Iterable[MovementSample], end: datetime
) -> dict[str, Channel]:
    """The five channels by name, from whatever order the items come in; what lies after ``end`` is not looked at."""
    kinds = _collected(batches, movements, end)
    return {name: _channel(kinds[VitalKind(name)]) for name in VITALS_CHANNELS}


def readings_of(kind: VitalKind, batches: Iterable[VitalsBatch], end: datetime) -> dict[SourceId, list[Reading]]:
    """The readings of one kind by source, oldest first, within the look-back before ``end``."""
    return {source: _sorted(found) for source, found in _collected(batches, (), end)[kind].by_source.items()}


def stack(channels: dict[str, Channel]) -> npt.NDArray[np.float32]:
    """VITALS, float32 [10, 120]: the channels in the order of ``VITALS_CHANNELS``, then their masks as 0 and 1."""
    rows = [channels[name].values for name in VITALS_CHANNELS]
    masks = [channels[name].mask.astype(np.float32) for name in VITALS_CHANNELS]
    return np.stack([*rows, *masks])


def emptied(channel: Channel) -> Channel:
    """The channel with nothing in it: an absent modality must not leak into the nets."""
    return Channel(np.zeros_like(channel.values), np.zeros_like(channel.mask), channel.heard)


def _collected(
    batches: Iterable[VitalsBatch], movements: Iterable[MovementSample], end: datetime
) -> dict[VitalKind, _Kind]:
    kinds: dict[VitalKind, _Kind] = defaultdict(lambda: _Kind(defaultdict(list)))
    for batch in batches:
        for sample in batch.samples:
            is_usable = sample.validity is not Validity.INVALID and is_plausible(sample.kind, sample.value)
            value = sample.value if is_usable else math.nan
            _take(kinds[sample.kind], batch.source, sample.timing, value, end)
    for movement in movements:
        value = movement.energy if is_plausible(VitalKind.MOVEMENT, movement.energy) else math.nan
        _take(kinds[VitalKind.MOVEMENT], movement.source, movement.timing, value, end)
    return kinds


def _take(kind: _Kind, source: SourceId, timing: Timing, value: float, end: datetime) -> None:
    seconds = (timing.aligned - end).total_seconds()
    if not -VITALS_LOOKBACK.total_seconds() < seconds <= 0:
        return
    is_inside = seconds > -VITALS_SPAN.total_seconds()
    kind.items += is_inside
    kind.older += not is_inside
    if timing.quality is TimeQuality.UNUSABLE:
        kind.clock_unusable += is_inside
        return
    kind.invalid += is_inside and math.isnan(value)
    kind.by_source[source].append(Reading(seconds, value))


def _channel(kind: _Kind) -> Channel:
    """The channel of the source that fills most of it; two sources of one kind are never mixed."""
    heard = Heard(kind.items, kind.older, kind.clock_unusable, kind.invalid)
    held = [_held(_sorted(kind.by_source[source])) for source in sorted(kind.by_source, key=str)]
    if not held:
        return Channel(np.zeros(VITALS_STEPS, np.float32), np.zeros(VITALS_STEPS, np.bool_), heard)
    values, mask = max(held, key=lambda one: int(one[1].sum()))
    return Channel(values, mask, heard)


def _sorted(readings: list[Reading]) -> list[Reading]:
    """Oldest first; of several at one time the largest usable value comes last and counts, in whatever order given."""
    return sorted(readings, key=lambda one: (one.seconds, -math.inf if math.isnan(one.value) else one.value))


def _held(readings: list[Reading]) -> tuple[Row, Mask]:
    times = np.array([one.seconds for one in readings])
    values = np.array([one.value for one in readings])
    last = np.searchsorted(times, GRID_SECONDS, side="right") - 1
    age = GRID_SECONDS - times[last]
    held = values[last]
    mask = (last >= 0) & (age <= _hold_seconds(times) + _EPSILON_SECONDS) & ~np.isnan(held)
    return np.where(mask, held, 0.0).astype(np.float32), mask


def _hold_seconds(times: npt.NDArray[np.float64]) -> float:
    intervals = np.diff(np.unique(times))
    if intervals.size == 0:
        return UNKNOWN_HOLD_SECONDS
    return min(HOLD_INTERVALS * float(np.median(intervals)), LONGEST_HOLD.total_seconds())
