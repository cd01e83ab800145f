"""What the heads learn from the tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from neopain.models.config import NetConfig
from neopain.models.networks import Networks
from neopain.training.config import FusionStageConfig, Steps
from neopain.training.encoded import Encoded
from neopain.training.heads import Fused, QuantileNet, SideBySide
from neopain.training.machine import Batch, Machine
from neopain.training.pool import Pool
from neopain.training.stages.fusion import FusionStage
from neopain.training.stages.lesson import Infants
from neopain.training.tokens import encode

PLAN = Steps(steps=10, batch=8, lr=0.01, check_every=10, check_windows=8)
MACHINE = Machine(torch.device("cpu"), None)
INFANTS = Infants(np.arange(24), np.array([], np.intp), np.arange(24, 32))


@pytest.fixture(scope="module")
def pool(fake_windows: Callable[..., Any]) -> Pool:
    return Pool([fake_windows(infants=8, each=4, patterns_of_each=("FCPM", "FCP", "CPM", "FM"))])


@pytest.fixture(scope="module")
def encoded(networks: Networks, pool: Pool) -> Encoded:
    return encode(networks, pool, np.arange(len(pool)), MACHINE)


@pytest.fixture
def stage_of(pool: Pool, encoded: Encoded, tiny: NetConfig) -> Callable[[QuantileNet], FusionStage]:
    def made(head: QuantileNet) -> FusionStage:
        return FusionStage(
            "fusion-1",
            head,
            pool=pool,
            encoded=encoded,
            infants=INFANTS,
            config=FusionStageConfig(PLAN),
            features=tiny.width,
            hidden=0.3,
            machine=MACHINE,
            seed=0,
        )

    return made


def certain(config: NetConfig) -> NetConfig:
    """Without dropout, so that the same batch gives the same loss."""
    return replace(config, fusion=replace(config.fusion, dropout=0.0))


def gradients(stage: FusionStage, batch: Batch, reader: int) -> torch.Tensor:
    """Of the loss, with respect to all weights of one reader."""
    head = stage.nets.head
    assert isinstance(head, Fused)
    stage.nets.zero_grad()
    stage.loss(batch).backward()
    found = [weight.grad for weight in head.head.readers[reader].parameters() if weight.grad is not None]
    assert found
    return torch.cat([one.flatten() for one in found])


@pytest.mark.parametrize(("reader", "other"), [(0, 1), (1, 0)])
def test_a_reader_learns_the_same_whatever_the_other_says(
    stage_of: Callable[[QuantileNet], FusionStage], tiny: NetConfig, reader: int, other: int
) -> None:
    torch.manual_seed(0)
    head = Fused(certain(tiny))
    stage = stage_of(head)
    batch = stage.read(0)
    alone = gradients(stage, batch, reader)
    with torch.no_grad():
        torch.nn.init.normal_(head.head.readers[other].steps.bias, std=3.0)
    assert torch.equal(gradients(stage, batch, reader), alone)
    with torch.no_grad():
        torch.nn.init.normal_(head.head.readers[reader].steps.bias, std=3.0)
    assert not torch.equal(gradients(stage, batch, reader), alone)


def test_the_loss_of_a_head_is_the_mean_of_its_readers(
    stage_of: Callable[[QuantileNet], FusionStage], tiny: NetConfig
) -> None:
    torch.manual_seed(0)
    stage = stage_of(Fused(certain(tiny)))
    batch = stage.read(0)
    single = [stage._loss_of(answer, items, batch).item() for answer, items in stage.nets(batch)]
    assert len(single) == 2
    assert stage.loss(batch).item() == pytest.approx(sum(single) / 2, rel=1e-6)


def test_a_baseline_is_one_reader(stage_of: Callable[[QuantileNet], FusionStage], tiny: NetConfig) -> None:
    stage = stage_of(SideBySide(tiny, ["face", "cry", "vitals"]))
    ((answer, items),) = stage.nets(stage.read(0))
    assert answer.quantiles.shape == (8, 9)
    assert items.shape == (8, 6)
