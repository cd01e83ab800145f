"""What simulated windows show: the signs themselves, and what devices without any fault of their own tell of them.

A recorded window can only tell less: monitors round, average and lose values, microphones hear the ward, and movement
is one number for all limbs.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import mean
from typing import Final

import numpy as np

from neopain.domain.annotation import Scale
from neopain.domain.scales import NIPS_X10_7
from neopain.features.baseline import BACK, LEFT_OUT
from neopain.simulator.behaviour import Behaviour, pulled_face
from neopain.simulator.circumstances import Circumstances, circumstances
from neopain.simulator.cohort import sessions
from neopain.simulator.condition import EventKind
from neopain.simulator.infant import SimulatedInfant, simulated_infant
from neopain.simulator.protocol import PROCEDURES, Session
from neopain.simulator.randomness import Floats
from neopain.simulator.ratings import OBSERVED_SECONDS, STEPS, observed, ratings
from neopain.simulator.sound import HEARD
from neopain.simulator.vitals import HEART_LAG_SECONDS, SATURATION_LAG_SECONDS, Vitals
from neopain.training.bound import AGES, Shown, joined

WINDOW_SECONDS: Final = 30.0
AGO: Final = np.concatenate(
    [np.linspace(0.0, OBSERVED_SECONDS, STEPS), np.arange(OBSERVED_SECONDS + 1.0, WINDOW_SECONDS + 1.0)]
)
"""Seconds before the end of a window at which it is looked at: as raters do, and once a second before that."""
SPANS: Final = ((0.0, OBSERVED_SECONDS), (0.0, 2.0), (2.0, 5.0), (5.0, 8.0), (8.0, 15.0), (15.0, WINDOW_SECONDS))
"""Seconds ago, from and to, whose means are told; those of the first are what raters go by."""
BASELINE_AGO: Final = np.arange(LEFT_OUT.total_seconds(), BACK.total_seconds(), 10.0)


def shown(seed: int, numbers: Iterable[int]) -> Shown:
    """The rated windows of these infants of a cohort, those that lost a recording among them."""
    return joined([_of_infant(simulated_infant(seed, number)) for number in numbers])


def _of_infant(infant: SimulatedInfant) -> Shown:
    around = circumstances(infant)
    parts, occasion = [], 1
    for session in sessions(infant, around):
        parts.append(_Watched(infant, around, session).shown(first_occasion=occasion))
        # After its procedures a cohort's infant is away for one segment.
        occasion += len(session.looks) + (session.name == PROCEDURES)
    return joined(parts)


class _Watched:
    """One infant in one session, at the ends of all its windows."""

    def __init__(self, infant: SimulatedInfant, around: Circumstances, session: Session) -> None:
        self.infant, self.around, self.session = infant, around, session
        self.behaviour = Behaviour(infant, session.condition)
        self.vitals = Vitals(infant, session.condition, ventilated_bpm=around.ventilated_bpm)
        self.ends = np.array(session.looks)
        self.times = self.ends[:, None] - AGO
        self.drives = self.behaviour.drives(self.times)

    def shown(self, *, first_occasion: int) -> Shown:
        """All windows, one row each."""
        ages = [self.infant.gestational_age_weeks, float(self.infant.age_days)]
        cry = self._if(HEARD[self.around.support] > 0, _means(self.drives.cry, self.drives.hungry_cry))
        face = _means(pulled_face(self.drives), self.drives.awake, self.drives.cry, self.drives.hungry_cry)
        both = {AGES: np.tile(ages, (len(self.ends), 1)), "F": face, "C": cry}
        return Shown(
            labels=np.array([self._label(end, first_occasion + place) for place, end in enumerate(self.ends.tolist())]),
            infants=np.full(len(self.ends), self.infant.mrn),
            supports=np.full(len(self.ends), self.around.support.value),
            signs={**both, "P": self._body(), "M": self._limbs()},
            devices={**both, "P": self._monitor(), "M": self._wide_view()},
        )

    def _label(self, end: float, occasion: int) -> float:
        found = ratings(self.infant, observed(self.behaviour, self.vitals, end), occasion=occasion)
        return mean(NIPS_X10_7.to_reported(one.score) for one in found if one.scale is Scale.NIPS)

    def _body(self) -> Floats:
        """How far pain, hunger and handling drive heart and saturation, and how changed the breath is."""
        driven = [self.vitals.arousal(self.times, lag) for lag in (HEART_LAG_SECONDS, SATURATION_LAG_SECONDS)]
        breath = self._if(self.around.ventilated_bpm is None, _means(self.drives.breathing))
        return np.concatenate([_means(*driven), breath], axis=1)

    def _limbs(self) -> Floats:
        return _means(self.drives.arms, self.drives.legs, self._handled())

    def _monitor(self) -> Floats:
        """Rates and saturation, neither averaged nor rounded, and their baselines."""
        sources = (self.vitals.heart_rate, self.vitals.saturation, self.vitals.respiration)
        before = np.maximum(self.ends[:, None] - BASELINE_AGO, 0.0)
        baselines = [np.median(source(before), axis=1) for source in sources]
        return np.column_stack([_means(*(source(self.times) for source in sources)), *baselines])

    def _wide_view(self) -> Floats:
        """Arms and hands at work: the body hides the legs, of which movement tells a thirtieth as much."""
        return _means(self.drives.arms, self._handled())

    def _handled(self) -> Floats:
        return self.session.condition.level(EventKind.HANDLING, self.times)

    def _if(self, is_there: bool, columns: Floats) -> Floats:
        return columns if is_there else np.full_like(columns, np.nan)


def _means(*signals: Floats) -> Floats:
    """Of each signal [n, times] the means of all spans, side by side."""
    inside = [(first <= AGO) & (last >= AGO) for first, last in SPANS]
    return np.stack([signal[:, rows].mean(axis=1) for signal in signals for rows in inside], axis=1)
