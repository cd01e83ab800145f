from __future__ import annotations

import pytest
import torch
from torch import nn

from neopain.models.config import NetConfig, VideoConfig
from neopain.models.graph import FACE_TOKENS
from neopain.models.networks import Networks
from neopain.models.video_encoder import Backbone, Bottleneck, VideoEncoder

pytestmark = pytest.mark.torch


def full_size() -> Backbone:
    """The real backbone without memory behind it: shapes and counts only."""
    with torch.device("meta"):
        return Backbone(VideoConfig())


def test_i3d_r50_has_27_22_million_parameters_without_its_head() -> None:
    count = sum(parameter.numel() for parameter in full_size().parameters())
    assert count == 28_043_472 - (2048 * 400 + 400)
    assert round(count / 1e6, 2) == 27.22


@pytest.mark.parametrize(
    ("stage", "shape"),
    [
        ("stem_conv", (1, 64, 16, 112, 112)),
        ("stem_pool", (1, 64, 16, 56, 56)),
        ("res2", (1, 256, 16, 56, 56)),
        ("time_pool", (1, 256, 8, 56, 56)),
        ("res3", (1, 512, 8, 28, 28)),
        ("res4", (1, 1024, 8, 14, 14)),
        ("res5", (1, 2048, 8, 7, 7)),
    ],
)
def test_each_stage_gives_the_published_shape(stage: str, shape: tuple[int, ...]) -> None:
    backbone = full_size()
    shapes: dict[str, torch.Size] = {}
    backbone.get_submodule(stage).register_forward_hook(lambda _m, _i, out: shapes.update({stage: out.shape}))
    backbone(torch.empty(1, 3, 16, 224, 224, device="meta"))
    assert shapes[stage] == shape


def test_temporal_kernels_alternate_as_published() -> None:
    backbone = full_size()
    stages: list[nn.Sequential] = [backbone.res2, backbone.res3, backbone.res4, backbone.res5]
    kernels = [[m.conv_a.kernel_size[0] for m in stage if isinstance(m, Bottleneck)] for stage in stages]
    assert kernels == [[3, 3, 3], [3, 1, 3, 1], [3, 1, 3, 1, 3, 1], [1, 3, 1]]


def test_a_clip_becomes_eight_tokens_and_a_score() -> None:
    with torch.device("meta"):
        encoder = VideoEncoder(NetConfig())
        tokens, score = encoder(torch.empty(2, 16, 224, 224, 3, dtype=torch.uint8))
    assert tokens.shape == (2, *FACE_TOKENS.shape)
    assert score.shape == (2, 1)


def test_pixels_are_normalised_inside_the_net(small: Networks) -> None:
    seen: list[torch.Tensor] = []
    encoder = small.video_encoder
    handle = encoder.backbone.register_forward_pre_hook(lambda _m, args: seen.append(args[0]))
    clip = torch.zeros(1, 16, 224, 224, 3, dtype=torch.uint8)
    clip[..., 1] = 255
    with torch.no_grad():
        encoder(clip)
    handle.remove()
    assert seen[0].shape == (1, 3, 16, 224, 224)
    assert seen[0][0, :, 0, 0, 0].tolist() == pytest.approx([-2.0, 0.55 / 0.225, -2.0], abs=1e-5)


def test_red_and_blue_are_not_the_same(small: Networks, batch: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        right, swapped = small.video_encoder(batch["CLIP"])[0], small.video_encoder(batch["CLIP"].flip(-1))[0]
    assert not torch.allclose(right, swapped, atol=1e-4)
