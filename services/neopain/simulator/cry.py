"""The voice of an infant, 16 kHz mono: a synthesised cry while it cries, silence otherwise.

Each breath is one burst: a pitch that rises and falls with vibrato and jitter, its harmonics weighted by the
resonances of a newborn's short vocal tract, and breath noise. Pure function of time: sample n is the same whoever
asks, in whatever chunks.
"""

from __future__ import annotations

import numpy as np

from neopain.domain.media import SAMPLE_RATE_HZ
from neopain.simulator.behaviour import Behaviour
from neopain.simulator.infant import SimulatedInfant
from neopain.simulator.randomness import Floats, generator

HARMONICS = 15
# Centre, width (Hz) and gain of the resonances: a newborn's tract is about half an adult's length.
RESONANCES = ((1100.0, 450.0, 1.0), (3300.0, 700.0, 0.45), (5400.0, 900.0, 0.15))
LOUDEST = 0.55


class Cry:
    """The sound of one infant."""

    def __init__(self, infant: SimulatedInfant, behaviour: Behaviour) -> None:
        self.infant = infant
        self.behaviour = behaviour
        self.breath_samples = int(behaviour.rhythm.period_seconds * SAMPLE_RATE_HZ)
        self._last: tuple[int, Floats] = (-1, np.zeros(0))

    def voice(self, first_sample: int, count: int) -> Floats:
        """The samples from ``first_sample`` on, float64 [count], -1..1."""
        sound = np.zeros(count)
        for breath in range(first_sample // self.breath_samples, (first_sample + count - 1) // self.breath_samples + 1):
            start = breath * self.breath_samples
            begin, end = max(start, first_sample), min(start + self.breath_samples, first_sample + count)
            sound[begin - first_sample : end - first_sample] += self._breath(breath)[begin - start : end - start]
        return sound

    def _breath(self, number: int) -> Floats:
        if self._last[0] != number:
            self._last = (number, self._synthesised(number))
        return self._last[1]

    def _synthesised(self, number: int) -> Floats:
        drives = self.behaviour.drives((number + 0.5) * self.breath_samples / SAMPLE_RATE_HZ)
        drive, hungry = float(drives.cry), float(drives.hungry_cry)
        sound = np.zeros(self.breath_samples)
        if drive > 0.02:
            burst = self._burst(number, drive, hungry / max(drive, hungry))
            sound[: len(burst)] = burst
        return sound

    def _burst(self, number: int, drive: float, hungry: float) -> Floats:
        # A whimper is short; a cry of hunger is lower and softer at its start.
        rng = generator(self.infant.seed, "cry", self.infant.number, number)
        share = self.behaviour.rhythm.cry_share * min(0.45 + 0.75 * drive, 1.0)
        count = int(self.breath_samples * share)
        part = np.linspace(0.0, 1.0, count, endpoint=False)
        pitch_hz = self._pitch(part, drive, rng) * (1.0 - 0.1 * hungry)
        phase = 2.0 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE_HZ
        voice = _harmonics(phase, float(pitch_hz.mean()))
        breath = rng.standard_normal(count) * (0.02 + 0.05 * drive)
        envelope = np.minimum(part / (0.06 + 0.14 * hungry), 1.0) * np.minimum((1.0 - part) / 0.18, 1.0)
        return np.asarray(LOUDEST * drive * envelope * (voice + breath))

    def _pitch(self, part: Floats, drive: float, rng: np.random.Generator) -> Floats:
        # Rises, stays, falls; a little higher in strong cries; vibrato of 6 Hz; jitter in steps of 1 % of the burst.
        base = self.infant.expression.cry_pitch_hz * (0.96 + 0.1 * drive) * rng.uniform(0.97, 1.03)
        melody = 0.9 + 0.14 * np.sin(np.pi * part) ** 0.7
        vibrato = 1.0 + 0.012 * np.sin(2.0 * np.pi * 6.0 * part * self.behaviour.rhythm.period_seconds)
        jitter = np.interp(part, np.linspace(0.0, 1.0, 100), rng.normal(1.0, 0.008 + 0.01 * drive, 100))
        return np.asarray(base * melody * vibrato * jitter)


def _harmonics(phase: Floats, pitch_hz: float) -> Floats:
    """The sum of weighted harmonics of the phase, largest possible value 1, by Horner's rule."""
    weights = [_weight(pitch_hz * (n + 1), n + 1) for n in range(HARMONICS)]
    turn = np.exp(1j * phase)
    total = np.zeros_like(turn)
    for weight in reversed(weights):
        total = (total + weight) * turn
    return np.asarray(total.imag / sum(weights))


def _weight(frequency_hz: float, number: int) -> float:
    if frequency_hz > SAMPLE_RATE_HZ / 2 - 500:
        return 0.0
    tract = sum(gain / (1.0 + ((frequency_hz - centre) / width) ** 2) for centre, width, gain in RESONANCES)
    return float((tract + 0.25) / np.sqrt(number) * (2.0 if number == 1 else 1.0))
