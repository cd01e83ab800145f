from __future__ import annotations

import pytest
import torch

from neopain.models.audio_encoder import (
    AudioEncoder,
    VggishConvolutions,
    VggishEmbedding,
    in_tensorflow_order,
    patch_seconds,
    step_seconds,
    token_seconds,
)
from neopain.models.config import AudioConfig, NetConfig
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


def test_all_patches_heard_give_what_the_whole_window_gives(small: Networks, batch: dict[str, torch.Tensor]) -> None:
    encoder = small.audio_encoder
    with torch.no_grad():
        patches = encoder.log_mel(batch["CRY"])
        tokens, score = encoder.hear(patches, torch.arange(10).expand(3, -1))
        assert torch.equal(tokens, encoder(batch["CRY"])[0])
        assert torch.equal(score, encoder(batch["CRY"])[1])


def test_some_patches_give_two_tokens_each_and_know_their_time(small: Networks, batch: dict[str, torch.Tensor]) -> None:
    encoder = small.audio_encoder
    with torch.no_grad():
        patches = encoder.log_mel(batch["CRY"])[:, :3]
        early, _ = encoder.hear(patches, torch.tensor([[0, 1, 2]]).expand(3, -1))
        late, _ = encoder.hear(patches, torch.tensor([[4, 6, 9]]).expand(3, -1))
    assert early.shape == (3, 6, 32)
    assert not torch.allclose(early, late, atol=1e-3)


@pytest.fixture(scope="module")
def embedding_encoder() -> AudioEncoder:
    """A small encoder with fully connected layers."""
    torch.manual_seed(8)
    audio = AudioConfig(channels=(4, 8, 8, 16), layers=1, fully_connected=True, embedding=(32, 32, 8))
    return AudioEncoder(NetConfig(width=32, audio=audio)).eval()


def test_fully_connected_layers_have_67_64_million_parameters() -> None:
    with torch.device("meta"):
        net = VggishEmbedding(AudioConfig())
    assert round(sum(parameter.numel() for parameter in net.parameters()) / 1e6, 2) == 67.64


def test_maps_are_flattened_frame_by_frame_band_by_band_channels_last() -> None:
    maps = torch.tensor([[[[0, 1], [2, 3]], [[10, 11], [12, 13]]]])
    assert in_tensorflow_order(maps).tolist() == [[0, 10, 1, 11, 2, 12, 3, 13]]


def test_the_embedding_ends_in_a_relu_only_when_asked() -> None:
    row = torch.ones(1, 4 * 6 * 4)
    for relu, least in ((False, -1.0), (True, 0.0)):
        net = VggishEmbedding(AudioConfig(channels=(4, 4, 4, 4), embedding=(2, 2, 2), embedding_relu=relu))
        torch.nn.init.zeros_(net[4].weight)
        torch.nn.init.constant_(net[4].bias, -1.0)
        assert net(row).tolist() == [[least, least]]


def test_with_fully_connected_layers_each_patch_is_two_equal_tokens(
    embedding_encoder: AudioEncoder, batch: dict[str, torch.Tensor]
) -> None:
    with torch.no_grad():
        tokens, score = embedding_encoder(batch["CRY"])
    assert tokens.shape == (3, 20, 32)
    assert torch.equal(tokens[:, 0::2], tokens[:, 1::2])
    assert not torch.allclose(tokens[:, 0], tokens[:, 2], atol=1e-4)
    assert ((score >= 0) & (score <= 10)).all()


def test_patches_lie_in_the_middle_of_their_sound() -> None:
    seconds = patch_seconds()
    assert seconds.shape == (10,)
    assert seconds[0] == pytest.approx((400 + 7680 - 160_000) / 16_000)
    assert seconds[-1] == pytest.approx((144_400 + 7680 - 160_000) / 16_000)


def test_some_patches_are_heard_by_the_embedding_too(
    embedding_encoder: AudioEncoder, batch: dict[str, torch.Tensor]
) -> None:
    with torch.no_grad():
        patches = embedding_encoder.log_mel(batch["CRY"])[:, 2:4]
        tokens, _ = embedding_encoder.hear(patches, torch.tensor([[2, 3]]).expand(3, -1))
    assert tokens.shape == (3, 4, 32)
