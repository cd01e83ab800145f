"""What two raters at the bedside write down: NIPS and N-PASS, item by item, from what the infant does.

Raters see behaviour, never the latent pain: a paralysed infant in pain scores 0. Each rater has a threshold of their
own for every item and a doubt that differs from moment to moment, so that they agree about as well as published
raters do (ICC about 0.95, reference of the source paper).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neopain.domain.annotation import NIPS_ITEMS, NPASS_ITEMS, Rating, Scale
from neopain.simulator.behaviour import Behaviour, pulled_face
from neopain.simulator.infant import SimulatedInfant
from neopain.simulator.randomness import Floats, generator
from neopain.simulator.vitals import Vitals

OBSERVED_SECONDS = 8.0
"""How long a rater looks before writing a score down."""
STEPS = 17
RATERS = ("rater-1", "rater-2")

RATER_BIAS = 0.025
"""How far one rater's thresholds lie from another's, one standard deviation, on intensities of 0..1."""
RATER_DOUBT = 0.085
"""How far one judgement lies from the next of the same rater."""

# Intensity from which an item counts one point, and for cry and N-PASS items two.
NIPS_THRESHOLDS: dict[str, tuple[float, ...]] = {
    "face": (0.42,),
    "cry": (0.12, 0.50),
    "breathing": (0.42,),
    "arms": (0.42,),
    "legs": (0.42,),
    "arousal": (0.52,),
}
NPASS_THRESHOLDS = (0.28, 0.62)
SEDATION_THRESHOLDS = (0.3, 0.75)
EARLY_WEEKS = 30
"""N-PASS adds one point of pain below this gestational age (LOINC 95621-9)."""


@dataclass(frozen=True, slots=True)
class Observed:
    """How strong each thing was that a rater can see, mean of the last seconds, 0..1; ``quiet`` is how unresponsive."""

    face: float
    cry: float
    breathing: float
    arms: float
    legs: float
    arousal: float
    vital_signs: float
    quiet: float


def observed(behaviour: Behaviour, vitals: Vitals, seconds: float) -> Observed:
    """What there was to see in the seconds before that time. A silent cry is seen too (intubated infants)."""
    times = seconds - np.linspace(OBSERVED_SECONDS, 0.0, STEPS)
    drives = behaviour.drives(times)
    rise = (vitals.heart_rate(seconds) - vitals.rest.heart_rate_bpm) / 40.0
    return Observed(
        face=_mean(pulled_face(drives)),
        cry=_mean(drives.cry),
        breathing=_mean(drives.breathing),
        arms=_mean(drives.arms),
        legs=_mean(drives.legs),
        arousal=_mean(drives.awake),
        vital_signs=float(np.clip(rise, 0.0, 1.0)),
        quiet=behaviour.condition.damping.depth * (1.0 - 0.5 * float(np.clip(_mean(drives.awake), 0.0, 1.0))),
    )


def ratings(infant: SimulatedInfant, seen: Observed, *, occasion: int) -> tuple[Rating, ...]:
    """Both raters' NIPS, N-PASS pain and N-PASS sedation; ``occasion`` tells one judgement from another."""
    return tuple(rating for rater in RATERS for rating in _of_one_rater(infant, seen, rater=rater, occasion=occasion))


def _of_one_rater(infant: SimulatedInfant, seen: Observed, *, rater: str, occasion: int) -> list[Rating]:
    judge = _Judge(infant, rater, occasion)
    nips = {item: judge.points(f"nips {item}", getattr(seen, item), NIPS_THRESHOLDS[item]) for item in NIPS_ITEMS}
    pain = dict(
        zip(NPASS_ITEMS, (judge.points(f"pain {n}", v, NPASS_THRESHOLDS) for n, v in _npass(seen)), strict=True)
    )
    calm = {
        item: -judge.points(f"sedation {item}", seen.quiet * (1.0 - value), SEDATION_THRESHOLDS)
        for item, value in _npass(seen)
    }
    early = 1.0 if infant.gestational_age_weeks < EARLY_WEEKS and sum(pain.values()) > 0 else 0.0
    return [
        Rating(Scale.NIPS, rater, sum(nips.values()), nips),
        Rating(Scale.NPASS_PAIN, rater, sum(pain.values()) + early, pain),
        Rating(Scale.NPASS_SEDATION, rater, sum(calm.values()), calm),
    ]


def _npass(seen: Observed) -> list[tuple[str, float]]:
    """The five criteria of N-PASS in their order."""
    values = (seen.cry, seen.arousal, seen.face, 0.5 * (seen.arms + seen.legs), seen.vital_signs)
    return list(zip(NPASS_ITEMS, values, strict=True))


class _Judge:
    """One rater on one occasion."""

    def __init__(self, infant: SimulatedInfant, rater: str, occasion: int) -> None:
        self.infant = infant
        self.rater = rater
        self.occasion = occasion

    def points(self, item: str, intensity: float, thresholds: tuple[float, ...]) -> float:
        """How many of the thresholds the intensity passes in this rater's eyes."""
        bias = generator(self.infant.seed, self.rater, item).normal(0.0, RATER_BIAS)
        doubt = generator(self.infant.seed, self.rater, item, self.infant.number, self.occasion).normal(
            0.0, RATER_DOUBT
        )
        return float(sum(intensity + bias + doubt > threshold for threshold in thresholds))


def _mean(values: Floats) -> float:
    return float(values.mean())
