"""What is asked of a slow Triton, and when."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from neopain.errors import InferenceUnavailable
from neopain.scoring.inference import TritonGone, TritonTooSlow
from neopain.scoring.pace import Pace

MOST_SECONDS = 4.0


class Later(asyncio.SelectorEventLoop):
    """A loop whose time jumps to when something happens next."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        """Seconds since it was made."""
        return self.now

    def _run_once(self) -> None:
        coming = [handle.when() for handle in self._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
        if coming and not self._ready:  # type: ignore[attr-defined]
            self.now = max(self.now, min(coming))
        super()._run_once()  # type: ignore[misc]


def lasting(main: Callable[[Pace], Awaitable[None]]) -> float:
    """Runs it with a pace of requests that may take 4 s, and gives how many seconds it took."""
    with asyncio.Runner(loop_factory=Later) as runner:
        loop = runner.get_loop()

        async def run() -> None:
            await main(Pace(MOST_SECONDS, pause, monotonic=loop.time))

        runner.run(run())
        return loop.time()


async def pause(seconds: float) -> bool:
    """Of a service that nobody asks to stop."""
    await asyncio.sleep(seconds)
    return True


async def ask(pace: Pace, seconds: float = 0.0, *, left: float = 10.0, fails: Exception | None = None) -> float | None:
    """Asks what takes so long, and gives how long it might have taken."""
    async with pace.turn(lambda: left) as within:
        if within is not None:
            await asyncio.sleep(seconds)
            if fails is not None:
                raise fails
        return within


async def give_up(pace: Pace, seconds: float, *, left: float = 10.0) -> None:
    """Asks what has no answer within so long."""
    with pytest.raises(TritonTooSlow):
        await ask(pace, seconds, left=left, fails=TritonTooSlow("late"))


def test_a_window_gets_what_it_has_left() -> None:
    async def main(pace: Pace) -> None:
        assert await ask(pace, left=3.0) == 3.0

    lasting(main)


def test_what_is_asked_in_time_has_two_seconds() -> None:
    async def main(pace: Pace) -> None:
        assert await ask(pace, left=0.1) == 2.0

    lasting(main)


def test_what_has_become_too_old_while_it_waited_its_turn_is_not_asked() -> None:
    async def main(pace: Pace) -> None:
        loop = asyncio.get_running_loop()
        await ask(pace, 2.0)
        end = loop.time() + 1.0
        asked = asyncio.create_task(ask(pace, 1.2))
        await asyncio.sleep(0)
        async with pace.turn(lambda: end - loop.time()) as within:
            assert within is None
        await asked

    lasting(main)


def test_what_would_take_a_quarter_more_than_the_last_answer_is_not_asked() -> None:
    async def main(pace: Pace) -> None:
        await ask(pace, 2.0)
        assert await ask(pace, left=2.4) is None
        assert await ask(pace, left=2.6) == 2.6

    lasting(main)


def test_the_last_answer_counts() -> None:
    async def main(pace: Pace) -> None:
        await ask(pace, 3.0)
        await ask(pace, 1.0)
        assert await ask(pace, left=2.1) == 2.1

    lasting(main)


def test_what_was_given_up_is_expected_to_take_half_as_long_again() -> None:
    async def main(pace: Pace) -> None:
        await give_up(pace, 2.0)
        await asyncio.sleep(10)
        assert await ask(pace, left=2.9) is None
        assert await ask(pace, left=3.1) == 3.1

    lasting(main)


@pytest.mark.parametrize("seconds", [4.0, 60.0])
def test_no_more_is_expected_after_giving_up_than_an_answer_may_take(seconds: float) -> None:
    async def main(pace: Pace) -> None:
        await give_up(pace, seconds)
        await asyncio.sleep(10)
        assert await ask(pace, left=MOST_SECONDS) == MOST_SECONDS

    lasting(main)


def test_what_has_as_much_left_as_a_request_may_take_is_always_asked() -> None:
    async def main(pace: Pace) -> None:
        await ask(pace, 60.0)
        assert await ask(pace, left=MOST_SECONDS) == MOST_SECONDS

    lasting(main)


@pytest.mark.parametrize(
    ("answers", "both_seconds"),
    [
        ((), 1.0),
        ((1.9,), 1.0),
        ((2.0,), 2.0),
        ((2.0, 1.1), 2.0),
        ((2.0, 1.0), 1.0),
    ],
)
def test_an_answer_of_half_the_deadline_ends_asking_at_once_until_one_takes_a_quarter(
    answers: tuple[float, ...], both_seconds: float
) -> None:
    async def main(pace: Pace) -> None:
        for seconds in answers:
            await ask(pace, seconds)
        await asyncio.gather(ask(pace, 1.0), ask(pace, 1.0))

    assert lasting(main) == pytest.approx(sum(answers) + both_seconds)


def test_each_quick_answer_lets_one_more_in() -> None:
    async def main(pace: Pace) -> None:
        for seconds in (2.0, 0.5, 0.5):
            await ask(pace, seconds)
        await asyncio.gather(*(ask(pace, 1.0) for _ in range(6)))

    # Three at once, and four as soon as the first of them has its answer.
    assert lasting(main) == pytest.approx(3.0 + 2.0)


def test_a_window_that_gets_no_turn_waits_no_longer_than_it_lives() -> None:
    async def main(pace: Pace) -> None:
        await ask(pace, 2.0)
        slow = asyncio.create_task(ask(pace, 3.0))
        await asyncio.sleep(0)
        assert await ask(pace, left=0.5) is None
        assert asyncio.get_running_loop().time() == pytest.approx(2.5)
        await slow

    lasting(main)


def test_after_giving_up_nothing_is_asked_for_up_to_a_deadline() -> None:
    async def main(pace: Pace) -> None:
        await give_up(pace, 4.0)
        assert await ask(pace) is not None

    assert 4.0 + 2.0 <= lasting(main) <= 4.0 + 4.0


def test_what_was_given_up_together_rests_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda _low, _high: 1.0)

    async def main(pace: Pace) -> None:
        await asyncio.gather(give_up(pace, 4.0), give_up(pace, 4.0), give_up(pace, 4.0))
        await ask(pace, left=100.0)

    assert lasting(main) == pytest.approx(4.0 + 4.0)


def test_nothing_rests_longer_than_its_window_lives() -> None:
    async def main(pace: Pace) -> None:
        await give_up(pace, 1.0)
        assert await ask(pace, left=1.5) is None

    assert lasting(main) == pytest.approx(2.5)


def test_giving_up_soon_makes_no_answer_expected_sooner() -> None:
    async def main(pace: Pace) -> None:
        answered = asyncio.create_task(ask(pace, 3.0))
        await asyncio.sleep(1.5)
        await give_up(pace, 2.0)
        await answered
        await asyncio.sleep(10)
        assert await ask(pace, left=3.5) is None

    lasting(main)


def test_who_gives_up_again_and_again_rests_longer_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda _low, _high: 1.0)

    async def main(pace: Pace) -> None:
        for _ in range(5):
            await give_up(pace, 4.0, left=100.0)

    assert lasting(main) == pytest.approx(5 * 4.0 + 4.0 + 8.0 + 16.0 + 20.0)


def test_an_answer_halves_the_next_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda _low, _high: 1.0)

    async def main(pace: Pace) -> None:
        await give_up(pace, 4.0)
        await give_up(pace, 4.0, left=100.0)
        await ask(pace, left=100.0)
        await give_up(pace, 1.0)
        await ask(pace, left=100.0)

    assert lasting(main) == pytest.approx(4.0 + 4.0 + 4.0 + 8.0 + 1.0 + 8.0)


def test_a_triton_that_is_gone_says_nothing_of_how_long_it_takes() -> None:
    async def main(pace: Pace) -> None:
        with pytest.raises(TritonGone):
            await ask(pace, 3.0, fails=TritonGone("gone"))
        assert await ask(pace, left=0.1) == 2.0

    assert lasting(main) == pytest.approx(3.0)


def test_who_is_asked_to_stop_does_not_rest() -> None:
    async def main(pace: Pace) -> None:
        await give_up(pace, 4.0)

        async def stopping(_seconds: float) -> bool:
            return False

        pace.pause = stopping
        with pytest.raises(InferenceUnavailable, match="asked to stop"):
            await ask(pace)

    assert lasting(main) == pytest.approx(4.0)


def scored(*, workers: int, parallel: int, answer_seconds: float) -> int:
    """How many of 240 windows, one a second, have a score where a Triton takes so long for each answer, one after the
    other, and also gives those that nobody waits for any more."""
    found = 0

    async def main(_pace: Pace) -> None:
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[float] = asyncio.Queue()
        is_free_at = 0.0

        async def triton(within: float) -> None:
            nonlocal is_free_at
            is_free_at = max(is_free_at, loop.time()) + answer_seconds * random.uniform(0.9, 1.1)  # noqa: S311 - a test's own
            needed, allowed = is_free_at - loop.time(), min(within, MOST_SECONDS)
            await asyncio.sleep(min(needed, allowed))
            if needed > allowed:
                raise TritonTooSlow("late")

        async def work(pace: Pace) -> None:
            nonlocal found
            while True:
                end = await waiting.get()
                while loop.time() < end + 10:
                    try:
                        async with pace.turn(lambda end=end: end + 10 - loop.time()) as within:  # type: ignore[misc]
                            if within is not None:
                                await triton(within)
                                found += 1
                            break
                    except TritonTooSlow:
                        await asyncio.sleep(0.2)

        paces = [Pace(MOST_SECONDS, pause, monotonic=loop.time) for _ in range(workers)]
        tasks = [asyncio.create_task(work(pace)) for pace in paces for _ in range(parallel)]
        for _ in range(240):
            waiting.put_nowait(loop.time())
            await asyncio.sleep(1)
        for task in tasks:
            task.cancel()

    before = random.getstate()
    random.seed(7)
    lasting(main)
    random.setstate(before)
    return found


@pytest.mark.parametrize(
    ("workers", "parallel", "answer_seconds", "least_share"),
    [(1, 2, 0.8, 0.99), (1, 2, 1.5, 0.9), (1, 2, 3.0, 0.8), (1, 16, 2.0, 0.6), (3, 2, 2.0, 0.4), (6, 4, 2.0, 0.2)],
)
def test_a_slow_triton_has_much_of_what_it_can_give_scored(
    workers: int, parallel: int, answer_seconds: float, least_share: float
) -> None:
    could = min(240, 240 / answer_seconds)
    assert scored(workers=workers, parallel=parallel, answer_seconds=answer_seconds) >= least_share * could
