"""The real nets behind a real Triton: the ensemble as it is served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neopain.bus.bus import Bus, Entry
from neopain.bus.streams import TICKS
from neopain.domain.calibration import UNLIKE_TRAINING, AbstentionLimits
from neopain.domain.media import SAMPLE_RATE_HZ
from neopain.domain.score import Modality, Outcome, Weights
from neopain.domain.window import LATENESS
from neopain.embedded.triton import Triton as TritonServer
from neopain.errors import ContractBroken
from neopain.features.signature import CLIP, CRY, INPUTS, PRESENT, SCORE_QUANTILES
from neopain.runtime.service import Running
from neopain.scoring.golden import ServedModel, read_served_model, verify
from neopain.scoring.inference import Triton
from neopain.scoring.settings import ScoringSettings
from neopain.scoring.trusted import TrustedTriton
from neopain.scoring.worker import Worker

from ...clocks import SetClock


@pytest.fixture(scope="module")
def model(nets: Path) -> ServedModel:
    """What the repository says of itself."""
    return read_served_model(nets)


@pytest.fixture
async def triton(nets_triton: TritonServer) -> AsyncIterator[Triton]:
    """A client that waits as long as a busy machine may take."""
    triton = Triton(ScoringSettings(triton_url=nets_triton.url, triton_deadline=timedelta(minutes=1)))
    yield triton
    await triton.aclose()


def zeros(**changes: Any) -> dict[str, Any]:
    """A window of zeros, with the changes."""
    return {spec.name: np.zeros(spec.shape, spec.dtype) for spec in INPUTS} | changes


async def test_the_golden_windows_agree(triton: Triton, model: ServedModel) -> None:
    assert (await verify(triton, model)).is_within(model.tolerance)


async def test_golden_windows_of_another_model_do_not(triton: Triton, model: ServedModel) -> None:
    first = model.golden[0]
    shifted = {**first.expected, SCORE_QUANTILES.name: first.expected[SCORE_QUANTILES.name] + np.float32(0.5)}
    other = replace(model, golden=(replace(first, expected=shifted),))
    with pytest.raises(ContractBroken, match=f"does not serve {model.version.name}"):
        await verify(triton, other)


async def test_what_lies_behind_an_absent_flag_changes_nothing(triton: Triton) -> None:
    noise = np.random.default_rng(1).integers(0, 255, CLIP.shape, np.uint8)
    present = {PRESENT.name: np.array([False, True, False])}
    without, with_noise = (
        await triton.infer(zeros(**present)),
        await triton.infer(zeros(**present, **{CLIP.name: noise})),
    )
    assert all(np.array_equal(without[name], with_noise[name]) for name in without)


async def test_digital_silence_is_not_an_absent_cry(triton: Triton) -> None:
    face = np.full(CLIP.shape, 100, np.uint8)
    silent = await triton.infer(zeros(**{CLIP.name: face, PRESENT.name: np.array([True, True, False])}))
    absent = await triton.infer(zeros(**{CLIP.name: face, PRESENT.name: np.array([True, False, False])}))
    assert not np.array_equal(silent[SCORE_QUANTILES.name], absent[SCORE_QUANTILES.name])


async def test_tensors_of_another_signature_are_refused_before_they_are_sent(triton: Triton) -> None:
    with pytest.raises(ContractBroken, match="tensor CRY"):
        await triton.infer(zeros(**{CRY.name: np.zeros(160_000, np.float64)}))


@pytest.fixture
async def full(bedside: Any, end: datetime) -> Entry:
    """The tick of a window that has everything, of an infant drawn for these tests."""
    await bedside.observe(end)
    await bedside.tick(end)
    entry: Entry = (await bedside.bus.read_range(TICKS))[0]
    return entry


@pytest.fixture
def worker_of(bus: Bus, triton: Triton, end: datetime) -> Callable[[ServedModel], Worker]:
    """A worker that trusts the nets as a model says of them by one golden window, and for whom no window gets old while
    they answer."""

    def worker(model: ServedModel) -> Worker:
        model = replace(model, golden=model.golden[:1])
        return Worker(bus, TrustedTriton(triton, model, Running()), AbstentionLimits(), SetClock(end + LATENESS))

    return worker


async def test_a_window_unlike_what_they_learnt_gets_no_number_but_the_reason(
    worker_of: Callable[[ServedModel], Worker], model: ServedModel, bedside: Any, end: datetime, scores: Any
) -> None:
    times = np.arange(SAMPLE_RATE_HZ // 2) / SAMPLE_RATE_HZ
    tone = np.round(10_000 * np.sin(2 * np.pi * 1_000 * times)).astype("<i2").tobytes()
    await asyncio.gather(
        bedside.measure_vitals(end),
        bedside.film(end),
        bedside.watch_movement(end),
        bedside.listen(end, half_second=tone),
    )
    await bedside.tick(end)
    await worker_of(model).handle((await bedside.bus.read_range(TICKS))[0])
    score = await scores.only()
    assert (score.outcome, score.reason, score.estimate) == (Outcome.ABSTAINED, UNLIKE_TRAINING, None)


async def test_a_full_window_is_scored_by_nets_that_say_what_they_learnt_from(
    worker_of: Callable[[ServedModel], Worker], model: ServedModel, full: Entry, scores: Any
) -> None:
    lenient = replace(model, calibration=replace(model.calibration, limits=AbstentionLimits()))
    await worker_of(lenient).handle(full)
    score = await scores.only()
    assert (score.outcome, score.model.weights) == (Outcome.SCORED, Weights.SIMULATOR)
    assert 0 <= score.estimate.low <= score.estimate.value <= score.estimate.high <= 10
    assert sum(score.estimate.attention.values()) == pytest.approx(1.0, abs=0.01)
    assert set(score.estimate.per_modality) == {Modality.FACE, Modality.CRY, Modality.PHYSIOLOGY}


async def test_of_a_monitor_alone_they_say_a_score(
    worker_of: Callable[[ServedModel], Worker], model: ServedModel, bedside: Any, end: datetime, scores: Any
) -> None:
    await bedside.measure_vitals(end)
    await bedside.tick(end)
    await worker_of(model).handle((await bedside.bus.read_range(TICKS))[0])
    score = await scores.only()
    assert (score.outcome, score.reason) == (Outcome.SCORED, "")
    assert set(score.estimate.per_modality) == {Modality.PHYSIOLOGY}
