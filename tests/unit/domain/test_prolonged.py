"""What the moments of an hour say together."""

from __future__ import annotations

import pytest

from neopain.domain.prolonged import Moment, ProlongedPain, means

PLAIN = ProlongedPain(half_life_seconds=600.0, offset=0.0, gain=1.0, sedation_gain=0.0, margin=1.5)


def moments(*values: float, width: float = 2.0, sedation: float = 0.0, step: float = 300.0) -> list[Moment]:
    """Scores, the newest first, that many seconds apart."""
    return [Moment(step * n, value, width, sedation) for n, value in enumerate(values)]


def test_a_steady_pain_is_what_it_was() -> None:
    told = PLAIN.estimate(moments(6.0, 6.0, 6.0, 6.0))
    assert told is not None
    assert (told.value, told.low, told.high, told.moments) == pytest.approx((6.0, 4.5, 7.5, 4))


def test_one_needle_does_not_make_a_painful_hour() -> None:
    told = PLAIN.estimate(moments(9.0, *[0.0] * 11))
    assert told is not None
    assert told.value < 3.0


def test_what_is_older_counts_less() -> None:
    score, _ = means(moments(8.0, 2.0, step=600.0), 600.0)
    assert score == pytest.approx((8.0 + 0.5 * 2.0) / 1.5)


def test_a_doubtful_moment_counts_less() -> None:
    sure, unsure = Moment(0.0, 8.0, 1.0, 0.0), Moment(0.0, 2.0, 9.0, 0.0)
    assert means([sure, unsure], 600.0)[0] == pytest.approx((0.5 * 8.0 + 0.1 * 2.0) / 0.6)


def test_sedation_is_carried_along() -> None:
    aware = ProlongedPain(600.0, offset=0.5, gain=1.0, sedation_gain=-0.2, margin=1.0)
    told = aware.estimate(moments(2.0, 2.0, 2.0, 2.0, sedation=-5.0))
    assert told is not None
    assert told.value == pytest.approx(3.5)


def test_too_few_moments_say_nothing() -> None:
    assert PLAIN.estimate(moments(6.0, 6.0, 6.0)) is None


def test_an_hour_that_ended_long_ago_says_nothing_of_now() -> None:
    assert PLAIN.estimate([Moment(1000.0 + 10 * n, 6.0, 2.0, 0.0) for n in range(6)]) is None


def test_what_is_older_than_the_span_does_not_count() -> None:
    told = PLAIN.estimate([*moments(1.0, 1.0, 1.0, 1.0), Moment(3601.0, 10.0, 0.1, 0.0)])
    assert told is not None
    assert (told.value, told.moments) == pytest.approx((1.0, 4))


def test_the_interval_stays_on_the_scale() -> None:
    told = PLAIN.estimate(moments(9.5, 9.5, 9.5, 9.5))
    assert told is not None
    assert (told.low, told.high) == pytest.approx((8.0, 10.0))
