"""Scoring's processes, its Triton and its bus are really killed; every window is told of exactly once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from neopain.bus.bus import Bus
from neopain.bus.streams import SCORES, TICKS, VITALS
from neopain.domain.calibration import AbstentionLimits
from neopain.domain.identity import BedId
from neopain.domain.score import Outcome, Score
from neopain.domain.window import window_end_before
from neopain.embedded.loopback import free_port
from neopain.embedded.process import Child, Command
from neopain.embedded.state import StateFolder
from neopain.embedded.triton import Triton
from neopain.embedded.valkey import Valkey
from neopain.runtime.service import Running
from neopain.runtime.settings import BusSettings
from neopain.scoring import pace
from neopain.scoring.golden import read_served_model
from neopain.scoring.inference import Triton as Client
from neopain.scoring.settings import ScoringSettings
from neopain.scoring.trusted import TrustedTriton
from neopain.scoring.worker import Worker
from neopain.wire.score import decode_score, decode_tick

from ..clocks import SetClock

ROOT = Path(__file__).resolve().parents[2]


class Processes:
    """Scoring processes of one test."""

    def __init__(self, state: StateFolder, settings: BusSettings, triton: Triton) -> None:
        self.state = state
        self.env = {
            "PYTHONPATH": str(ROOT / "services"),
            "NEOPAIN_BUS_URL": settings.url,
            "NEOPAIN_BUS_MEDIA_URLS": json.dumps(settings.media_urls),
            "NEOPAIN_BUS_NAMESPACE": settings.namespace,
            "NEOPAIN_SCORING_TRITON_URL": triton.url,
            "NEOPAIN_SCORING_MODEL_REPOSITORY": str(triton.model_repository),
            "NEOPAIN_SCORING_CLAIM_AFTER": "PT0.5S",
            "NEOPAIN_SCORING_TRITON_DEADLINE": "PT30S",
            "NEOPAIN_SCORING_LOG_LEVEL": "DEBUG",
        }
        self.children: dict[str, Child] = {}
        self.ports: dict[str, int] = {}

    def start(self, part: str, name: str, **env: str) -> Child:
        """Starts one; it need not be ready when this returns. Its name is its name in the consumer group, too."""
        self.ports[name] = free_port()
        own = {"NEOPAIN_SCORING_HTTP_PORT": str(self.ports[name]), "NEOPAIN_SCORING_WORKER_NAME": name}
        argv = (sys.executable, "-m", "neopain", "scoring", part)
        child = Child(Command(name, argv, env=self.env | own | env, cwd=ROOT), self.state)
        self.children[name] = child
        child.start()
        return child

    def start_ready(self, part: str, name: str, **env: str) -> Child:
        """Starts one and waits until it takes work."""
        child = self.start(part, name, **env)
        child.wait_until(lambda: self.readiness(name) == "ready", timeout_seconds=30)
        return child

    def readiness(self, name: str) -> str:
        """What /ready says: ``ready``, or why not."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[name]}/ready", timeout=2) as answer:
                return str(answer.read().decode().strip())
        except urllib.error.HTTPError as error:
            with error:
                return str(error.read().decode().strip())
        except OSError:
            return "not listening"

    def stop(self) -> None:
        """Stops all of them."""
        for child in self.children.values():
            child.stop()


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory, stand_in_repository: Path) -> Iterator[Triton]:
    """A Triton that these tests may stop, freeze and kill; they leave it running."""
    with Triton(StateFolder(tmp_path_factory.mktemp("faults")), stand_in_repository) as triton:
        yield triton


@pytest.fixture
def processes(tmp_path: Path, bus_settings: BusSettings, triton: Triton) -> Iterator[Processes]:
    """Scoring processes on the shared bus."""
    processes = Processes(StateFolder(tmp_path), bus_settings, triton)
    yield processes
    processes.stop()


@asynccontextmanager
async def frozen(pid: int) -> AsyncIterator[None]:
    """The process does nothing inside the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def until(holds: Callable[[], Awaitable[bool]], *, seconds: float = 20) -> None:
    """Waits until it holds."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 - what is waited for lies on a server
            await asyncio.sleep(0.02)


async def scores(bus: Bus) -> list[Score]:
    """Every score on the stream."""
    return [decode_score(entry.payload) for entry in await bus.read_range(SCORES)]


async def holder(bus: Bus) -> str:
    """The worker that has taken the only tick and not acknowledged it; empty while nobody has."""
    found = await bus.durable.xpending_range(bus.stream_key(TICKS), "scoring", min="-", max="+", count=2)
    return found[0]["consumer"].decode() if found else ""


async def tick_is_taken(bus: Bus) -> None:
    """Waits for a worker to take it."""

    async def taken() -> bool:
        return bool(await holder(bus))

    await until(taken)


async def tick_is_done(bus: Bus) -> None:
    """Waits until a score is there and no tick is unacknowledged."""

    async def done() -> bool:
        return bool(await scores(bus)) and not await holder(bus)

    await until(done)


def now_end() -> datetime:
    """The end of the last complete window."""
    return window_end_before(datetime.now(UTC))


async def test_the_tick_of_a_killed_worker_is_scored_once_by_another(
    bus: Bus, bedside: Any, processes: Processes, triton: Triton
) -> None:
    for name in ("one", "other"):
        processes.start_ready("worker", name)
    async with frozen(triton.child.pid):
        end = now_end()
        await bedside.observe(end)
        await bedside.tick(end)
        await tick_is_taken(bus)
        processes.children[await holder(bus)].kill()
    await tick_is_done(bus)
    assert [(score.outcome, score.estimate and score.estimate.value) for score in await scores(bus)] == [
        (Outcome.SCORED, 7.0)
    ]


async def test_the_tick_of_a_killed_worker_is_scored_once_after_its_restart(
    bus: Bus, bedside: Any, processes: Processes, triton: Triton
) -> None:
    worker = processes.start_ready("worker", "one")
    async with frozen(triton.child.pid):
        end = now_end()
        await bedside.observe(end)
        await bedside.tick(end)
        await tick_is_taken(bus)
        worker.kill()
    worker.restart()
    await tick_is_done(bus)
    assert [score.outcome for score in await scores(bus)] == [Outcome.SCORED]


async def test_a_worker_that_is_asked_to_stop_leaves_its_tick_to_another(
    bus: Bus, bedside: Any, processes: Processes, triton: Triton
) -> None:
    worker = processes.start_ready("worker", "one")
    triton.stop()
    end = now_end() + timedelta(seconds=10)  # a slow machine needs that long for Triton and a worker
    await bedside.observe(end)
    await bedside.tick(end)
    await tick_is_taken(bus)
    worker.stop()
    assert await scores(bus) == []
    triton.restart()
    processes.start("worker", "other")
    await tick_is_done(bus)
    assert [score.outcome for score in await scores(bus)] == [Outcome.SCORED]


async def test_a_window_waits_for_a_triton_that_is_down_and_is_scored_when_it_is_back(
    bus: Bus, bedside: Any, processes: Processes, triton: Triton
) -> None:
    processes.start_ready("worker", "one")
    triton.kill()
    end = now_end()
    await bedside.observe(end)
    await bedside.tick(end)
    await tick_is_taken(bus)
    assert await scores(bus) == []
    triton.restart()
    await tick_is_done(bus)
    assert [score.outcome for score in await scores(bus)] == [Outcome.SCORED]


async def test_a_window_that_waited_too_long_for_triton_is_told_as_missed(
    bus: Bus, bedside: Any, processes: Processes, triton: Triton
) -> None:
    processes.start_ready("worker", "one")
    triton.stop()
    end = now_end() - timedelta(seconds=8)
    await bedside.observe(end)
    await bedside.tick(end)
    await tick_is_done(bus)
    triton.restart()
    (score,) = await scores(bus)
    assert (score.outcome, score.reason) == (Outcome.MISSED, "triton-unavailable")
    assert score.produced >= end + timedelta(seconds=10.5)


class Asked(Client):
    """A client that tells when it asks."""

    def __init__(self, triton: Triton) -> None:
        super().__init__(ScoringSettings(triton_url=triton.url, triton_deadline=timedelta(minutes=1)))
        self.asking = asyncio.Event()

    async def infer(self, arrays: Any, **how: Any) -> Any:
        self.asking.set()
        return await super().infer(arrays, **how)


async def test_a_window_that_triton_was_asked_for_in_time_is_scored_although_the_answer_comes_after_its_limit(
    bus: Bus, bedside: Any, triton: Triton, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "LEAST_ANSWER_SECONDS", 30.0)  # a busy machine may take more than two
    end = now_end()
    await bedside.observe(end)
    await bedside.tick(end)
    (tick,) = await bus.read_range(TICKS)
    client, clock = Asked(triton), SetClock(end + timedelta(seconds=10.499))
    trusted = TrustedTriton(client, read_served_model(triton.model_repository), Running())
    await trusted.prove_when_there()
    client.asking.clear()
    async with frozen(triton.child.pid):
        handled = asyncio.create_task(Worker(bus, trusted, AbstentionLimits(), clock).handle(tick))
        await client.asking.wait()
        clock.moment = end + timedelta(seconds=10.7)
        await seconds_later(0.1)  # many times what was left
    await handled
    await client.aclose()
    assert [(score.outcome, score.produced) for score in await scores(bus)] == [(Outcome.SCORED, clock.moment)]


async def test_every_window_of_a_long_outage_is_told_of_once(
    bus: Bus, bedside: Any, processes: Processes, triton: Triton
) -> None:
    processes.start_ready("worker", "one")
    triton.stop()
    end = now_end() - timedelta(seconds=14)
    await bedside.observe(end + timedelta(seconds=7))
    ends = [end + timedelta(seconds=second) for second in range(8)]
    for one in ends:
        await bedside.tick(one)

    async def all_told() -> bool:
        return len(await scores(bus)) >= 8

    await until(all_told)
    triton.restart()
    told = await scores(bus)
    assert sorted(score.window_end for score in told) == ends
    assert {score.outcome for score in told} == {Outcome.MISSED}


async def test_a_triton_that_is_too_slow_for_every_window_scores_as_many_as_it_can(
    bus: Bus, bedside: Any, processes: Processes, triton: Triton
) -> None:
    # Two at once take longer than a request may. There is time for eleven answers until the last window is too old.
    processes.start_ready("worker", "one", NEOPAIN_SCORING_TRITON_DEADLINE="PT5S")
    slow = triton.model_repository / "neopain" / "1" / "ANSWER_SECONDS"
    slow.write_text("2.6")
    try:
        for _ in range(20):
            end = now_end()
            await bedside.measure_vitals(end)
            await bedside.tick(end)
            await passed(end + timedelta(seconds=1))

        async def all_told() -> bool:
            return len(await scores(bus)) >= 20

        await until(all_told)
    finally:
        slow.unlink()
    told = await scores(bus)
    assert len({score.window_end for score in told}) == len(told) == 20
    assert sum(score.outcome is Outcome.SCORED for score in told) >= 5


async def test_a_score_is_published_once_although_the_bus_was_killed_before_it(
    bedside: Any, tmp_path: Path, media_url: str, triton: Triton
) -> None:
    with Valkey.bus(StateFolder(tmp_path / "bus")) as server:
        settings = BusSettings(url=server.url, media_urls=(media_url,), namespace=tmp_path.name)
        processes = Processes(StateFolder(tmp_path), settings, triton)
        processes.start_ready("worker", "one")
        before, after = Bus(settings.address()), Bus(settings.address())
        bedside.bus = before
        async with frozen(triton.child.pid):
            end = now_end()
            await bedside.observe(end)
            await bedside.tick(end)
            await tick_is_taken(before)
            await before.aclose()
            server.kill()
        server.restart()
        await tick_is_done(after)
        assert [score.outcome for score in await scores(after)] == [Outcome.SCORED]
        await after.aclose()
        processes.stop()


BED = BedId("NICU/1/1@TEST")


async def tick_ends(bus: Bus) -> list[datetime]:
    """The window ends of the ticks on the stream."""
    return [decode_tick(entry.payload).window_end for entry in await bus.read_range(TICKS)]


async def there_are_ticks(bus: Bus, count: int) -> None:
    """Waits for so many."""

    async def enough() -> bool:
        return len(await tick_ends(bus)) >= count

    await until(enough)


async def seconds_later(seconds: float) -> None:
    """Lets windows pass."""
    await passed(datetime.now(UTC) + timedelta(seconds=seconds))


async def passed(moment: datetime) -> None:
    """Waits for the moment."""

    async def is_later() -> bool:
        return datetime.now(UTC) > moment

    await until(is_later)


async def test_a_killed_ticker_goes_on_without_a_gap_or_a_repeat(bus: Bus, processes: Processes) -> None:
    await bus.publish(VITALS, b"v", bed=BED)
    ticker = processes.start_ready("ticker", "ticker")
    await there_are_ticks(bus, 2)
    ticker.kill()
    await seconds_later(2)
    ticker.restart()
    await there_are_ticks(bus, 6)
    found = await tick_ends(bus)
    assert [one - found[0] for one in found] == [timedelta(seconds=index) for index in range(len(found))]


async def test_a_ticker_makes_up_for_the_time_that_the_bus_was_down(
    tmp_path: Path, media_url: str, triton: Triton
) -> None:
    with Valkey.bus(StateFolder(tmp_path / "bus")) as server:
        settings = BusSettings(url=server.url, media_urls=(media_url,), namespace=tmp_path.name)
        before, after = Bus(settings.address()), Bus(settings.address())
        await before.publish(VITALS, b"v", bed=BED)
        processes = Processes(StateFolder(tmp_path), settings, triton)
        processes.start_ready("ticker", "ticker")
        await there_are_ticks(before, 2)
        await before.aclose()
        server.kill()
        await seconds_later(2)
        server.restart()
        await there_are_ticks(after, 6)
        processes.stop()
        found = await tick_ends(after)
        await after.aclose()
    assert [one - found[0] for one in found] == [timedelta(seconds=index) for index in range(len(found))]


async def test_a_worker_without_triton_waits_and_says_so(processes: Processes) -> None:
    processes.start("worker", "one", NEOPAIN_SCORING_TRITON_URL=f"127.0.0.1:{free_port()}")

    async def waits() -> bool:
        return processes.readiness("one") == "waiting for Triton"

    await until(waits)


async def test_a_worker_refuses_a_triton_that_serves_another_model(
    processes: Processes, stand_in_repository: Path, tmp_path: Path
) -> None:
    for name in ("model.json", "golden.npz"):
        (tmp_path / name).write_bytes((stand_in_repository / name).read_bytes())
    shift_expected_scores(tmp_path / "golden.npz", by=0.2)
    worker = processes.start("worker", "one", NEOPAIN_SCORING_MODEL_REPOSITORY=str(tmp_path))
    assert worker.wait(30) == 1
    assert "does not serve stand-in-1" in worker.log_tail()


async def test_a_worker_stops_when_triton_comes_back_with_another_model(
    bus: Bus, bedside: Any, processes: Processes, triton: Triton
) -> None:
    model = triton.model_repository / "neopain" / "1" / "model.py"
    original = model.read_text()
    worker = processes.start_ready("worker", "one")
    # As an orchestrator does, which lets it take its leave.
    os.kill(triton.child.pid, signal.SIGTERM)
    triton.child.wait(20)
    end = now_end()
    await bedside.observe(end)
    await bedside.tick(end)
    await tick_is_taken(bus)
    try:
        model.write_text(original.replace("[1, 2, 4]", "[1, 2, 5]"))
        triton.restart()
        assert worker.wait(30) == 1
    finally:
        model.write_text(original)
        triton.restart()
    assert "does not serve stand-in-1" in worker.log_tail()
    assert await scores(bus) == []


def shift_expected_scores(path: Path, *, by: float) -> None:
    """Makes the golden windows expect something else."""
    import numpy as np

    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["SCORE_QUANTILES"] = arrays["SCORE_QUANTILES"] + np.float32(by)
    np.savez_compressed(path, **arrays)
