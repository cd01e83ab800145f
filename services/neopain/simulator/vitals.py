"""Heart, breath, saturation and pressure: they follow the latent pain with a lag, and wander by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from neopain.simulator.course import MOST_PAIN, PainCourse
from neopain.simulator.infant import SimulatedInfant
from neopain.simulator.randomness import wander

HEART_LAG_SECONDS = 4.0
SATURATION_LAG_SECONDS = 9.0
RESPIRATION_LAG_SECONDS = 3.0
PRESSURE_LAG_SECONDS = 6.0
SHORTEST_RR_MS = 260.0
LONGEST_RR_MS = 900.0


@dataclass(frozen=True, slots=True)
class Numerics:
    """What a monitor shows once a second: whole rates per minute and whole %."""

    heart_rate_bpm: int
    spo2_percent: int
    respiration_bpm: int


@dataclass(frozen=True, slots=True)
class BloodPressure:
    """One non-invasive measurement, mmHg."""

    systolic: int
    diastolic: int
    mean: int


@dataclass(frozen=True, slots=True)
class Beat:
    """An R peak and the interval that ends with it."""

    seconds: float
    rr_ms: float


class Vitals:
    """One infant's vital signs along one course; all but ``beats`` are pure functions of time."""

    def __init__(self, infant: SimulatedInfant, course: PainCourse) -> None:
        self.course = course
        self.rest = infant.physiology
        self._wander = {
            name: wander(infant.seed, name, infant.number, period_seconds=period)
            for name, period in (("heart", 11.0), ("saturation", 20.0), ("respiration", 14.0), ("pressure", 60.0))
        }

    def heart_rate(self, seconds: float) -> float:
        """The heart rate per minute, without beat-to-beat change."""
        rise = self.rest.heart_rate_rise * self._distress(seconds, HEART_LAG_SECONDS)
        return self.rest.heart_rate_bpm + rise + 1.6 * self._wander["heart"].at(seconds)

    def respiration(self, seconds: float) -> float:
        """Breaths per minute."""
        rise = self.rest.respiration_rise * self._distress(seconds, RESPIRATION_LAG_SECONDS)
        return self.rest.respiration_bpm + rise + 2.0 * self._wander["respiration"].at(seconds)

    def saturation(self, seconds: float) -> float:
        """The oxygen saturation in %, at most 100."""
        fall = self.rest.spo2_fall * self._distress(seconds, SATURATION_LAG_SECONDS)
        return min(self.rest.spo2_percent - fall + 0.5 * self._wander["saturation"].at(seconds), 100.0)

    def numerics(self, seconds: float) -> Numerics:
        """What the monitor shows at that time."""
        return Numerics(
            heart_rate_bpm=round(self.heart_rate(seconds)),
            spo2_percent=round(self.saturation(seconds)),
            respiration_bpm=round(self.respiration(seconds)),
        )

    def blood_pressure(self, seconds: float) -> BloodPressure:
        """What a cuff would find at that time."""
        rise = self.rest.pressure_rise * self._distress(seconds, PRESSURE_LAG_SECONDS)
        mean = self.rest.mean_pressure_mmhg + rise + 1.5 * self._wander["pressure"].at(seconds)
        pulse = 0.55 * mean
        return BloodPressure(systolic=round(mean + pulse * 2 / 3), diastolic=round(mean - pulse / 3), mean=round(mean))

    def beats(self) -> Iterator[Beat]:
        """Every beat after time 0, without end: the rate, a slow wander and the breath's rhythm in the interval."""
        seconds, breaths = 0.0, 0.0
        while True:
            rr_ms = self._interval(seconds, breaths)
            breaths += self.respiration(seconds) / 60.0 * rr_ms / 1000.0
            seconds += rr_ms / 1000.0
            yield Beat(seconds, rr_ms)

    def _interval(self, seconds: float, breaths: float) -> float:
        # Arrhythmia of amplitude a at the breath's pace makes an RMSSD of a * sqrt(2) * sin(pi * breaths per beat).
        rate = self.heart_rate(seconds)
        calm = 1.0 - 0.7 * self._distress(seconds, HEART_LAG_SECONDS)
        step = np.sqrt(2.0) * np.sin(np.pi * self.respiration(seconds) / rate)
        swing = calm * self.rest.rmssd_ms / step * np.sin(2.0 * np.pi * breaths)
        return float(np.clip(60_000.0 / rate + swing, SHORTEST_RR_MS, LONGEST_RR_MS))

    def _distress(self, seconds: float, lag_seconds: float) -> float:
        return self.course.lagged(seconds, lag_seconds=lag_seconds) / MOST_PAIN
