"""The voice of an infant."""

from __future__ import annotations

import numpy as np
import pytest

from neopain.simulator.behaviour import Behaviour
from neopain.simulator.condition import Condition
from neopain.simulator.course import PainCourse
from neopain.simulator.cry import Cry
from neopain.simulator.infant import SimulatedInfant

RATE = 16_000


def seconds_of(cry: Cry, start: float, length: float) -> np.ndarray:
    return cry.voice(int(start * RATE), int(length * RATE))


@pytest.fixture
def cry(infant: SimulatedInfant, behaviour: Behaviour) -> Cry:
    return Cry(infant, behaviour)


def test_the_cry_has_its_pitch_as_the_lowest_strong_tone(cry: Cry, infant: SimulatedInfant) -> None:
    sound = seconds_of(cry, 16.0, 4.0)
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    frequency = np.fft.rfftfreq(len(sound), 1 / RATE)
    band = (frequency > 200) & (frequency < 700)

    assert frequency[band][power[band].argmax()] == pytest.approx(infant.expression.cry_pitch_hz, rel=0.15)


def test_the_cry_has_harmonics(cry: Cry) -> None:
    sound = seconds_of(cry, 16.0, 4.0)
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    frequency = np.fft.rfftfreq(len(sound), 1 / RATE)

    assert power[(frequency > 700) & (frequency < 4000)].sum() > 0.2 * power.sum()


def test_an_infant_at_rest_is_silent(cry: Cry) -> None:
    assert not seconds_of(cry, 4.0, 4.0).any()


def test_the_infant_breathes_between_cries(cry: Cry, behaviour: Behaviour) -> None:
    period = behaviour.rhythm.period_seconds
    breath = round(16.0 / period)
    loud = seconds_of(cry, (breath + 0.3) * period, 0.1)
    pause = seconds_of(cry, (breath + 0.85) * period, 0.1)

    assert pause.std() < 0.05 * loud.std()


@pytest.mark.parametrize("size", [1_000, 8_000, 12_345])
def test_the_size_of_the_chunks_does_not_matter(infant: SimulatedInfant, behaviour: Behaviour, size: int) -> None:
    whole = Cry(infant, behaviour).voice(12 * RATE, 5 * RATE)
    pieces = Cry(infant, behaviour)
    starts = range(0, 5 * RATE, size)
    parts = [pieces.voice(12 * RATE + start, min(size, 5 * RATE - start)) for start in starts]

    assert np.array_equal(np.concatenate(parts), whole)


def test_the_sound_never_clips(infant: SimulatedInfant) -> None:
    cry = Cry(infant, Behaviour(infant, Condition(PainCourse())))

    assert 0.1 < np.abs(cry.voice(0, 50 * RATE)).max() < 0.98
