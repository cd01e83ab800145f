from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from neopain.models.layers import time_code
from neopain.models.readers import Neighbours, OverTime, video_seconds

pytestmark = pytest.mark.torch


def test_the_clip_spans_two_seconds_before_t() -> None:
    assert video_seconds()[[0, -1]].tolist() == pytest.approx([-14.5 * 4 / 30, -0.5 * 4 / 30])
    assert time_code(video_seconds(), 32).shape == (8, 32)


def test_neighbours_are_a_convolution_over_three_tokens() -> None:
    torch.manual_seed(0)
    mine, reference = Neighbours(6, 4), nn.Conv1d(6, 4, 3, padding=1)
    with torch.no_grad():
        mine.linear.weight.copy_(reference.weight.transpose(1, 2).flatten(1))
        mine.linear.bias.copy_(reference.bias)
        tokens = torch.randn(2, 15, 6)
        expected = nn.functional.gelu(reference(tokens.transpose(1, 2))).transpose(1, 2)
        assert torch.allclose(mine(tokens), expected, atol=1e-6)


def test_statistics_over_time_are_those_of_numpy() -> None:
    torch.manual_seed(0)
    over_time, tokens = OverTime(8, 0.0).eval(), torch.randn(2, 20, 8)
    with torch.no_grad():
        found, local = over_time(tokens).numpy(), over_time.local(tokens).numpy()
    given = tokens.numpy()
    mean = given.mean(axis=1)
    expected = [
        given.std(axis=1),
        given.max(axis=1),
        given[:, -6:].mean(axis=1) - mean,
        given[:, :6].mean(axis=1) - mean,
    ]
    expected += [local.mean(axis=1), local.max(axis=1), local.std(axis=1)]
    assert found.shape == (2, over_time.size)
    assert np.allclose(found, np.concatenate(expected, axis=1), atol=2e-3)


def test_tokens_that_stay_the_same_give_finite_slopes() -> None:
    over_time, tokens = OverTime(8, 0.0), torch.ones(1, 8, 8, requires_grad=True)
    over_time(tokens).sum().backward()
    assert tokens.grad is not None
    assert tokens.grad.isfinite().all()
