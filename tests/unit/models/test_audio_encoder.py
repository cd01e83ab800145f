from __future__ import annotations

import pytest
import torch

from neopain.models.audio_encoder import VggishConvolutions, step_seconds, token_seconds
from neopain.models.config import AudioConfig
from neopain.models.networks import Networks

pytestmark = pytest.mark.torch


def test_vggish_convolutions_have_4_50_million_parameters() -> None:
    with torch.device("meta"):
        net = VggishConvolutions(AudioConfig())
    assert round(sum(parameter.numel() for parameter in net.parameters()) / 1e6, 2) == 4.50


def test_a_patch_becomes_512_maps_of_six_steps_and_four_bands() -> None:
    with torch.device("meta"):
        assert VggishConvolutions(AudioConfig())(torch.empty(10, 1, 96, 64)).shape == (10, 512, 6, 4)


def test_time_steps_lie_in_the_middle_of_their_sound() -> None:
    seconds = step_seconds()
    assert seconds.shape == (60,)
    assert seconds[0] == pytest.approx((400 + 1280 - 160_000) / 16_000)
    assert seconds[-1] == pytest.approx((144_400 + 5.5 * 2560 - 160_000) / 16_000)
    assert token_seconds()[:2].tolist() == pytest.approx([seconds[1].item(), seconds[4].item()])


def test_ten_seconds_become_twenty_tokens_and_a_score(small: Networks, batch: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        tokens, score = small.audio_encoder(batch["CRY"])
    assert tokens.shape == (3, 20, 32)
    assert ((score >= 0) & (score <= 10)).all()


def test_the_order_of_sounds_matters(small: Networks, batch: dict[str, torch.Tensor]) -> None:
    patches = batch["CRY"].roll(-80_000, dims=1)
    with torch.no_grad():
        assert not torch.allclose(small.audio_encoder(batch["CRY"])[1], small.audio_encoder(patches)[1], atol=1e-6)
