"""The latent pain and its labels."""

from __future__ import annotations

import numpy as np
import pytest

from neopain.simulator.course import PainCourse, Phase, Procedure


@pytest.mark.parametrize(
    ("seconds", "label"),
    [
        (0.0, "baseline"),
        (11.9, "baseline"),
        (12.0, "heel lance"),
        (19.9, "heel lance"),
        (20.0, "recovery"),
        (49.9, "recovery"),
        (50.0, "baseline"),
        (62.5, "heel lance"),
    ],
)
def test_a_minute_shows_rest_lance_and_recovery_and_starts_again(
    course: PainCourse, seconds: float, label: str
) -> None:
    assert course.procedure(seconds).value == label


def test_there_is_little_pain_before_the_lance(course: PainCourse) -> None:
    assert float(course.pain(11.9)) == pytest.approx(0.4)


def test_the_lance_hurts(course: PainCourse) -> None:
    assert float(course.pain(19.0)) > 8.0


def test_the_pain_fades_in_the_recovery(course: PainCourse) -> None:
    assert float(course.pain(49.0)) < 1.0


def test_pain_does_not_jump_where_the_course_starts_again(course: PainCourse) -> None:
    before, after = course.pain(np.array([99.999, 100.001]))

    assert abs(before - after) < 0.01


def test_pain_stays_between_0_and_10() -> None:
    hurts = PainCourse(phases=(Phase(Procedure.LUMBAR_PUNCTURE, 20.0), Phase(Procedure.HEEL_LANCE, 20.0)))
    pain = hurts.pain(np.linspace(0.0, 200.0, 2001))

    assert pain.min() >= 0.0
    assert pain.max() == 10.0


def test_many_times_at_once_give_what_each_gives_alone(course: PainCourse) -> None:
    assert course.pain(np.array([5.0, 17.0, 33.0])).tolist() == [float(course.pain(t)) for t in (5.0, 17.0, 33.0)]


def test_a_course_that_does_not_repeat_stays_in_its_last_phase() -> None:
    assert PainCourse(repeats=False).procedure(3600.0) is Procedure.RECOVERY


def test_a_shifted_course_starts_in_its_middle() -> None:
    assert PainCourse(shift_seconds=14.0).procedure(0.0) is Procedure.HEEL_LANCE


def test_the_time_scale_stretches_the_phases() -> None:
    assert PainCourse(time_scale=10.0).procedure(130.0) is Procedure.HEEL_LANCE


def test_the_time_scale_stretches_the_response() -> None:
    assert float(PainCourse(time_scale=10.0).pain(170.0)) == pytest.approx(float(PainCourse().pain(17.0)))
