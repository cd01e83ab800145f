"""From a torch net to an OpenVINO IR, in floating point or int8 (NNCF post-training quantisation)."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import openvino
import torch
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
from torch import Tensor, nn

from neopain.features.signature import TensorSpec
from neopain.models.engines import openvino_core
from neopain.models.fusion_head import FusionHead
from neopain.models.graph import NetSpec

FULL_PRECISION = {
    "video_encoder": ("aten::", "__module.project", "__module.head"),
    "audio_encoder": ("aten::", "__module.log_mel", "__module.project", "__module.layers", "__module.head"),
}
"""Beginnings of the names of nodes that compute in floating point: the pixels, which would be rounded twice, the log of
small numbers, and all behind the convolutions, which costs little."""


FULL_BIAS_CORRECTION = ("audio_encoder",)
"""Nets that get the exact bias correction: for the video encoder it would take minutes."""

RECIPE = "int8 of whole ranges"
"""Names how is quantised: what an earlier recipe has made is made anew."""


class FlatFusion(nn.Module):
    """The fusion head with its inputs side by side, in the order of ``graph.FUSION_HEAD``."""

    def __init__(self, head: FusionHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Tokens of face, cry and vitals, their scores, CONTEXT, PRESENT."""
        outputs: tuple[Tensor, ...] = self.head(inputs[:3], inputs[3:6], inputs[6], inputs[7])
        return outputs


@cache
def _nncf() -> ModuleType:
    """NNCF; loading it takes longer than most commands that come here without quantising anything."""
    nncf = import_module("nncf")
    nncf.set_log_level(logging.ERROR)
    return nncf


def convert(module: nn.Module, net: NetSpec) -> openvino.Model:
    """A net in evaluation mode as an IR with a batch of 1, its tensors named as in the graph."""
    example = tuple(torch.from_numpy(np.zeros((1, *spec.shape), dtype=spec.dtype)) for spec in net.inputs)
    shapes = [openvino.PartialShape([1, *spec.shape]) for spec in net.inputs]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated", DeprecationWarning)  # OpenVINO's way in
        # Torch would trace the net a second time to compare: what was converted is compared with the net anyway.
        traced = TorchScriptPythonDecoder(module, example_input=example, trace_kwargs={"check_trace": False})
        converted = openvino.convert_model(traced, input=shapes)
    _name(converted.inputs, net.inputs)
    _name(converted.outputs, net.outputs)
    converted.validate_nodes_and_infer_types()
    return converted


def _name(ports: Sequence[openvino.Output], specs: tuple[TensorSpec, ...]) -> None:
    for port, spec in zip(ports, specs, strict=True):
        port.get_tensor().set_names({spec.name})


def quantise(model: openvino.Model, net: NetSpec, samples: list[npt.NDArray[np.generic]]) -> openvino.Model:
    """A copy of the IR with convolutions in int8, their ranges taken from ``samples`` (its one input, batch of 1).

    Ranges go from the smallest to the largest activation. NNCF's default cuts off what is rare: tokens of trained nets
    were 10 % off then, and the face's score by up to 3.8 of 10; with whole ranges 3 %, and 0.05 (12 windows).
    """
    openvino_core()  # stays behind NNCF's own
    nncf = _nncf()
    whole_ranges = nncf.quantization.range_estimator.RangeEstimatorParametersSet.MINMAX
    quantised: openvino.Model = nncf.quantize(
        model.clone(),
        nncf.Dataset(samples),
        subset_size=len(samples),
        ignored_scope=_nodes(model, FULL_PRECISION[net.name]),
        fast_bias_correction=net.name not in FULL_BIAS_CORRECTION,
        advanced_parameters=nncf.AdvancedQuantizationParameters(activations_range_estimator_params=whole_ranges),
    )
    return quantised


def compress(model: openvino.Model) -> openvino.Model:
    """The IR with its weights stored in int8, computed in floating point; not the log-mel's."""
    nncf = _nncf()
    small: openvino.Model = nncf.compress_weights(
        model.clone(),
        mode=nncf.CompressWeightsMode.INT8_ASYM,
        ignored_scope=_nodes(model, ("__module.log_mel",)),
    )
    return small


def _nodes(model: openvino.Model, beginnings: tuple[str, ...]) -> object:
    """An ``IgnoredScope`` of NNCF."""
    names = (node.get_friendly_name() for node in model.get_ordered_ops())
    return _nncf().IgnoredScope(names=[name for name in names if name.startswith(beginnings)])


def save_ir(model: openvino.Model, path: Path, *, half: bool = True) -> None:
    """Writes an IR, its folder too; floating-point constants as float16 unless not ``half``.

    The white space that OpenVINO indents its XML with, a sixth of it, and NNCF's notes on itself are left out: what a
    repository of sources once holds stays there for good.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    openvino.save_model(model, path, compress_to_fp16=half)
    text = re.sub(r">\s+<", "><", path.read_text(encoding="utf-8"))
    path.write_text(re.sub(r"<nncf>.*</nncf>", "", text) + "\n", encoding="utf-8")
