from __future__ import annotations

import math

import pytest
import torch

from neopain.training.losses import pinball, score_loss, share_loss, squared_loss

NOBODY = math.nan


def test_pinball_is_the_mean_over_levels_of_what_a_wrong_quantile_costs() -> None:
    quantiles = torch.full((1, 9), 4.0)
    # Two above all: the mean of the levels 0.025 .. 0.975 is 0.5, so 2 x 0.5.
    assert pinball(quantiles, torch.tensor([6.0])).item() == pytest.approx(1.0)


def test_pinball_asks_more_for_a_low_quantile_that_is_too_high() -> None:
    quantiles = torch.tensor([[0.0, 0, 0, 0, 0, 0, 0, 0, 0]])
    low, high = quantiles.clone(), quantiles.clone()
    low[0, 0], high[0, 8] = 1.0, 1.0
    label = torch.tensor([0.0])
    assert pinball(low, label).item() == pytest.approx(0.975 / 9)
    assert pinball(high, label).item() == pytest.approx(0.025 / 9)


def test_quantiles_at_the_label_cost_nothing() -> None:
    assert pinball(torch.full((2, 9), 3.0), torch.tensor([3.0, 3.0])).item() == 0.0


def test_a_window_that_nobody_rated_costs_nothing() -> None:
    quantiles = torch.full((2, 9), 4.0)
    assert pinball(quantiles, torch.tensor([6.0, NOBODY])).item() == pytest.approx(1.0)
    assert score_loss(torch.tensor([1.0, 9.0]), torch.tensor([3.0, NOBODY])).item() == pytest.approx(1.5)
    assert squared_loss(torch.tensor([1.0, 9.0]), torch.tensor([3.0, NOBODY])).item() == pytest.approx(4.0)
    assert share_loss(torch.tensor([0.0, 9.0]), torch.tensor([1.0, NOBODY])).item() == pytest.approx(math.log(2))


def test_what_nobody_rated_gives_no_gradient() -> None:
    quantiles = torch.full((1, 9), 4.0, requires_grad=True)
    pinball(quantiles, torch.tensor([NOBODY])).backward()
    assert quantiles.grad is not None
    assert quantiles.grad.tolist() == [[0.0] * 9]


def test_a_small_error_of_a_score_counts_squared_and_a_large_one_by_its_size() -> None:
    assert score_loss(torch.tensor([4.5]), torch.tensor([4.0])).item() == pytest.approx(0.125)
    assert score_loss(torch.tensor([8.0]), torch.tensor([4.0])).item() == pytest.approx(3.5)
