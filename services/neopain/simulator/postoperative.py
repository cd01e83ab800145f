"""The hours after surgery: pain that ebbs over hours, doses of an opioid that ease it, care that stirs it up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from neopain.simulator.condition import Condition, Event, EventKind, Sedation
from neopain.simulator.course import MOST_PAIN, Procedure
from neopain.simulator.infant import SimulatedInfant
from neopain.simulator.protocol import Session
from neopain.simulator.randomness import Floats, generator, wander

HOURS = 3.0
LOOKS = 24
LEAD_SECONDS = 240.0
CARE_EVERY_SECONDS = 2400.0
SWELL_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Dose:
    """One dose: relief comes within ``onset_seconds``, is ``relief`` 0..1 at its best, and wears off exponentially."""

    start_seconds: float
    relief: float
    onset_seconds: float = 420.0
    fade_seconds: float = 3600.0

    def level(self, times: Floats) -> Floats:
        """The relief at these times, 0..1."""
        since = np.maximum(times - self.start_seconds, 0.0)
        return np.asarray(
            self.relief * (1.0 - np.exp(-since / self.onset_seconds)) * np.exp(-since / self.fade_seconds)
        )


@dataclass(frozen=True)
class PostoperativeCourse:
    """The latent pain of the hours after an operation; 0 s is the arrival on the ward."""

    seed: int
    number: int
    first_pain: float
    ebb_seconds: float
    doses: tuple[Dose, ...]

    def pain(self, seconds: ArrayLike) -> Floats:
        """The latent pain 0..10 at these times, same shape."""
        times = np.asarray(seconds, dtype=np.float64)
        swell = wander(self.seed, "swell", self.number, period_seconds=SWELL_SECONDS)(times)
        wound = self.first_pain * np.exp(-np.maximum(times, 0.0) / self.ebb_seconds) * (1.0 + 0.25 * swell)
        relief = np.max([dose.level(times) for dose in self.doses], axis=0) if self.doses else 0.0
        return np.asarray(np.clip(wound * (1.0 - relief), 0.0, MOST_PAIN))

    def procedure(self, seconds: float) -> Procedure:  # noqa: ARG002  # a course has a procedure at each time
        """Always the hours after an operation."""
        return Procedure.POSTOPERATIVE


def postoperative_session(infant: SimulatedInfant, sedation: Sedation) -> Session:
    """Three hours with care every 40 minutes, rated every seven and a half; opioids dampen the infant for all of it."""
    rng = generator(infant.seed, "postoperative", infant.number)
    length = HOURS * 3600.0
    times = np.sort(rng.uniform(0.0, 0.8 * length, int(rng.integers(0, 4))))
    course = PostoperativeCourse(
        seed=infant.seed,
        number=infant.number,
        first_pain=float(rng.uniform(4.0, 9.5)),
        ebb_seconds=float(rng.uniform(1.5, 5.0)) * 3600.0,
        doses=tuple(Dose(float(start), float(rng.uniform(0.35, 0.85))) for start in times),
    )
    events = [
        Event(EventKind.HANDLING, float(start + rng.uniform(-300, 300)), float(rng.uniform(60, 150)), 0.7, 6.0)
        for start in np.arange(CARE_EVERY_SECONDS, length, CARE_EVERY_SECONDS)
    ]
    deeper = Sedation.LIGHT if sedation is Sedation.NONE and course.doses else sedation
    step = (length - LEAD_SECONDS) / LOOKS
    looks = tuple(float(LEAD_SECONDS + step * (n + rng.uniform(0.2, 0.8))) for n in range(LOOKS))
    return Session("postoperative", Condition(course, tuple(events), deeper), looks, length)
