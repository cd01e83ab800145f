"""Heart, breath, saturation and pressure: they follow the latent pain with a lag, and wander by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from neopain.simulator.behaviour import BREATH_MIDDLE, onset
from neopain.simulator.condition import Condition, EventKind
from neopain.simulator.infant import SimulatedInfant
from neopain.simulator.randomness import Floats, wander

HEART_LAG_SECONDS = 4.0
SATURATION_LAG_SECONDS = 9.0
RESPIRATION_LAG_SECONDS = 3.0
PRESSURE_LAG_SECONDS = 6.0
SHORTEST_RR_MS = 260.0
APNOEA_TO_HEART_SECONDS = 6.0
APNOEA_TO_SATURATION_SECONDS = 9.0
BRADYCARDIA_BPM = 40.0
DESATURATION_PERCENT = 16.0
SLOWEST_RHYTHM_BPM = 12.0
TONE_BPM = 3.5
RESPIRATION_WANDER_BPM = 3.5
CHEST_ARTEFACT_BPM = 9.0
PACE_SECONDS = 30.0
PACE_STEP_SECONDS = 0.25
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
    """One infant's vital signs in one condition; all but ``beats`` are pure functions of time.

    ``ventilated_bpm`` is the rate of a ventilator that breathes for the infant; None for one that breathes by itself.
    """

    def __init__(self, infant: SimulatedInfant, condition: Condition, *, ventilated_bpm: float | None = None) -> None:
        self.condition = condition
        self.rest = infant.physiology
        self.expression = infant.expression
        self.ventilated_bpm = ventilated_bpm
        self._wander = {
            name: wander(infant.seed, name, infant.number, period_seconds=period)
            for name, period in (
                ("heart", 11.0),
                ("tone", 45.0),
                ("saturation", 20.0),
                ("respiration", 14.0),
                ("chest", 3.0),
                ("pressure", 60.0),
            )
        }

    def heart_rate(self, seconds: ArrayLike) -> Floats:
        """The heart rate per minute at these times, same shape, without beat-to-beat change."""
        times = np.asarray(seconds, dtype=np.float64)
        rise = self.rest.heart_rate_rise * self.arousal(times, HEART_LAG_SECONDS)
        wander_bpm = 1.6 * self._wander["heart"](times) + TONE_BPM * self._wander["tone"](times)
        fall = BRADYCARDIA_BPM * self._level(EventKind.APNOEA, times - APNOEA_TO_HEART_SECONDS)
        return np.asarray(self.rest.heart_rate_bpm + rise - fall + wander_bpm)

    def respiration(self, seconds: ArrayLike) -> Floats:
        """Breaths per minute at these times, same shape."""
        times = np.asarray(seconds, dtype=np.float64)
        if self.ventilated_bpm is not None:
            return np.full(times.shape, self.ventilated_bpm)
        breathing = self._changed_breath(times)
        unsteady = (RESPIRATION_WANDER_BPM + 2.0 * breathing) * self._wander["respiration"](times)
        # The chest's impedance hears the limbs as breaths.
        unsteady += CHEST_ARTEFACT_BPM * self._moved(times) * self._wander["chest"](times)
        left = 1.0 - 0.75 * self._level(EventKind.APNOEA, times)
        return np.asarray((self.rest.respiration_bpm + self.rest.respiration_rise * breathing + unsteady) * left)

    def saturation(self, seconds: ArrayLike) -> Floats:
        """The oxygen saturation in % at these times, same shape, at most 100."""
        times = np.asarray(seconds, dtype=np.float64)
        fall = self.rest.spo2_fall * self.arousal(times, SATURATION_LAG_SECONDS)
        fall = fall + DESATURATION_PERCENT * self._level(EventKind.APNOEA, times - APNOEA_TO_SATURATION_SECONDS)
        return np.minimum(self.rest.spo2_percent - fall + 0.5 * self._wander["saturation"](times), 100.0)

    def numerics(self, seconds: float) -> Numerics:
        """What the monitor shows at that time."""
        return Numerics(
            heart_rate_bpm=round(float(self.heart_rate(seconds))),
            spo2_percent=round(float(self.saturation(seconds))),
            respiration_bpm=round(float(self.respiration(seconds))),
        )

    def blood_pressure(self, seconds: float) -> BloodPressure:
        """What a cuff would find at that time."""
        rise = self.rest.pressure_rise * float(self.arousal(np.asarray(seconds), PRESSURE_LAG_SECONDS))
        mean = self.rest.mean_pressure_mmhg + rise + 1.5 * self._wander["pressure"].at(seconds)
        pulse = 0.55 * mean
        return BloodPressure(systolic=round(mean + pulse * 2 / 3), diastolic=round(mean - pulse / 3), mean=round(mean))

    def beats(self, start_seconds: float = 0.0) -> Iterator[Beat]:
        """Every beat after that time, without end: the rate, a slow wander and the breath's rhythm in the interval."""
        seconds, breaths = start_seconds, 0.0
        pace = _Pace(self, start_seconds)
        while True:
            if seconds > pace.end_seconds:
                pace = _Pace(self, seconds)
            rate, breathing, swing = pace.at(seconds)
            rr_ms = float(
                np.clip(60_000.0 / rate + swing * np.sin(2.0 * np.pi * breaths), SHORTEST_RR_MS, LONGEST_RR_MS)
            )
            breaths += breathing / 60.0 * rr_ms / 1000.0
            seconds += rr_ms / 1000.0
            yield Beat(seconds, rr_ms)

    def arousal(self, times: Floats, lag_seconds: float) -> Floats:
        """How much the heart is driven, 0..1: by pain, less by hunger and handling, after a lag."""
        felt = self.condition.distress(times, lag_seconds=lag_seconds)
        late = times - lag_seconds
        other = np.maximum(0.55 * self._level(EventKind.HUNGER, late), 0.35 * self._level(EventKind.HANDLING, late))
        return np.asarray(np.maximum(felt, other) * self.condition.damping.autonomic)

    def _changed_breath(self, times: Floats) -> Floats:
        felt = self.condition.distress(times, lag_seconds=RESPIRATION_LAG_SECONDS)
        hunger = self._level(EventKind.HUNGER, times - RESPIRATION_LAG_SECONDS)
        changed = (0.35 * felt + 0.65 * onset(felt, BREATH_MIDDLE)) * self.expression.breath
        return np.asarray(np.maximum(changed, 0.5 * hunger) * self.condition.damping.behaviour)

    def _moved(self, times: Floats) -> Floats:
        """How much limbs move, 0..1, as far as electrodes on the chest notice."""
        felt = self.condition.distress(times, lag_seconds=0.8)
        others = np.maximum(self._level(EventKind.HUNGER, times), self._level(EventKind.HANDLING, times))
        return np.asarray(np.maximum(felt, 0.6 * others))

    def _level(self, kind: EventKind, times: Floats) -> Floats:
        return self.condition.level(kind, times)


class _Pace:
    """Heart rate, breath and the size of the breath's rhythm in the RR interval, ahead for some seconds."""

    def __init__(self, vitals: Vitals, start_seconds: float) -> None:
        self.times = start_seconds + np.arange(0.0, PACE_SECONDS + PACE_STEP_SECONDS, PACE_STEP_SECONDS)
        self.end_seconds = start_seconds + PACE_SECONDS
        self.rate = vitals.heart_rate(self.times)
        self.breath = vitals.respiration(self.times)
        # Arrhythmia of amplitude a at the breath's pace makes an RMSSD of a * sqrt(2) * sin(pi * breaths per beat).
        calm = 1.0 - 0.7 * vitals.arousal(self.times, HEART_LAG_SECONDS)
        calm *= 1.0 - 0.6 * vitals.condition.damping.depth
        step = np.sqrt(2.0) * np.sin(np.pi * np.maximum(self.breath, SLOWEST_RHYTHM_BPM) / self.rate)
        self.swing_ms = calm * vitals.rest.rmssd_ms / step

    def at(self, seconds: float) -> tuple[float, float, float]:
        """Rate and breath per minute, and the rhythm's amplitude in ms, at that time."""
        rate, breath, swing = (
            float(np.interp(seconds, self.times, v)) for v in (self.rate, self.breath, self.swing_ms)
        )
        return rate, breath, swing
