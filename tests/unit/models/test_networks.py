from __future__ import annotations

import pytest
import torch

from neopain.features import signature
from neopain.models import networks
from neopain.models.networks import Networks, as_batch, build_networks
from neopain.models.sample_windows import PATTERNS, sample_window

from .conftest import SMALL

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def started() -> Networks:
    return build_networks(SMALL, seed=0)


def test_outputs_have_the_shapes_of_the_signature(started: Networks, batch: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        outputs = started(batch)
    assert [tuple(output.shape) for output in outputs] == [(3, *spec.shape) for spec in signature.OUTPUTS]


def test_batch_neighbours_do_not_leak(started: Networks, batch: dict[str, torch.Tensor]) -> None:
    alone = {name: tensor[1:2] for name, tensor in batch.items()}
    with torch.no_grad():
        for together, single in zip(started(batch), started(alone), strict=True):
            assert torch.allclose(together[1:2], single, atol=1e-4)


def test_an_untrained_start_scores_inside_the_scale_and_varies_with_the_window(started: Networks) -> None:
    windows = [sample_window(50 + i, PATTERNS[i % len(PATTERNS)]) for i in range(7)]
    with torch.no_grad():
        middle = started(as_batch(windows))[0][:, 4]
    assert ((middle > 1) & (middle < 9)).all()
    assert middle.std() > 0.1


def test_the_same_seed_gives_the_same_nets_and_another_seed_others(
    started: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "START_WINDOWS", 2)  # the seed draws the weights, not the windows
    again, other = build_networks(SMALL, seed=0), build_networks(SMALL, seed=1)
    first, second, third = (n.fusion_head.attentive.latents for n in (started, again, other))
    assert torch.equal(first, second)
    assert not torch.allclose(first, third)


def test_an_untrained_start_is_not_far_from_anything(started: Networks, batch: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        assert (started(batch)[4] < 1).all()
