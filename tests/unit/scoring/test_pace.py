"""What is asked of a slow Triton, and when."""

from __future__ import annotations

import asyncio

import pytest

from neopain.scoring.inference import TritonGone, TritonTooSlow
from neopain.scoring.pace import Pace


@pytest.fixture
def pace() -> Pace:
    """Of requests that may take 4 s."""
    return Pace(4.0)


def test_nothing_is_expected_before_the_first_answer(pace: Pace) -> None:
    assert (pace.expected_seconds, pace.is_slow) == (0.0, False)


def test_the_next_answer_is_expected_to_take_a_quarter_more_than_the_last(pace: Pace) -> None:
    for seconds in (3.0, 0.8):
        pace.answered(seconds)
    assert pace.expected_seconds == pytest.approx(1.0)


def test_what_was_given_up_is_expected_to_take_half_as_long_again(pace: Pace) -> None:
    pace.gave_up(2.0)
    assert pace.expected_seconds == pytest.approx(3.0)


def test_giving_up_soon_makes_no_answer_expected_sooner(pace: Pace) -> None:
    pace.answered(2.8)
    pace.gave_up(0.1)
    assert pace.expected_seconds == pytest.approx(3.5)


@pytest.mark.parametrize("method", ["answered", "gave_up"])
def test_no_more_is_expected_than_a_request_may_take(pace: Pace, method: str) -> None:
    getattr(pace, method)(60.0)
    assert pace.expected_seconds == 4.0


@pytest.mark.parametrize(
    ("answers", "is_slow"),
    [((1.9,), False), ((2.0,), True), ((2.0, 1.9), True), ((2.0, 1.1), True), ((2.0, 1.0), False)],
)
def test_an_answer_of_half_the_deadline_makes_it_slow_until_one_takes_a_quarter(
    pace: Pace, answers: tuple[float, ...], is_slow: bool
) -> None:
    for seconds in answers:
        pace.answered(seconds)
    assert pace.is_slow is is_slow


def test_what_was_given_up_makes_it_slow(pace: Pace) -> None:
    pace.gave_up(0.5)
    assert pace.is_slow


async def asked_at_once(pace: Pace) -> int:
    """How many of three are inside their turn together."""
    inside, most = 0, 0

    async def ask() -> None:
        nonlocal inside, most
        async with pace.turn():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(ask(), ask(), ask())
    return most


async def test_a_quick_one_is_asked_at_once(pace: Pace) -> None:
    assert await asked_at_once(pace) == 3


async def test_a_slow_one_is_asked_one_after_the_other(pace: Pace) -> None:
    pace.answered(3.0)
    assert await asked_at_once(pace) == 1


def test_a_question_that_ran_out_of_time_was_given_up(pace: Pace) -> None:
    with pytest.raises(TritonTooSlow), pace.answering():
        raise TritonTooSlow("late")
    assert pace.is_slow


def test_a_triton_that_is_gone_says_nothing_of_how_long_it_takes(pace: Pace) -> None:
    pace.answered(1.0)
    with pytest.raises(TritonGone), pace.answering():
        raise TritonGone("gone")
    assert (pace.expected_seconds, pace.is_slow) == (1.25, False)


def test_a_question_that_was_answered_is_measured(pace: Pace) -> None:
    pace.answered(3.0)
    with pace.answering():
        pass
    assert pace.expected_seconds < 1.0
    assert not pace.is_slow
