"""Names and shapes of published checkpoints, written down from their sources and not from our own table.

I3D-R50: SlowFast ``video_model_builder.py``, ``resnet_helper.py``, ``c2_model_loading.py``; pytorchvideo
``models/hub/resnet.py``. VGGish: torchvggish ``vggish.py``, torchaudio's ``_vggish_impl.py``. The three video layouts
list their backbones in the same order, so that the n-th tensor of one is the n-th of another.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

Shapes = dict[str, tuple[int, ...]]

STAGES = {
    2: (64, 256, (3, 3, 3)),
    3: (128, 512, (3, 1, 3, 1)),
    4: (256, 1024, (3, 1, 3, 1, 3, 1)),
    5: (512, 2048, (1, 3, 1)),
}
"""Stage to its inner and outer channels and the temporal kernel of each block's first convolution."""

PYTORCHVIDEO_STAGES = {2: 1, 3: 3, 4: 4, 5: 5}
"""Stage to its place in ``blocks``; blocks.2 is the pool after the first."""

VGGISH_CONVOLUTIONS = {0: (1, 64), 3: (64, 128), 6: (128, 256), 8: (256, 256), 11: (256, 512), 13: (512, 512)}
"""Index in the sequence to inputs and outputs."""

EMBEDDING = (4096, 4096, 128)


def pytorchvideo(shrink: int = 1) -> Shapes:
    """``I3D_8x8_R50.pyth`` under ``model_state``; all channels divided by ``shrink``."""
    shapes = {"blocks.0.conv.weight": (64 // shrink, 3, 5, 7, 7), **_norm("blocks.0.norm", 64 // shrink)}
    for stage, index, inputs, inner, outer, time in _blocks(shrink):
        block = f"blocks.{PYTORCHVIDEO_STAGES[stage]}.res_blocks.{index}"
        shapes[f"{block}.branch2.conv_a.weight"] = (inner, inputs, time, 1, 1)
        shapes |= _norm(f"{block}.branch2.norm_a", inner)
        shapes[f"{block}.branch2.conv_b.weight"] = (inner, inner, 1, 3, 3)
        shapes |= _norm(f"{block}.branch2.norm_b", inner)
        shapes[f"{block}.branch2.conv_c.weight"] = (outer, inner, 1, 1, 1)
        shapes |= _norm(f"{block}.branch2.norm_c", outer)
        if index == 0:
            shapes[f"{block}.branch1_conv.weight"] = (outer, inputs, 1, 1, 1)
            shapes |= _norm(f"{block}.branch1_norm", outer)
    return shapes | {"blocks.6.proj.weight": (400, 2048 // shrink), "blocks.6.proj.bias": (400,)}


def pyslowfast(shrink: int = 1) -> Shapes:
    """What PySlowFast's own training writes under ``model_state``."""
    shapes = {"s1.pathway0_stem.conv.weight": (64 // shrink, 3, 5, 7, 7)}
    shapes |= _norm("s1.pathway0_stem.bn", 64 // shrink)
    for stage, index, inputs, inner, outer, time in _blocks(shrink):
        block = f"s{stage}.pathway0_res{index}"
        shapes[f"{block}.branch2.a.weight"] = (inner, inputs, time, 1, 1)
        shapes |= _norm(f"{block}.branch2.a_bn", inner)
        shapes[f"{block}.branch2.b.weight"] = (inner, inner, 1, 3, 3)
        shapes |= _norm(f"{block}.branch2.b_bn", inner)
        shapes[f"{block}.branch2.c.weight"] = (outer, inner, 1, 1, 1)
        shapes |= _norm(f"{block}.branch2.c_bn", outer)
        if index == 0:
            shapes[f"{block}.branch1.weight"] = (outer, inputs, 1, 1, 1)
            shapes |= _norm(f"{block}.branch1_bn", outer)
    return shapes | {"head.projection.weight": (400, 2048 // shrink), "head.projection.bias": (400,)}


def caffe2(shrink: int = 1) -> Shapes:
    """``I3D_8x8_R50.pkl`` under ``blobs``."""
    shapes = {"conv1_w": (64 // shrink, 3, 5, 7, 7), **_caffe2_norm("res_conv1_bn", 64 // shrink)}
    for stage, index, inputs, inner, outer, time in _blocks(shrink):
        block = f"res{stage}_{index}"
        shapes[f"{block}_branch2a_w"] = (inner, inputs, time, 1, 1)
        shapes |= _caffe2_norm(f"{block}_branch2a_bn", inner)
        shapes[f"{block}_branch2b_w"] = (inner, inner, 1, 3, 3)
        shapes |= _caffe2_norm(f"{block}_branch2b_bn", inner)
        shapes[f"{block}_branch2c_w"] = (outer, inner, 1, 1, 1)
        shapes |= _caffe2_norm(f"{block}_branch2c_bn", outer)
        if index == 0:
            shapes[f"{block}_branch1_w"] = (outer, inputs, 1, 1, 1)
            shapes |= _caffe2_norm(f"{block}_branch1_bn", outer)
    shapes |= {"pred_w": (400, 2048 // shrink), "pred_b": (400,)}
    return shapes | {"pred_w_momentum": (1,), "conv1_w_momentum": (1,), "lr": (1,), "model_iter": (1,)}


def _blocks(shrink: int) -> Iterator[tuple[int, int, int, int, int, int]]:
    inputs = 64 // shrink
    for stage, (inner, outer, times) in STAGES.items():
        for index, time in enumerate(times):
            yield stage, index, inputs, inner // shrink, outer // shrink, time
            inputs = outer // shrink


def _norm(name: str, channels: int) -> Shapes:
    return {
        f"{name}.weight": (channels,),
        f"{name}.bias": (channels,),
        f"{name}.running_mean": (channels,),
        f"{name}.running_var": (channels,),
        f"{name}.num_batches_tracked": (),
    }


def _caffe2_norm(name: str, channels: int) -> Shapes:
    return {f"{name}_s": (channels,), f"{name}_b": (channels,), f"{name}_rm": (channels,), f"{name}_riv": (channels,)}


def torchvggish(embedding: tuple[int, int, int] = EMBEDDING) -> Shapes:
    """``vggish-10086976.pth``."""
    return _vggish("features", "embeddings", embedding)


def torchaudio(embedding: tuple[int, int, int] = EMBEDDING) -> Shapes:
    """``vggish.pt``."""
    return _vggish("features_network", "embedding_network", embedding)


def _vggish(convolutions: str, fully_connected: str, embedding: tuple[int, int, int]) -> Shapes:
    shapes: Shapes = {}
    for index, (inputs, outputs) in VGGISH_CONVOLUTIONS.items():
        shapes[f"{convolutions}.{index}.weight"] = (outputs, inputs, 3, 3)
        shapes[f"{convolutions}.{index}.bias"] = (outputs,)
    inputs = 6 * 4 * 512
    for index, outputs in zip((0, 2, 4), embedding, strict=True):
        shapes[f"{fully_connected}.{index}.weight"] = (outputs, inputs)
        shapes[f"{fully_connected}.{index}.bias"] = (outputs,)
        inputs = outputs
    return shapes


def zeros(shapes: Shapes) -> dict[str, Tensor]:
    """Tensors of the true shapes that take no room, on disk neither; counters as whole numbers."""
    return {
        name: torch.zeros((), dtype=torch.int64 if name.endswith("tracked") else torch.float32).expand(shape)
        for name, shape in shapes.items()
    }


def different(shapes: Shapes, *, seed: int) -> dict[str, Tensor]:
    """Tensors that all differ, such that a net of them neither explodes nor dies; variances are positive."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, shape in shapes.items():
        if name.endswith("tracked"):
            tensors[name] = torch.tensor(7)
            continue
        drawn = torch.randn(shape, generator=generator)
        fan_in = drawn[0].numel() if drawn.dim() > 1 else 1
        variance = name.endswith(("running_var", "_riv"))
        tensors[name] = drawn.abs() + 0.5 if variance else drawn * (2 / fan_in) ** 0.5
    return tensors


def write_python2_pickle(path: Path, blobs: dict[str, Tensor]) -> None:
    """``{"blobs": {name: array}}`` as Python 2 and the numpy of its days wrote it in protocol 2, byte by byte."""
    with path.open("wb") as file:
        file.write(b"\x80\x02}" + _text("blobs") + b"}")
        for name, tensor in blobs.items():
            file.write(_text(name) + _array(tensor.numpy()) + b"s")
        file.write(b"s.")


def _text(text: str) -> bytes:
    return b"U" + bytes([len(text)]) + text.encode("latin1")


def _array(array: np.ndarray) -> bytes:
    made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + _text("b") + b"\x87R"
    shape = b"(" + b"".join(b"J" + struct.pack("<i", size) for size in array.shape) + b"t"
    kind = b"cnumpy\ndtype\n" + _text("f4") + b"K\x00K\x01\x87R"
    kind += b"(K\x03" + _text("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    data = array.astype("<f4").tobytes()
    return made + b"(K\x01" + shape + kind + b"\x89T" + struct.pack("<i", len(data)) + data + b"tb"
