"""Vital signs follow the pain with a lag."""

from __future__ import annotations

from itertools import takewhile

import numpy as np

from neopain.simulator.condition import Condition
from neopain.simulator.course import PainCourse, Phase, Procedure
from neopain.simulator.infant import SimulatedInfant, simulated_infant
from neopain.simulator.vitals import Vitals

SECONDS = np.arange(0, 300)
AT_REST = PainCourse(phases=(Phase(Procedure.BASELINE, 60.0),))


def lag_of_best_correlation(signal: list[float], pain: np.ndarray) -> tuple[int, float]:
    """By how many seconds the signal is behind where it correlates best with the pain, and how well."""
    series = np.array(signal)
    found = {lag: float(np.corrcoef(series[lag:], pain[: len(pain) - lag])[0, 1]) for lag in range(21)}
    best = max(found, key=lambda lag: found[lag])
    return best, found[best]


def test_the_heart_follows_the_pain_some_seconds_later(infant: SimulatedInfant, course: PainCourse) -> None:
    vitals = Vitals(infant, Condition(course))
    lag, correlation = lag_of_best_correlation(
        [vitals.numerics(t).heart_rate_bpm for t in SECONDS], course.pain(SECONDS)
    )

    assert 1 <= lag <= 6
    assert correlation > 0.85


def test_the_saturation_falls_later_than_the_heart_rises(infant: SimulatedInfant, course: PainCourse) -> None:
    vitals = Vitals(infant, Condition(course))
    lag, correlation = lag_of_best_correlation(
        [-vitals.numerics(t).spo2_percent for t in SECONDS], course.pain(SECONDS)
    )

    assert 3 <= lag <= 12
    assert correlation > 0.75


def test_breathing_quickens_with_the_pain(course: PainCourse) -> None:
    ward = [Vitals(simulated_infant(1, number), Condition(course)) for number in range(1, 21)]
    rises = [float(vitals.respiration(21.0) - vitals.respiration(11.0)) for vitals in ward]

    assert np.mean(rises) > 8


def test_the_saturation_is_never_above_100(course: PainCourse) -> None:
    shown = [
        Vitals(simulated_infant(1, n), Condition(course)).numerics(t).spo2_percent
        for n in range(1, 20)
        for t in range(60)
    ]

    assert max(shown) <= 100


def test_the_intervals_between_beats_add_up_to_their_times(infant: SimulatedInfant, course: PainCourse) -> None:
    beats = list(takewhile(lambda beat: beat.seconds < 30, Vitals(infant, Condition(course)).beats()))

    assert np.allclose(np.cumsum([beat.rr_ms for beat in beats]) / 1000, [beat.seconds for beat in beats])


def test_the_beats_go_at_the_heart_rate(infant: SimulatedInfant) -> None:
    vitals = Vitals(infant, Condition(AT_REST))
    beats = len(list(takewhile(lambda beat: beat.seconds < 60, vitals.beats())))
    mean_rate = np.mean([vitals.heart_rate(t) for t in range(60)])

    assert abs(beats - mean_rate) <= 2


def test_beat_to_beat_change_at_rest_is_what_the_physiology_says(infant: SimulatedInfant) -> None:
    intervals = [
        b.rr_ms for b in takewhile(lambda beat: beat.seconds < 300, Vitals(infant, Condition(AT_REST)).beats())
    ]
    rmssd = float(np.sqrt(np.mean(np.diff(intervals) ** 2)))

    assert abs(rmssd / infant.physiology.rmssd_ms - 1) < 0.15


def test_a_cuff_measures_systolic_above_mean_above_diastolic(infant: SimulatedInfant, course: PainCourse) -> None:
    pressure = Vitals(infant, Condition(course)).blood_pressure(0.0)

    assert pressure.systolic > pressure.mean > pressure.diastolic > 0


def test_the_same_infant_has_the_same_vitals_again(infant: SimulatedInfant, course: PainCourse) -> None:
    assert Vitals(infant, Condition(course)).numerics(17.0) == Vitals(infant, Condition(course)).numerics(17.0)
