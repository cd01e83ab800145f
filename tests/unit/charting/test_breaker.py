"""When an EHR is left alone, and when it is asked again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from neopain.charting.breaker import CircuitBreaker

NOON = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def opened() -> CircuitBreaker:
    """Open since noon, for 30 s."""
    breaker = CircuitBreaker(failures=3, pause=timedelta(seconds=30))
    assert [breaker.failed(NOON) for _ in range(3)] == [False, False, True]
    return breaker


def test_it_opens_at_so_many_failures_in_a_row() -> None:
    breaker = opened()

    assert breaker.is_open
    assert not breaker.lets_through(after(29))


def test_an_answer_in_between_begins_the_count_anew() -> None:
    breaker = CircuitBreaker(failures=2, pause=timedelta(seconds=30))
    breaker.failed(NOON)
    assert breaker.succeeded() is False

    assert breaker.failed(NOON) is False
    assert breaker.lets_through(NOON)


def test_after_the_pause_one_attempt_is_let_through() -> None:
    breaker = opened()

    assert [breaker.lets_through(after(30)), breaker.lets_through(after(30)), breaker.lets_through(after(59))] == [
        True,
        False,
        False,
    ]


def test_a_pause_that_a_clock_which_was_ahead_began_is_over_when_it_is_right_again() -> None:
    breaker = opened()

    assert [breaker.lets_through(after(-86_400)), breaker.lets_through(after(-86_399))] == [True, False]


def test_an_attempt_that_fails_too_is_followed_by_another_pause() -> None:
    breaker = opened()
    breaker.lets_through(after(30))

    assert breaker.failed(after(40)) is False
    assert not breaker.lets_through(after(69))
    assert breaker.lets_through(after(70))


def test_an_attempt_of_which_nothing_is_heard_is_followed_by_another_after_the_pause() -> None:
    breaker = opened()
    breaker.lets_through(after(30))

    assert breaker.lets_through(after(60))


def test_an_answer_closes_it() -> None:
    breaker = opened()
    breaker.lets_through(after(30))

    assert breaker.succeeded() is True
    assert not breaker.is_open
    assert all(breaker.lets_through(after(31)) for _ in range(5))
