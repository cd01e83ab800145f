from __future__ import annotations

import os
import signal

from neopain.training.leg import Leg


def test_a_leg_without_minutes_does_not_end() -> None:
    assert not Leg.of_minutes(None).is_over


def test_a_leg_ends_when_its_minutes_are_over() -> None:
    assert Leg.of_minutes(0.0).is_over
    assert not Leg.of_minutes(1.0).is_over


def test_a_leg_that_is_asked_to_end_ends_in_order() -> None:
    leg = Leg()
    with leg.ending_on_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        assert leg.is_over


def test_after_a_leg_signals_mean_what_they_meant() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Leg().ending_on_signals():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
