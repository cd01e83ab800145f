"""What an infant in pain does: facial actions, cry, limbs. Drawing and sound read these signs, never the pain.

Facial actions are those of neonatal scales: brow bulge, eye squeeze, nasolabial furrow, open mouth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neopain.simulator.course import MOST_PAIN, PainCourse
from neopain.simulator.infant import SimulatedInfant
from neopain.simulator.randomness import Wander, generator, wander

FACE_LAG_SECONDS = 0.5
CRY_DELAY_SECONDS = 0.8
CRY_THRESHOLD = 0.3
LIMB_LAG_SECONDS = 0.8


@dataclass(frozen=True, slots=True)
class CryRhythm:
    """Breaths of a crying infant: one cry and one pause in each period, for ever; heard only while it cries."""

    period_seconds: float
    cry_share: float

    def breath(self, seconds: float) -> tuple[int, float]:
        """The number of the breath at that time and how far it is through, 0..1."""
        number, part = divmod(seconds / self.period_seconds, 1.0)
        return int(number), part

    def effort(self, seconds: float) -> float:
        """How hard it cries at this point of a breath, 0 in the pause to 1."""
        _, part = self.breath(seconds)
        return float(np.sin(np.pi * part / self.cry_share) ** 0.5) if part < self.cry_share else 0.0


@dataclass(frozen=True, slots=True)
class Signs:
    """What can be seen and heard at one moment. Actions, ``cry`` and ``limb_motion`` are 0..1; turn and roll -1..1.

    ``arms`` and ``legs`` are the angles of left and right limb from rest, in radians.
    """

    brow_bulge: float
    eye_squeeze: float
    nasolabial_furrow: float
    mouth_open: float
    eye_open: float
    flush: float
    head_turn: float
    head_roll: float
    limb_motion: float
    arms: tuple[float, float]
    legs: tuple[float, float]
    cry: float


class Behaviour:
    """One infant's signs along one course: pure functions of time."""

    def __init__(self, infant: SimulatedInfant, course: PainCourse) -> None:
        self.course = course
        self.expression = infant.expression
        rng = generator(infant.seed, "behaviour", infant.number)
        self.rhythm = CryRhythm(float(rng.uniform(1.25, 1.6)), float(rng.uniform(0.66, 0.76)))
        self._slow = _wanders(infant, ("turn", "roll", "gaze", "tone", "brow"), period_seconds=9.0)
        self._quick = _wanders(infant, ("left arm", "right arm", "left leg", "right leg", "head"), period_seconds=1.1)

    def signs(self, seconds: float) -> Signs:
        """The signs at that time."""
        distress = self.course.lagged(seconds, lag_seconds=FACE_LAG_SECONDS) / MOST_PAIN
        face = _onset(distress, 0.35) * self.expression.strength
        cry = self.cry_drive(seconds)
        motion = self.limb_motion(seconds)
        tone = 0.06 * self._slow["tone"].at(seconds)
        squeeze = _share(face * 1.1 + tone)
        return Signs(
            brow_bulge=_share(face + 0.05 * self._slow["brow"].at(seconds)),
            eye_squeeze=squeeze,
            nasolabial_furrow=_share(face * 0.95 - tone),
            mouth_open=_share(0.25 * face + cry * (0.35 + 0.4 * self.rhythm.effort(seconds))),
            eye_open=_share(0.35 + 0.5 * self._slow["gaze"].at(seconds)) * (1.0 - squeeze),
            flush=_share(0.9 * cry),
            head_turn=_signed(0.35 * self._slow["turn"].at(seconds) + 0.35 * motion * self._quick["head"].at(seconds)),
            head_roll=_signed(0.3 * self._slow["roll"].at(seconds) + 0.2 * motion * self._quick["head"].at(seconds)),
            limb_motion=motion,
            arms=(self._limb("left arm", seconds, motion), self._limb("right arm", seconds, motion)),
            legs=(self._limb("left leg", seconds, motion), self._limb("right leg", seconds, motion)),
            cry=cry,
        )

    def cry_drive(self, seconds: float) -> float:
        """How much it cries, 0 (not at all) to 1, whatever the breath."""
        distress = self.course.lagged(seconds, lag_seconds=0.3, delay_seconds=CRY_DELAY_SECONDS) / MOST_PAIN
        return _share((distress - CRY_THRESHOLD) / (0.85 - CRY_THRESHOLD)) * self.expression.voice

    def limb_motion(self, seconds: float) -> float:
        """How much the limbs move, 0 (hardly) to 1."""
        distress = self.course.lagged(seconds, lag_seconds=LIMB_LAG_SECONDS) / MOST_PAIN
        return _share(0.06 + 0.94 * _onset(distress, 0.4)) * self.expression.strength

    def _limb(self, name: str, seconds: float, motion: float) -> float:
        return motion * 0.55 * self._quick[name].at(seconds)


def _wanders(infant: SimulatedInfant, names: tuple[str, ...], *, period_seconds: float) -> dict[str, Wander]:
    return {name: wander(infant.seed, name, infant.number, period_seconds=period_seconds) for name in names}


def _onset(value: float, middle: float) -> float:
    """A soft step from 0 to 1 about the middle."""
    return float(1.0 / (1.0 + np.exp(-(value - middle) / 0.09)))


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _signed(value: float) -> float:
    return min(max(value, -1.0), 1.0)
