"""The latent pain of an infant over time, 0..10, and the procedure that is going on: the ground truth.

A course is a pure function of time from a list of phases. It may repeat, so that a minute or two of a demo show it all.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import accumulate

import numpy as np
from numpy.typing import ArrayLike

from neopain.simulator.randomness import Floats

MOST_PAIN = 10.0
REPEATS_REMEMBERED = 3


class Procedure(Enum):
    """What is being done to the infant, by the words that a person reads."""

    BASELINE = "baseline"
    HEEL_LANCE = "heel lance"
    VENEPUNCTURE = "venepuncture"
    IMMUNISATION = "immunisation"
    LUMBAR_PUNCTURE = "lumbar puncture"
    HANDLING = "handling"
    RECOVERY = "recovery"
    FEEDING_DUE = "feeding due"
    POSTOPERATIVE = "postoperative"


@dataclass(frozen=True, slots=True)
class Response:
    """How a procedure hurts: it rises to ``peak`` of 10 and fades after the end, both exponentially."""

    peak: float
    rise_seconds: float
    fade_seconds: float


# Orders of magnitude by judgement: a lance and a lumbar puncture hurt most, handling hardly. Not clinical data.
RESPONSES: dict[Procedure, Response] = {
    Procedure.HEEL_LANCE: Response(peak=8.6, rise_seconds=1.2, fade_seconds=7.0),
    Procedure.VENEPUNCTURE: Response(peak=6.5, rise_seconds=1.5, fade_seconds=6.0),
    Procedure.IMMUNISATION: Response(peak=7.8, rise_seconds=0.8, fade_seconds=9.0),
    Procedure.LUMBAR_PUNCTURE: Response(peak=9.2, rise_seconds=4.0, fade_seconds=15.0),
    Procedure.HANDLING: Response(peak=1.5, rise_seconds=2.0, fade_seconds=4.0),
}


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of the course."""

    procedure: Procedure
    seconds: float


HEEL_LANCE_COURSE = (
    Phase(Procedure.BASELINE, 12.0),
    Phase(Procedure.HEEL_LANCE, 8.0),
    Phase(Procedure.RECOVERY, 30.0),
)


@dataclass(frozen=True, slots=True)
class PainCourse:
    """Phases in order; ``repeats`` starts anew at the end, ``shift_seconds`` starts within the course.

    ``resting_pain`` is what is there without any procedure. Procedures last and fade ``time_scale`` times as long, and
    hurt ``sensitivity`` times as much.
    """

    phases: tuple[Phase, ...] = HEEL_LANCE_COURSE
    repeats: bool = True
    shift_seconds: float = 0.0
    resting_pain: float = 0.4
    time_scale: float = 1.0
    sensitivity: float = 1.0

    @property
    def length_seconds(self) -> float:
        """The time from the first phase's start to the last one's end."""
        return sum(phase.seconds for phase in self.phases) * self.time_scale

    def procedure(self, seconds: float) -> Procedure:
        """What is going on at that time; after the end of a course that does not repeat, the last phase goes on."""
        moment = self._within(seconds)
        for phase, end in zip(self.phases, self._ends(), strict=True):
            if moment < end:
                return phase.procedure
        return self.phases[-1].procedure

    def pain(self, seconds: ArrayLike) -> Floats:
        """The latent pain 0..10 at these times, same shape."""
        times = np.asarray(seconds, dtype=np.float64) + self.shift_seconds
        total = np.full(times.shape, self.resting_pain)
        for start, end, response in self._events():
            total += sum(self._hurt(times - start - back, end - start, response) for back in self._laps(times))
        return np.asarray(np.clip(total, 0.0, MOST_PAIN))

    def _within(self, seconds: float) -> float:
        moment = seconds + self.shift_seconds
        return moment % self.length_seconds if self.repeats else moment

    def _ends(self) -> list[float]:
        return list(accumulate(phase.seconds * self.time_scale for phase in self.phases))

    def _events(self) -> list[tuple[float, float, Response]]:
        ends = self._ends()
        starts = [0.0, *ends[:-1]]
        return [
            (start, end, RESPONSES[phase.procedure])
            for phase, start, end in zip(self.phases, starts, ends, strict=True)
            if phase.procedure in RESPONSES
        ]

    def _laps(self, times: Floats) -> list[Floats]:
        """The starts of this lap and the ones before it that may still be felt, per time."""
        if not self.repeats:
            return [np.zeros_like(times)]
        lap = np.floor(times / self.length_seconds)
        laps = (lap - back for back in range(REPEATS_REMEMBERED))
        return [np.where(one >= 0, one, -np.inf) * self.length_seconds for one in laps]

    def _hurt(self, since: Floats, length: float, response: Response) -> Floats:
        rise, fade = (response.rise_seconds * self.time_scale, response.fade_seconds * self.time_scale)
        rising = 1.0 - np.exp(-np.clip(since, 0.0, length) / rise)
        fading = np.exp(-np.maximum(since - length, 0.0) / fade)
        return np.asarray(self.sensitivity * response.peak * rising * fading)
