"""What a cohort's monitor and wide camera give for one window: numerics, beats, pressure, baseline, movement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile

import numpy as np

from neopain.codecs.vitals_table import VitalRow
from neopain.domain.vitals import Validity, VitalKind
from neopain.features.baseline import BACK, LEFT_OUT
from neopain.features.face import Picture
from neopain.features.movement import STEP_SECONDS, MovementMeter
from neopain.simulator.circumstances import Monitor
from neopain.simulator.infant import SimulatedInfant
from neopain.simulator.randomness import Floats, generator
from neopain.simulator.vitals import Vitals

SECONDS_BACK = 34.0
"""How much of a monitor's talk a segment keeps: the window and something before it."""
BASELINE_EVERY_SECONDS = 60.0
BASELINE_STEP_SECONDS = 5.0
PRESSURE_EVERY_SECONDS = 600.0
LOOSE_SENSOR = 0.12
"""How often a sensor is loose for a part of the window."""
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def monitor_rows(
    infant: SimulatedInfant, vitals: Vitals, monitor: Monitor, end: float, *, occasion: int
) -> list[VitalRow]:
    """What the monitor said up to ``end`` (seconds of the session), by its own clock."""
    rng = generator(infant.seed, "feed", infant.number, occasion)
    rows = [*_numerics(vitals, monitor, end), *_baselines(vitals, end)]
    if monitor.has_beats:
        beats = takewhile(lambda beat: beat.seconds <= end, vitals.beats(end - SECONDS_BACK))
        rows += [VitalRow(beat.seconds, VitalKind.RR_INTERVAL, round(beat.rr_ms, 1)) for beat in beats]
    if monitor.has_pressure:
        measured = np.floor(end / PRESSURE_EVERY_SECONDS) * PRESSURE_EVERY_SECONDS + 1.0
        if measured <= end:
            rows.append(VitalRow(measured, VitalKind.BLOOD_PRESSURE_MEAN, vitals.blood_pressure(measured).mean))
    shifted = [_at(row, row.seconds + monitor.clock_error_seconds) for row in rows]
    return [row for row in _with_loose_sensors(rng, shifted, end) if row.seconds <= end]


def movement_times(end: float) -> Floats:
    """When the wide view is compared: four times a second up to ``end``."""
    return np.asarray(end - np.arange(SECONDS_BACK, -STEP_SECONDS / 2, -STEP_SECONDS))


def movement_rows(times: Floats, outlines: Iterable[Picture]) -> list[VitalRow]:
    """The movement of the wide view at these times."""
    meter, rows = MovementMeter(), []
    for seconds, outline in zip(times, outlines, strict=True):
        energy = meter.measure(outline, EPOCH + timedelta(seconds=float(seconds)))
        if energy is not None:
            rows.append(VitalRow(round(float(seconds), 3), VitalKind.MOVEMENT, round(energy, 4)))
    return rows


def _numerics(vitals: Vitals, monitor: Monitor, end: float) -> Iterator[VitalRow]:
    times = np.arange(np.ceil(end - SECONDS_BACK), np.floor(end) + 1.0)
    sources: dict[VitalKind, Callable[[Floats], Floats]] = {
        VitalKind.HEART_RATE: vitals.heart_rate,
        VitalKind.SPO2: vitals.saturation,
        VitalKind.RESPIRATION: vitals.respiration,
    }
    for kind, source in sources.items():
        for seconds, value in zip(times, _averaged(source, times, monitor.averaging_seconds), strict=True):
            yield VitalRow(float(seconds), kind, float(round(value)))


def _averaged(source: Callable[[Floats], Floats], times: Floats, over_seconds: float) -> Floats:
    """The mean of the last seconds before each time."""
    ages = np.arange(0.0, over_seconds, 1.0)
    return np.asarray(source(times[:, np.newaxis] - ages).mean(axis=1))


def _baselines(vitals: Vitals, end: float) -> list[VitalRow]:
    """The newest baseline that ingest would have published: medians of the minutes before."""
    computed = np.floor(end / BASELINE_EVERY_SECONDS) * BASELINE_EVERY_SECONDS
    first, last = max(computed - BACK.total_seconds(), 0.0), computed - LEFT_OUT.total_seconds()
    times = np.arange(first, last, BASELINE_STEP_SECONDS)
    if not times.size:
        return []
    medians = {
        VitalKind.HEART_RATE: vitals.heart_rate(times),
        VitalKind.SPO2: vitals.saturation(times),
        VitalKind.RESPIRATION: vitals.respiration(times),
    }
    return [
        VitalRow(float(computed), kind, float(round(np.median(values))), is_baseline=True)
        for kind, values in medians.items()
    ]


def _with_loose_sensors(rng: np.random.Generator, rows: list[VitalRow], end: float) -> list[VitalRow]:
    """The rows with some values called invalid where a sensor was loose."""
    loose: dict[VitalKind, tuple[float, float]] = {}
    for kind in (VitalKind.SPO2, VitalKind.HEART_RATE, VitalKind.RESPIRATION, VitalKind.RR_INTERVAL):
        if rng.random() < LOOSE_SENSOR:
            start = end - float(rng.uniform(0.0, SECONDS_BACK))
            loose[kind] = (start, start + float(rng.uniform(4.0, 25.0)))
    return [_invalid(row) if _is_within(row, loose) else row for row in rows]


def _is_within(row: VitalRow, loose: dict[VitalKind, tuple[float, float]]) -> bool:
    start, stop = loose.get(row.kind, (0.0, 0.0))
    return not row.is_baseline and start <= row.seconds < stop


def _invalid(row: VitalRow) -> VitalRow:
    return VitalRow(row.seconds, row.kind, row.value, Validity.INVALID)


def _at(row: VitalRow, seconds: float) -> VitalRow:
    return VitalRow(round(seconds, 3), row.kind, row.value, row.validity, row.is_baseline)
