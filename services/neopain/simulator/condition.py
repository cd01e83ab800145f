"""Everything that moves an infant at one time: felt pain, and what looks or sounds like pain and is none.

A condition is a pure function of time. Hunger and handling make infants cry and move without pain; apnoea drops the
saturation; yawns open the mouth; bright light squeezes the eyes; sedation hides the signs of a pain that is felt, and
paralysis hides all but the heart's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from neopain.simulator.course import MOST_PAIN, Procedure
from neopain.simulator.randomness import Floats


class EventKind(Enum):
    """What happens beside the pain."""

    HUNGER = "hunger"
    HANDLING = "handling"
    APNOEA = "apnoea"
    YAWN = "yawn"
    BRIGHT_LIGHT = "bright light"
    ALARM = "alarm"
    NEIGHBOUR_CRIES = "neighbour cries"
    HAND_IN_PICTURE = "hand in picture"


@dataclass(frozen=True, slots=True)
class Event:
    """One happening: it comes within ``rise_seconds``, goes as fast, and is ``strength`` 0..1 between."""

    kind: EventKind
    start_seconds: float
    seconds: float
    strength: float = 1.0
    rise_seconds: float = 2.0

    def level(self, seconds: ArrayLike) -> Floats:
        """How strong it is at these times, 0..strength, same shape."""
        times = np.asarray(seconds, dtype=np.float64) - self.start_seconds
        rising = np.minimum(times, self.seconds - times) / self.rise_seconds
        return np.asarray(self.strength * np.clip(rising, 0.0, 1.0))


class Sedation(Enum):
    """Drugs that dampen an infant; the value is the word in a manifest."""

    NONE = "none"
    LIGHT = "light sedation"
    DEEP = "deep sedation"
    PARALYSED = "paralysed"


@dataclass(frozen=True, slots=True)
class Damping:
    """What is left of movement and expression, and of the heart's and breath's answer, 0..1; depth for the scales."""

    behaviour: float
    autonomic: float
    depth: float


# By judgement, not clinical data: opioids dampen behaviour more than the heart; a relaxant stops all movement.
DAMPING: dict[Sedation, Damping] = {
    Sedation.NONE: Damping(behaviour=1.0, autonomic=1.0, depth=0.0),
    Sedation.LIGHT: Damping(behaviour=0.6, autonomic=0.8, depth=0.45),
    Sedation.DEEP: Damping(behaviour=0.15, autonomic=0.45, depth=0.9),
    Sedation.PARALYSED: Damping(behaviour=0.0, autonomic=0.8, depth=1.0),
}


class PainTrace(Protocol):
    """The latent pain over time."""

    def pain(self, seconds: ArrayLike) -> Floats:
        """The latent pain 0..10 at these times, same shape."""

    def procedure(self, seconds: float) -> Procedure:
        """What is going on at that time."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One infant's state over time."""

    course: PainTrace
    events: tuple[Event, ...] = ()
    sedation: Sedation = Sedation.NONE

    @property
    def damping(self) -> Damping:
        """What the sedation leaves."""
        return DAMPING[self.sedation]

    def distress(self, seconds: ArrayLike, *, lag_seconds: float, delay_seconds: float = 0.0) -> Floats:
        """The felt pain 0..1 as something slow sees it: after a delay, with exponentially fading memory."""
        times = np.asarray(seconds, dtype=np.float64) - delay_seconds
        return np.asarray(faded(self.course, times, lag_seconds) / MOST_PAIN)

    def level(self, kind: EventKind, seconds: ArrayLike) -> Floats:
        """The strongest event of that kind at these times, 0..1, same shape."""
        times = np.asarray(seconds, dtype=np.float64)
        levels = [event.level(times) for event in self.events if event.kind is kind]
        return np.asarray(np.max(levels, axis=0)) if levels else np.zeros(times.shape)


def faded(course: PainTrace, times: Floats, lag_seconds: float) -> Floats:
    """The pain at these times as a memory that fades with that lag has it; as it is without a lag."""
    if lag_seconds <= 0:
        return course.pain(times)
    ages = np.linspace(0.0, 5.0, 26)
    weights = np.exp(-ages)
    return np.asarray(course.pain(times[..., np.newaxis] - ages * lag_seconds) @ weights / weights.sum())


def events_of(kind: EventKind, events: Iterable[Event]) -> list[Event]:
    """Those of one kind."""
    return [event for event in events if event.kind is kind]
