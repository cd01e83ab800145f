from __future__ import annotations

import pytest
import torch

from neopain.models.networks import Networks
from neopain.models.vitals_encoder import token_seconds

pytestmark = pytest.mark.torch


def test_thirty_seconds_become_fifteen_tokens_and_a_score(small: Networks, batch: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        tokens, score = small.vitals_encoder(batch["VITALS"])
    assert tokens.shape == (3, 15, 32)
    assert ((score >= 0) & (score <= 10)).all()


def test_tokens_are_two_seconds_apart_and_end_at_t() -> None:
    assert token_seconds()[[0, 1, -1]].tolist() == [-29.0, -27.0, -1.0]


@pytest.mark.parametrize("hidden", [0.0, 1e6, float("nan"), float("inf")])
def test_content_behind_a_mask_has_no_effect(small: Networks, batch: dict[str, torch.Tensor], hidden: float) -> None:
    vitals = batch["VITALS"].clone()
    vitals[:, 5:, 40:80] = 0
    changed = vitals.clone()
    changed[:, :5, 40:80] = hidden
    with torch.no_grad():
        assert torch.equal(small.vitals_encoder(vitals)[0], small.vitals_encoder(changed)[0])


def test_masking_a_channel_has_an_effect(small: Networks, batch: dict[str, torch.Tensor]) -> None:
    masked = batch["VITALS"].clone()
    masked[:, 6] = 0
    with torch.no_grad():
        assert not torch.allclose(small.vitals_encoder(batch["VITALS"])[0], small.vitals_encoder(masked)[0])


def test_a_typical_value_and_a_masked_one_are_not_the_same(small: Networks) -> None:
    typical = torch.zeros(1, 10, 120)
    typical[:, 1], typical[:, 6] = 140.0, 1.0
    with torch.no_grad():
        assert not torch.allclose(small.vitals_encoder(typical)[0], small.vitals_encoder(torch.zeros(1, 10, 120))[0])


def test_no_valid_channel_at_all_is_finite(small: Networks) -> None:
    with torch.no_grad():
        tokens, score = small.vitals_encoder(torch.zeros(1, 10, 120))
    assert tokens.isfinite().all()
    assert score.isfinite().all()
