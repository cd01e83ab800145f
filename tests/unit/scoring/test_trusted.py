"""When golden windows are sent, and what a Triton that fails does to the service.

The Triton here is a fake: failures are to come in an order that the test sets.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neopain.domain.score import ModelVersion, Weights
from neopain.errors import ContractBroken, InferenceUnavailable
from neopain.features.signature import INPUTS, OUTPUTS
from neopain.runtime.service import Running
from neopain.scoring.golden import Deviation, GoldenWindow, ServedModel
from neopain.scoring.inference import TritonGone
from neopain.scoring.trusted import TrustedTriton

GOLDEN_INPUTS = {spec.name: np.zeros(spec.shape, spec.dtype) for spec in INPUTS}
WINDOW = {spec.name: np.ones(spec.shape, spec.dtype) for spec in INPUTS}
OUT = {spec.name: np.zeros(spec.shape, spec.dtype) for spec in OUTPUTS}
MODEL = ServedModel(ModelVersion("m-1", Weights.UNTRAINED), Deviation(0.05, 0.15), (GoldenWindow(GOLDEN_INPUTS, OUT),))


class FakeTriton:
    """Gives ``score`` for every window; raises the errors first, one a request."""

    url = "fake:1"

    def __init__(self, *errors: Exception, score: float = 0.0) -> None:
        self.errors = list(errors)
        self.score = score
        self.golden = 0
        self.patience: list[float] = []

    async def infer(self, arrays: Any, *, within_seconds: float | None = None, patience: float = 1.0) -> Any:
        """The outputs of one window."""
        if self.errors and (error := self.errors.pop(0)):
            raise error
        self.golden += arrays is GOLDEN_INPUTS
        self.patience += [patience]
        return {**OUT, "SCORE_QUANTILES": np.full(9, self.score, np.float32)}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are over at once."""

    async def pause(self: Running, seconds: float) -> bool:
        return not self.stopping.is_set()

    monkeypatch.setattr(Running, "pause", pause)


def trusted(triton: Any) -> TrustedTriton:
    """The Triton, not yet proved."""
    return TrustedTriton(triton, MODEL, Running())


async def test_golden_windows_are_sent_before_the_first_window_and_not_again() -> None:
    triton = FakeTriton()
    subject = trusted(triton)
    for _ in range(3):
        await subject.infer(WINDOW, within_seconds=1)
    assert triton.golden == 1


async def test_a_triton_that_is_not_there_is_waited_for() -> None:
    triton = FakeTriton(*[TritonGone("refused")] * 20)
    await trusted(triton).prove_when_there()
    assert triton.golden == 1


async def test_a_triton_that_is_there_and_keeps_failing_is_refused() -> None:
    triton = FakeTriton(*[InferenceUnavailable("the model raised")] * 5)
    with pytest.raises(ContractBroken, match="the model raised; 5 times in a row"):
        await trusted(triton).prove_when_there()


async def test_a_triton_that_serves_something_else_is_refused_at_the_start() -> None:
    with pytest.raises(ContractBroken, match="does not serve m-1"):
        await trusted(FakeTriton(score=0.2)).prove_when_there()


async def test_a_triton_that_was_gone_proves_itself_again() -> None:
    triton = FakeTriton()
    subject = trusted(triton)
    await subject.prove_when_there()
    triton.errors = [TritonGone("connection lost")]
    with pytest.raises(InferenceUnavailable):
        await subject.infer(WINDOW, within_seconds=1)
    await subject.infer(WINDOW, within_seconds=1)
    assert triton.golden == 2


async def test_golden_windows_may_take_longer_only_while_no_window_waits() -> None:
    triton = FakeTriton()
    subject = trusted(triton)
    await subject.prove_when_there()
    triton.errors = [TritonGone("connection lost")]
    with pytest.raises(InferenceUnavailable):
        await subject.infer(WINDOW, within_seconds=1)
    await subject.infer(WINDOW, within_seconds=1)
    assert triton.patience == [6.0, 1.0, 1.0]


async def test_a_triton_that_was_slow_does_not() -> None:
    triton = FakeTriton()
    subject = trusted(triton)
    await subject.prove_when_there()
    triton.errors = [InferenceUnavailable("deadline exceeded")]
    with pytest.raises(InferenceUnavailable):
        await subject.infer(WINDOW, within_seconds=1)
    await subject.infer(WINDOW, within_seconds=1)
    assert triton.golden == 1


async def test_a_broken_contract_stops_the_service_and_leaves_the_window_to_the_bus() -> None:
    triton = FakeTriton()
    subject = trusted(triton)
    await subject.prove_when_there()
    triton.errors = [ContractBroken("unexpected shape for input 'CLIP'")]
    with pytest.raises(InferenceUnavailable, match="stopping: unexpected shape"):
        await subject.infer(WINDOW, within_seconds=1)
    assert subject.running.stopping.is_set()
    assert str(subject.refusal) == "unexpected shape for input 'CLIP'"
