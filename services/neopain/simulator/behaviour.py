"""What an infant in a condition does: facial actions, cry, limbs, breath. Drawing and sound read these, never the pain.

Facial actions are those of neonatal scales: brow bulge, eye squeeze, nasolabial furrow, open mouth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from neopain.simulator.condition import Condition, EventKind
from neopain.simulator.infant import SimulatedInfant
from neopain.simulator.randomness import Floats, Wander, generator, wander

FACE_LAG_SECONDS = 0.5
CRY_DELAY_SECONDS = 0.8
LIMB_LAG_SECONDS = 0.8
BREATH_LAG_SECONDS = 2.0
BREATH_MIDDLE = 0.42

MIDDLES = {"face": 0.34, "voice": 0.28, "arm": 0.4, "leg": 0.4, "breath": BREATH_MIDDLE}
"""The felt pain, of 1, at which each way of showing it is half there, of the average infant; of the voice, at which
it starts."""
MIDDLE_SPREAD = 0.06
ONSET_WIDTH = 0.1

MOOD_SECONDS = 70.0
MOOD = 0.2
"""How much each way of showing distress wanders by itself within a session, one standard deviation."""


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
class Drives:
    """How strongly an infant does each thing, 0..1, arrays of one shape. ``grimace`` is the face of pain, ``cry`` the
    effort of crying whether heard or not, of which ``hungry_cry`` is due to hunger; ``breathing`` is how changed the
    breath is; ``awake`` how alert."""

    grimace: Floats
    cry: Floats
    hungry_cry: Floats
    arms: Floats
    legs: Floats
    breathing: Floats
    awake: Floats


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
    """One infant's signs in one condition: pure functions of time."""

    def __init__(self, infant: SimulatedInfant, condition: Condition) -> None:
        self.condition = condition
        self.expression = infant.expression
        rng = generator(infant.seed, "behaviour", infant.number)
        self.middles = {way: middle + float(rng.normal(0.0, MIDDLE_SPREAD)) for way, middle in MIDDLES.items()}
        self.rhythm = CryRhythm(float(rng.uniform(1.25, 1.6)), float(rng.uniform(0.66, 0.76)))
        self._slow = _wanders(infant, ("turn", "roll", "gaze", "tone", "brow"), period_seconds=9.0)
        self._quick = _wanders(infant, ("left arm", "right arm", "left leg", "right leg", "head"), period_seconds=1.1)
        self._mood = _wanders(infant, ("face mood", "voice mood", "arm mood", "leg mood"), period_seconds=MOOD_SECONDS)

    def drives(self, seconds: ArrayLike) -> Drives:
        """The drives at these times."""
        times = np.asarray(seconds, dtype=np.float64)
        left = self.condition.damping.behaviour
        hunger = self.condition.level(EventKind.HUNGER, times)
        handling = self.condition.level(EventKind.HANDLING, times)
        hungry_cry = 0.9 * self.expression.voice * _clipped(1.3 * hunger - 0.3) * left
        cry = np.maximum(self._pain_cry(times), np.maximum(hungry_cry, 0.35 * handling * self.expression.voice * left))
        grimace = onset(self._felt(times, FACE_LAG_SECONDS), self.middles["face"]) * self._way("face", times)
        arms = self._limb_drive("arm", times) + (0.45 * hunger + 0.3 * handling) * self.expression.arms
        legs = self._limb_drive("leg", times) + (0.35 * hunger + 0.45 * handling) * self.expression.legs
        breathing = onset(self._felt(times, BREATH_LAG_SECONDS), self.middles["breath"]) * self.expression.breath * left
        awake = 0.2 + 0.12 * self._slow["gaze"](times) + 0.5 * np.maximum(hunger, 0.8 * handling)
        return Drives(
            grimace=_clipped(grimace * left),
            cry=_clipped(cry),
            hungry_cry=_clipped(hungry_cry),
            arms=_clipped(arms * left),
            legs=_clipped(legs * left),
            breathing=_clipped(breathing + 0.35 * cry),
            awake=_clipped(awake * left + 0.7 * _clipped(np.maximum(grimace * left, cry))),
        )

    def signs(self, seconds: float) -> Signs:
        """The signs at that time."""
        return self.signs_at([seconds])[0]

    def signs_at(self, seconds: ArrayLike) -> list[Signs]:
        """The signs at each of these times [n]: much faster than one by one."""
        times = np.asarray(seconds, dtype=np.float64)
        drives = self.drives(times)
        slow = {name: noise(times) for name, noise in self._slow.items()}
        quick = {name: noise(times) for name, noise in self._quick.items()}
        left = self.condition.damping.behaviour
        # Crying pulls the face too, whatever it is for; in hunger less than in pain.
        pulled = pulled_face(drives)
        motion = 0.5 * (drives.arms + drives.legs)
        tone = 0.06 * slow["tone"]
        squint = self.condition.level(EventKind.BRIGHT_LIGHT, times)
        squeeze = _clipped(np.maximum(pulled * 1.1, 0.7 * squint) + tone)
        effort = np.array([self.rhythm.effort(float(t)) for t in times])
        yawn = self.condition.level(EventKind.YAWN, times)
        columns = (
            _clipped(pulled + 0.05 * slow["brow"] + 0.1 * squint),
            squeeze,
            _clipped(pulled * 0.95 - tone),
            _clipped(np.maximum(0.25 * drives.grimace + drives.cry * (0.35 + 0.4 * effort), 0.8 * yawn)),
            _clipped(drives.awake + 0.25 + 0.3 * slow["gaze"]) * (1.0 - squeeze) * left,
            _clipped(0.9 * drives.cry),
            np.clip(0.35 * slow["turn"] + 0.35 * motion * quick["head"], -1.0, 1.0),
            np.clip(0.3 * slow["roll"] + 0.2 * motion * quick["head"], -1.0, 1.0),
            motion,
            0.55 * drives.arms * quick["left arm"],
            0.55 * drives.arms * quick["right arm"],
            0.55 * drives.legs * quick["left leg"],
            0.55 * drives.legs * quick["right leg"],
            drives.cry,
        )
        return [_signs(row) for row in np.stack(columns, axis=1).tolist()]

    def cry_drive(self, seconds: float) -> float:
        """How much it cries, 0 (not at all) to 1, whatever the breath and whatever for."""
        return float(self.drives(seconds).cry)

    def limb_motion(self, seconds: float) -> float:
        """How much the limbs move, 0 (hardly) to 1."""
        drives = self.drives(seconds)
        return float(0.5 * (drives.arms + drives.legs))

    def _felt(self, times: Floats, lag_seconds: float) -> Floats:
        return self.condition.distress(times, lag_seconds=lag_seconds)

    def _pain_cry(self, times: Floats) -> Floats:
        felt = self.condition.distress(times, lag_seconds=0.3, delay_seconds=CRY_DELAY_SECONDS)
        start = self.middles["voice"]
        rising = _clipped((felt - start) / 0.5)
        return np.asarray(rising * self._way("voice", times) * self.condition.damping.behaviour)

    def _limb_drive(self, limb: str, times: Floats) -> Floats:
        drive = 0.05 + 0.95 * onset(self._felt(times, LIMB_LAG_SECONDS), self.middles[limb])
        return np.asarray(drive * self._way(limb, times))

    def _way(self, way: str, times: Floats) -> Floats:
        """How strong one way of showing distress is in this infant now."""
        strength = {
            "face": self.expression.face,
            "voice": self.expression.voice,
            "arm": self.expression.arms,
            "leg": self.expression.legs,
        }[way]
        return np.asarray(strength * (1.0 + MOOD * self._mood[f"{way} mood"](times)))


def pulled_face(drives: Drives) -> Floats:
    """How much the face is pulled, 0..1: by pain, and by crying, whatever for."""
    return np.asarray(np.maximum(drives.grimace, 0.55 * drives.cry - 0.15 * drives.hungry_cry))


def _signs(row: list[float]) -> Signs:
    return Signs(
        brow_bulge=row[0],
        eye_squeeze=row[1],
        nasolabial_furrow=row[2],
        mouth_open=row[3],
        eye_open=row[4],
        flush=row[5],
        head_turn=row[6],
        head_roll=row[7],
        limb_motion=row[8],
        arms=(row[9], row[10]),
        legs=(row[11], row[12]),
        cry=row[13],
    )


def _wanders(infant: SimulatedInfant, names: tuple[str, ...], *, period_seconds: float) -> dict[str, Wander]:
    return {name: wander(infant.seed, name, infant.number, period_seconds=period_seconds) for name in names}


def onset(values: ArrayLike, middle: float) -> Floats:
    """A soft step from 0 to 1 about the middle."""
    return np.asarray(1.0 / (1.0 + np.exp(-(np.asarray(values) - middle) / ONSET_WIDTH)))


def _clipped(values: Floats) -> Floats:
    return np.asarray(np.clip(values, 0.0, 1.0))
