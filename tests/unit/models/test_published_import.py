"""Files of each published layout into our nets: nothing missing, nothing unexpected, and the same numbers come out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own name for it)

from neopain.errors import ConfigurationError
from neopain.models.checkpoint import Checkpoint
from neopain.models.config import AudioConfig, NetConfig, VideoConfig
from neopain.models.networks import Networks
from neopain.models.published.importing import Imported, import_published
from neopain.models.published.layouts import Backbone

from . import published_layouts as layouts
from .conftest import SMALL

pytestmark = pytest.mark.torch

NARROW = replace(SMALL, video=VideoConfig(stem_channels=4))
"""The real depths at a sixteenth of the channels."""

AUDIO = replace(SMALL, video=VideoConfig(stem_channels=4, depths=(1, 1, 1, 1)), audio=AudioConfig(layers=1))
"""The real VGGish beside small nets."""


def take(config: NetConfig, backbone: Backbone, path: Path) -> tuple[Checkpoint, Imported]:
    checkpoint, (imported,) = import_published(config, {backbone: path}, seed=0)
    return checkpoint, imported


def networks_of(checkpoint: Checkpoint) -> Networks:
    networks = Networks(checkpoint.config)
    networks.load_state_dict(checkpoint.state)
    return networks.eval()


def write_pyth(path: Path, state: dict[str, Tensor]) -> None:
    torch.save({"epoch": 195, "model_state": state, "cfg": "MODEL: ..."}, path)


def write_state(path: Path, state: dict[str, Tensor]) -> None:
    torch.save(state, path)


def write_old_state(path: Path, state: dict[str, Tensor]) -> None:
    torch.save(state, path, _use_new_zipfile_serialization=False)


Write = Callable[[Path, dict[str, Tensor]], None]
Listed = Callable[..., layouts.Shapes]


@pytest.mark.parametrize(
    ("listed", "write", "name", "beside"),
    [
        (layouts.pytorchvideo, write_pyth, "pytorchvideo I3D-R50", 55),
        (layouts.pyslowfast, write_pyth, "PySlowFast I3D-R50", 55),
        (layouts.caffe2, layouts.write_python2_pickle, "PySlowFast I3D-R50 (Caffe2)", 6),
    ],
)
def test_a_full_size_video_backbone_fits(tmp_path: Path, listed: Listed, write: Write, name: str, beside: int) -> None:
    write(tmp_path / "weights", layouts.zeros(listed()))
    config = replace(SMALL, video=VideoConfig())
    checkpoint, imported = take(config, Backbone.VIDEO, tmp_path / "weights")
    assert (imported.layout, len(imported.taken), len(imported.unused)) == (name, 265, beside)
    assert checkpoint.state["video_encoder.backbone.res5.2.conv_c.weight"].shape == (2048, 512, 1, 1, 1)
    assert checkpoint.state["video_encoder.backbone.res5.2.conv_c.weight"].count_nonzero() == 0


@pytest.mark.parametrize(
    ("listed", "write", "name"),
    [
        (layouts.torchvggish, write_old_state, "torchvggish"),
        (layouts.torchaudio, write_state, "torchaudio VGGish"),
    ],
)
def test_vggish_convolutions_fit_and_its_fully_connected_layers_are_known_and_unused(
    tmp_path: Path, listed: Listed, write: Write, name: str
) -> None:
    shapes = listed()
    small_ones = {key: (1,) if "embedding" in key else shape for key, shape in shapes.items()}
    write(tmp_path / "weights", layouts.zeros(small_ones))
    _, imported = take(AUDIO, Backbone.AUDIO, tmp_path / "weights")
    assert (imported.layout, len(imported.taken), len(imported.unused)) == (name, 12, 6)


def test_full_size_fully_connected_layers_fit(tmp_path: Path) -> None:
    torch.save(layouts.zeros(layouts.torchvggish()), tmp_path / "weights")
    config = replace(AUDIO, audio=AudioConfig(layers=1, fully_connected=True))
    checkpoint, imported = take(config, Backbone.AUDIO, tmp_path / "weights")
    assert (len(imported.taken), imported.unused) == (18, ())
    assert checkpoint.state["audio_encoder.embedding.0.weight"].count_nonzero() == 0


def norm(x: Tensor, state: dict[str, Tensor], name: str) -> Tensor:
    mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    return F.batch_norm(x, mean, variance, state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-5)


def published_i3d(state: dict[str, Tensor], clip: Tensor) -> Tensor:
    """I3D-R50 up to its last stage from tensors with pytorchvideo's names."""
    x = F.conv3d(clip, state["blocks.0.conv.weight"], stride=(1, 2, 2), padding=(2, 3, 3))
    x = F.relu(norm(x, state, "blocks.0.norm"))
    x = F.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
    for stage, depth in ((1, 3), (3, 4), (4, 6), (5, 3)):
        for index in range(depth):
            block = f"blocks.{stage}.res_blocks.{index}"
            stride = (1, 2, 2) if index == 0 and stage != 1 else 1
            first = state[f"{block}.branch2.conv_a.weight"]
            y = F.conv3d(x, first, padding=((first.shape[2] - 1) // 2, 0, 0))
            y = F.relu(norm(y, state, f"{block}.branch2.norm_a"))
            y = F.conv3d(y, state[f"{block}.branch2.conv_b.weight"], stride=stride, padding=(0, 1, 1))
            y = F.relu(norm(y, state, f"{block}.branch2.norm_b"))
            y = norm(F.conv3d(y, state[f"{block}.branch2.conv_c.weight"]), state, f"{block}.branch2.norm_c")
            if index == 0:
                x = norm(
                    F.conv3d(x, state[f"{block}.branch1_conv.weight"], stride=stride), state, f"{block}.branch1_norm"
                )
            x = F.relu(x + y)
        if stage == 1:
            x = F.max_pool3d(x, (2, 1, 1))
    return x


@pytest.mark.parametrize(
    ("listed", "write"),
    [
        (layouts.pytorchvideo, write_pyth),
        (layouts.pyslowfast, write_pyth),
        (layouts.caffe2, layouts.write_python2_pickle),
    ],
)
def test_an_imported_video_backbone_computes_what_the_published_net_does(
    tmp_path: Path, listed: Listed, write: Write
) -> None:
    reference = layouts.different(layouts.pytorchvideo(shrink=16), seed=1)
    values = iter([tensor for key, tensor in reference.items() if not key.endswith("tracked")])
    state = {key: torch.tensor(7) if key.endswith("tracked") else next(values, torch.ones(1)) for key in listed(16)}
    write(tmp_path / "weights", state)
    checkpoint, _ = take(NARROW, Backbone.VIDEO, tmp_path / "weights")
    clip = torch.randn(1, 3, 4, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        ours, theirs = networks_of(checkpoint).video_encoder.backbone(clip), published_i3d(reference, clip)
    assert theirs.std() > 0.1
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def published_vggish(state: dict[str, Tensor], patches: Tensor) -> tuple[Tensor, Tensor]:
    """VGGish from tensors with torchvggish's names: the maps of its convolutions, and its embeddings."""
    x = patches
    for index in (0, 3, 6, 8, 11, 13):
        x = F.relu(F.conv2d(x, state[f"features.{index}.weight"], state[f"features.{index}.bias"], padding=1))
        if index in (0, 3, 8, 13):
            x = F.max_pool2d(x, 2)
    embedding = torch.stack([patch.movedim(0, 2).reshape(-1) for patch in x])
    for index in (0, 2, 4):
        embedding = F.linear(embedding, state[f"embeddings.{index}.weight"], state[f"embeddings.{index}.bias"])
        embedding = F.relu(embedding)
    return x, embedding


@pytest.mark.parametrize(
    ("listed", "write"), [(layouts.torchvggish, write_old_state), (layouts.torchaudio, write_state)]
)
def test_an_imported_vggish_computes_what_the_published_net_does(tmp_path: Path, listed: Listed, write: Write) -> None:
    sizes = (48, 40, 16)
    reference = layouts.different(layouts.torchvggish(sizes), seed=3)
    write(tmp_path / "weights", dict(zip(listed(sizes), reference.values(), strict=True)))
    audio = AudioConfig(layers=1, fully_connected=True, embedding=sizes, embedding_relu=True)
    checkpoint, _ = take(replace(AUDIO, audio=audio), Backbone.AUDIO, tmp_path / "weights")
    encoder = networks_of(checkpoint).audio_encoder
    patches = torch.randn(2, 1, 96, 64, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        maps = encoder.convolutions(patches)
        embedding = encoder._features(maps)
        their_maps, their_embedding = published_vggish(reference, patches)
    assert their_embedding.std() > 0.1
    assert torch.allclose(maps, their_maps, rtol=1e-4, atol=1e-4)
    assert torch.allclose(embedding, their_embedding, rtol=1e-4, atol=1e-4)


def narrow_state() -> dict[str, Tensor]:
    return layouts.zeros(layouts.pytorchvideo(shrink=16))


def refusal(path: Path, backbone: Backbone = Backbone.VIDEO) -> list[str]:
    """The lines of the message with which the file is refused."""
    with pytest.raises(ConfigurationError) as refused:
        take(NARROW, backbone, path)
    return str(refused.value).splitlines()


def test_what_differs_is_listed_with_expected_and_found_shapes(tmp_path: Path) -> None:
    state = narrow_state()
    del state["blocks.3.res_blocks.0.branch1_norm.running_var"]
    state["blocks.4.res_blocks.6.branch2.conv_a.weight"] = torch.zeros(2, 3)
    state["blocks.1.res_blocks.1.branch2.conv_a.weight"] = torch.zeros(4, 16, 1, 1, 1)
    write_pyth(tmp_path / "a.pyth", state)
    first, *rest = refusal(tmp_path / "a.pyth")
    assert first == (
        f"{tmp_path / 'a.pyth'} has the layout pytorchvideo I3D-R50, but 3 tensors differ; nothing was written:"
    )
    assert rest == [
        "  wrong shape: blocks.1.res_blocks.1.branch2.conv_a.weight, expected [4, 16, 3, 1, 1], found [4, 16, 1, 1, 1]",
        "  missing: blocks.3.res_blocks.0.branch1_norm.running_var, expected [32], found none",
        "  unexpected: blocks.4.res_blocks.6.branch2.conv_a.weight, expected none, found [2, 3]",
        "Give the file as it was published for this net.",
    ]


@pytest.mark.parametrize(
    ("tensor", "line"),
    [
        (
            torch.full((4,), float("nan")),
            "  wrong values: blocks.0.norm.bias, expected finite ones, found infinity or NaN",
        ),
        (
            torch.zeros(4, dtype=torch.int8),
            "  wrong kind: blocks.0.norm.bias, expected floating point, found torch.int8",
        ),
    ],
)
def test_values_that_are_no_weights_are_refused(tmp_path: Path, tensor: Tensor, line: str) -> None:
    write_pyth(tmp_path / "a.pyth", narrow_state() | {"blocks.0.norm.bias": tensor})
    assert line in refusal(tmp_path / "a.pyth")


def test_fully_connected_layers_are_missing_where_they_are_asked_for(tmp_path: Path) -> None:
    state = {key: value for key, value in layouts.zeros(layouts.torchvggish()).items() if "embeddings.4" not in key}
    torch.save(state, tmp_path / "a.pth")
    config = replace(AUDIO, audio=AudioConfig(layers=1, fully_connected=True, embedding=(4096, 4, 4)))
    with pytest.raises(ConfigurationError, match=r"missing: embeddings\.4\.weight, expected \[4, 4\], found none"):
        take(config, Backbone.AUDIO, tmp_path / "a.pth")


def test_a_file_for_the_other_backbone_is_sent_there(tmp_path: Path) -> None:
    torch.save(layouts.zeros(layouts.torchvggish()), tmp_path / "a.pth")
    assert refusal(tmp_path / "a.pth") == [
        f"{tmp_path / 'a.pth'} has the layout torchvggish: give it as --audio, not --video"
    ]


def test_an_unknown_layout_is_told_with_the_known_ones_and_its_first_names(tmp_path: Path) -> None:
    torch.save({"trunk.w": torch.zeros(2), "trunk.b": torch.zeros(2)}, tmp_path / "a.pth")
    (line,) = refusal(tmp_path / "a.pth")
    assert "(pytorchvideo I3D-R50, PySlowFast I3D-R50, PySlowFast I3D-R50 (Caffe2))" in line
    assert "its names begin trunk.b, trunk.w" in line


def test_the_layout_is_known_by_names_not_by_the_file_s_name(tmp_path: Path) -> None:
    write_pyth(tmp_path / "vggish.pkl", narrow_state())
    assert take(NARROW, Backbone.VIDEO, tmp_path / "vggish.pkl")[1].layout == "pytorchvideo I3D-R50"


def test_half_precision_becomes_float32(tmp_path: Path) -> None:
    halves = {key: value.half() if value.is_floating_point() else value for key, value in narrow_state().items()}
    write_pyth(tmp_path / "a.pyth", halves)
    checkpoint, _ = take(NARROW, Backbone.VIDEO, tmp_path / "a.pyth")
    assert {tensor.dtype for tensor in checkpoint.state.values()} == {torch.float32, torch.int64}


def test_the_rest_comes_from_the_seed_and_sources_are_recorded(tmp_path: Path) -> None:
    write_pyth(tmp_path / "a.pyth", narrow_state())
    files = {Backbone.VIDEO: tmp_path / "a.pyth"}
    first, second, other = (import_published(NARROW, files, seed=seed)[0] for seed in (5, 5, 6))
    assert torch.equal(first.state["fusion_head.attentive.latents"], second.state["fusion_head.attentive.latents"])
    assert not torch.equal(first.state["fusion_head.attentive.latents"], other.state["fusion_head.attentive.latents"])
    assert (first.about["weights"], first.about["seed"]) == ("untrained", 5)
    (source,) = first.about["sources"]
    assert (source["backbone"], source["file"], source["layout"]) == ("video", "a.pyth", "pytorchvideo I3D-R50")
    assert len(source["sha256"]) == 64
