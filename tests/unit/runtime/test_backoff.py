"""Waiting times double, are drawn, and end at the longest."""

from __future__ import annotations

from neopain.runtime.backoff import Backoff


def test_each_wait_lies_between_half_and_all_of_a_doubling_span() -> None:
    backoff = Backoff(first=1.0, longest=100.0)
    for span in (1.0, 2.0, 4.0, 8.0):
        assert span / 2 <= backoff.next_seconds() <= span


def test_no_wait_is_longer_than_the_longest() -> None:
    backoff = Backoff(first=1.0, longest=5.0, attempts=1000)
    assert 2.5 <= backoff.next_seconds() <= 5.0


def test_after_a_reset_it_begins_anew() -> None:
    backoff = Backoff(first=1.0, longest=100.0, attempts=6)
    backoff.reset()
    assert backoff.next_seconds() <= 1.0


def test_what_works_halves_the_next_wait() -> None:
    backoff = Backoff(first=1.0, longest=100.0, attempts=3)
    backoff.ease()
    assert 2.0 <= backoff.next_seconds() <= 4.0


def test_the_first_wait_is_not_halved() -> None:
    backoff = Backoff(first=1.0, longest=100.0)
    backoff.ease()
    assert 0.5 <= backoff.next_seconds() <= 1.0


def test_waits_beyond_counting_are_the_longest_and_one_success_halves_them() -> None:
    backoff = Backoff(first=1.0, longest=8.0)
    for _ in range(2000):
        backoff.next_seconds()
    assert 4.0 <= backoff.next_seconds() <= 8.0
    backoff.ease()
    assert 2.0 <= backoff.next_seconds() <= 4.0
