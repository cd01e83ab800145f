"""What the microphone at a cot hears: the infant, its ventilator, alarms, talk, and the infant in the next cot."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neopain.domain.media import SAMPLE_RATE_HZ
from neopain.simulator.behaviour import Behaviour
from neopain.simulator.circumstances import Circumstances, Support
from neopain.simulator.condition import Condition, Event, EventKind, events_of
from neopain.simulator.course import PainCourse, Phase, Procedure
from neopain.simulator.cry import Cry
from neopain.simulator.infant import SimulatedInfant, simulated_infant
from neopain.simulator.randomness import Floats, generator, wander

Pcm = NDArray[np.int16]

HEARD: dict[Support, float] = {Support.NONE: 1.0, Support.CPAP: 0.7, Support.INTUBATED: 0.0}
"""How much of the voice comes out: a tube between the vocal cords makes a cry silent."""

NEIGHBOUR_GAIN = 0.16
ALARM_HZ = (960.0, 1220.0)
ALARM_SECONDS = 0.9
ALARM_GAIN = 0.035
NEIGHBOURS_NUMBER = 1_000_000
"""Numbers of infants in neighbouring cots begin here: away from those of the cohort."""


class Room:
    """One cot's sound, a pure function of time."""

    def __init__(self, infant: SimulatedInfant, behaviour: Behaviour, around: Circumstances) -> None:
        self.infant = infant
        self.around = around
        self.condition = behaviour.condition
        self.cry = Cry(infant, behaviour)
        self.neighbour = _neighbour(infant, behaviour.condition)
        self._talk = wander(infant.seed, "talk", infant.number, period_seconds=1.5)

    def pcm(self, first_sample: int, count: int, *, has_infant: bool = True) -> Pcm:
        """The samples from ``first_sample`` on, int16."""
        microphone = self.around.microphone
        seconds = np.arange(first_sample, first_sample + count) / SAMPLE_RATE_HZ
        sound = microphone.hum * self._noise("hum", first_sample, count, colour_hz=300.0)
        sound += (
            microphone.ventilator * self._breaths(seconds) * self._noise("gas", first_sample, count, colour_hz=2500.0)
        )
        sound += microphone.talk * _voiced(self._talk(seconds), seconds)
        sound += self._alarms(seconds)
        if events_of(EventKind.NEIGHBOUR_CRIES, self.condition.events):
            sound += NEIGHBOUR_GAIN * self.neighbour.voice(first_sample, count)
        if has_infant:
            sound += microphone.gain * HEARD[self.around.support] * self.cry.voice(first_sample, count)
        return np.asarray(np.clip(sound, -1.0, 1.0) * 32767.0).astype(np.int16)

    def _noise(self, name: str, first_sample: int, count: int, *, colour_hz: float) -> Floats:
        rng = generator(self.infant.seed, name, self.infant.number, first_sample)
        spectrum = np.fft.rfft(rng.standard_normal(count))
        noise = np.fft.irfft(spectrum / (1.0 + np.fft.rfftfreq(count, 1.0 / SAMPLE_RATE_HZ) / colour_hz), count)
        return np.asarray(noise / max(float(noise.std()), 1e-9))

    def _breaths(self, seconds: Floats) -> Floats:
        """The machine's rhythm, 0..1; a steady stream without one (CPAP)."""
        if self.around.ventilated_bpm is None:
            return np.full(seconds.shape, 0.6)
        phase = (seconds * self.around.ventilated_bpm / 60.0) % 1.0
        return np.asarray(np.where(phase < 0.35, np.sin(np.pi * phase / 0.35), 0.1))

    def _alarms(self, seconds: Floats) -> Floats:
        level = self.condition.level(EventKind.ALARM, seconds)
        if not level.any():
            return np.zeros(seconds.shape)
        part = (seconds % ALARM_SECONDS) / ALARM_SECONDS
        tone = np.where(part < 0.5, ALARM_HZ[0], ALARM_HZ[1])
        gate = (part % 0.5) < 0.35
        return np.asarray(ALARM_GAIN * level * gate * np.sin(2.0 * np.pi * tone * seconds))


def _voiced(activity: Floats, seconds: Floats) -> Floats:
    """Grown-ups that talk: a low pitch with a few harmonics while they are active, about 1 at its loudest."""
    pitch = 2.0 * np.pi * 165.0 * seconds + 3.0 * np.sin(2.0 * np.pi * 0.7 * seconds)
    harmonics = sum(np.sin(n * pitch) / n for n in range(1, 6))
    return np.asarray(np.clip(activity - 0.3, 0.0, 1.0) * harmonics / 1.8)


def _neighbour(infant: SimulatedInfant, condition: Condition) -> Cry:
    """The cry of another infant, hungry whenever the condition says that a neighbour cries."""
    other = simulated_infant(infant.seed, NEIGHBOURS_NUMBER + infant.number)
    calls = events_of(EventKind.NEIGHBOUR_CRIES, condition.events)
    hunger = tuple(
        Event(EventKind.HUNGER, call.start_seconds, call.seconds, call.strength, call.rise_seconds) for call in calls
    )
    calm = PainCourse(phases=(Phase(Procedure.BASELINE, 60.0),), resting_pain=0.0)
    return Cry(other, Behaviour(other, Condition(calm, hunger)))
