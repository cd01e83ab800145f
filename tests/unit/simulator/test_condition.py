"""What moves an infant beside its pain."""

from __future__ import annotations

import pytest

from neopain.simulator.condition import DAMPING, Condition, Event, EventKind, Sedation
from neopain.simulator.course import PainCourse


def test_what_lags_sees_the_pain_later(course: PainCourse) -> None:
    rising = 14.0
    late = Condition(course).distress(rising, lag_seconds=5.0)

    assert float(late) < float(course.pain(rising)) / 10 / 2


def test_an_event_comes_stays_and_goes() -> None:
    event = Event(EventKind.HUNGER, start_seconds=10.0, seconds=20.0, strength=0.8, rise_seconds=4.0)

    assert event.level([9.0, 12.0, 20.0, 28.0, 31.0]).tolist() == pytest.approx([0.0, 0.4, 0.8, 0.4, 0.0])


def test_of_two_events_of_a_kind_the_stronger_counts(course: PainCourse) -> None:
    events = (Event(EventKind.HUNGER, 0.0, 20.0, 0.3), Event(EventKind.HUNGER, 5.0, 10.0, 0.7))

    assert float(Condition(course, events).level(EventKind.HUNGER, 10.0)) == pytest.approx(0.7)


def test_what_did_not_happen_has_no_level(course: PainCourse) -> None:
    assert float(Condition(course).level(EventKind.APNOEA, 3.0)) == 0.0


def test_paralysis_leaves_no_behaviour_but_most_of_the_hearts_answer() -> None:
    assert DAMPING[Sedation.PARALYSED].behaviour == 0.0
    assert DAMPING[Sedation.PARALYSED].autonomic > DAMPING[Sedation.DEEP].autonomic
