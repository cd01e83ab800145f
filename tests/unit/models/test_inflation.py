from __future__ import annotations

import pytest
import torch

from neopain.models.config import NetConfig, VideoConfig
from neopain.models.inflation import FlatBackbone, FlatEncoder, deflate, inflate
from neopain.models.video_encoder import Backbone, VideoEncoder

pytestmark = pytest.mark.torch

TINY = VideoConfig(stem_channels=4, depths=(3, 4, 2, 3))
TINY_NETS = NetConfig(width=32, video=TINY)


def a_used_flat_net() -> FlatBackbone:
    """Batch norms with statistics of their own, so that a forgotten one would be seen."""
    torch.manual_seed(3)
    net = FlatBackbone(TINY)
    with torch.no_grad():
        for _ in range(3):
            net(2 * torch.randn(4, 3, 64, 64) + 0.3)
    return net.eval()


def inflated(flat: FlatBackbone) -> Backbone:
    net = Backbone(TINY)
    net.load_state_dict(inflate(flat.state_dict()))
    return net.eval()


def test_every_tensor_of_the_i3d_comes_from_the_flat_net_of_full_size() -> None:
    with torch.device("meta"):
        flat, wanted = FlatEncoder(NetConfig()), VideoEncoder(NetConfig())
    state = inflate({name: torch.zeros(()).expand(tensor.shape) for name, tensor in flat.state_dict().items()})
    assert {name: tensor.shape for name, tensor in state.items()} == {
        name: tensor.shape for name, tensor in wanted.state_dict().items()
    }


def test_a_still_picture_gives_in_3d_what_it_gave_in_2d_away_from_the_ends() -> None:
    flat = a_used_flat_net()
    picture = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        wanted = flat(picture)
        found = inflated(flat)(picture[:, :, None].expand(-1, -1, 40, -1, -1))
    torch.testing.assert_close(found[:, :, 10], wanted, rtol=1e-4, atol=1e-4)


def test_at_the_ends_of_a_clip_the_padding_is_seen() -> None:
    flat = a_used_flat_net()
    picture = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        found = inflated(flat)(picture[:, :, None].expand(-1, -1, 40, -1, -1))
    assert not torch.allclose(found[:, :, 0], flat(picture), atol=1e-2)


def test_each_kernel_is_spread_evenly_over_its_time() -> None:
    flat = a_used_flat_net()
    kernel = inflate(flat.state_dict())["stem_conv.weight"]
    assert kernel.shape == (4, 3, 5, 7, 7)
    torch.testing.assert_close(kernel[:, :, 3], flat.stem_conv.weight.detach() / 5)


def test_deflating_undoes_inflating() -> None:
    state = a_used_flat_net().state_dict()
    back = deflate(inflate(state))
    assert back.keys() == state.keys()
    for name, tensor in state.items():
        torch.testing.assert_close(back[name], tensor)


def test_a_start_keeps_its_course_over_time() -> None:
    start = {"stem_conv.weight": torch.tensor([1.0, 0.0, 0.0, 0.0, -1.0]).reshape(1, 1, 5, 1, 1)}
    flat = {"stem_conv.weight": torch.full((1, 1, 1, 1), 10.0)}
    assert inflate(flat, start)["stem_conv.weight"].flatten().tolist() == [3.0, 2.0, 2.0, 2.0, 1.0]


def test_a_frame_becomes_one_token_and_a_score_at_any_size() -> None:
    torch.manual_seed(0)
    encoder = FlatEncoder(TINY_NETS).eval()
    for size in (112, 224):
        tokens, score = encoder(torch.full((2, size, size, 3), 100, dtype=torch.uint8))
        assert tokens.shape == (2, 1, 32)
        assert score.shape == (2, 1)
