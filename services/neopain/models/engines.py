"""What runs a net on this machine: OpenVINO on a CPU. Imports no torch.

An engine takes one window at a time: the exported nets have a batch of 1, which is fastest for one bed and costs
nothing for more, since a CPU is full with one.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt
import openvino

from neopain.errors import ConfigurationError, ContractBroken
from neopain.features.signature import PRESENT
from neopain.models.graph import ENCODERS, FUSION_HEAD, VIDEO_ENCODER, NetSpec

Arrays = dict[str, npt.NDArray[np.generic]]
"""Tensors by name, first axis the batch."""

IR_FILE = "model.xml"

Precision = Literal["f32", "auto"]
"""Of what is not int8: ``f32``, or what this processor does fastest (``auto``: bfloat16 where it has it)."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How an engine may use the machine. ``threads`` 0 is every processor that this process may use."""

    device: str = "cpu"
    threads: int = 0
    precision: Precision = "f32"

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, str]) -> EngineOptions:
        """Reads the parameters of a config.pbtxt; ``ConfigurationError`` names one that cannot be."""
        precision = parameters.get("PRECISION", "f32")
        if precision not in get_args(Precision):
            raise ConfigurationError(f"PRECISION is {precision!r}, expected one of {get_args(Precision)}")
        threads = parameters.get("THREADS", "0")
        if not threads.isdecimal():
            raise ConfigurationError(f"THREADS is {threads!r}, expected a number, 0 for all processors")
        return cls(
            device=parameters.get("DEVICE", "cpu"),
            threads=int(threads),
            precision="auto" if precision == "auto" else "f32",
        )

    def limited_to(self, threads: int) -> EngineOptions:
        """The same with at most so many threads; 0 sets no limit."""
        if threads == 0:
            return self
        return replace(self, threads=min(self.threads or threads, threads))


SERVED: Mapping[str, EngineOptions] = {VIDEO_ENCODER.name: EngineOptions(precision="auto")}
"""By net, as ``triton_models/*/config.pbtxt`` has it; a net that is not named here computes in f32."""


class Engine(Protocol):
    """One loaded net."""

    def run(self, inputs: Arrays) -> Arrays:
        """All inputs of the net by name, batch of 1, to all its outputs by name, batch of 1."""


def load_engine(folder: Path, options: EngineOptions) -> Engine:
    """Loads the net of a model version's folder and runs it once, so that the first window is not slow.

    ``ConfigurationError``: the device is not one that this release serves, or the folder holds no exported net.
    """
    if options.device != "cpu":
        raise ConfigurationError(f"DEVICE is {options.device!r}: this release serves on cpu only")
    if not (folder / IR_FILE).exists():
        raise ConfigurationError(f"{folder} holds no {IR_FILE}: give a folder that `neopain model export` has written")
    return OpenVinoEngine(folder / IR_FILE, options)


@functools.cache
def openvino_core() -> openvino.Core:
    """OpenVINO in this process: one for all engines, and never given up.

    Its CPU plugin gives the thread a stack for signals and, when it goes, puts back the one that it found. Of two, the
    second puts back what the first has already freed, and the next signal to a Python handler ends the process.
    """
    core = openvino.Core()
    core.get_versions("CPU")  # loads the plugin now: before those that NNCF has for a while
    return core


class OpenVinoEngine:
    """An OpenVINO IR, compiled for this processor: one stream, so that a window gets all threads."""

    def __init__(self, path: Path, options: EngineOptions) -> None:
        processors = len(os.sched_getaffinity(0))
        settings: dict[str, object] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": options.threads or processors,
            # One thread for each processor stays on its own. Fewer would be put on the first ones by every process, and
            # the others lie idle (openvino issue 32444).
            "ENABLE_CPU_PINNING": not 0 < options.threads < processors,
            # Weights that are stored in int8 multiply activations as they are: rounded ones would magnify small
            # differences between two machines.
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
        }
        if options.precision == "f32":
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        net = openvino_core().compile_model(path, "CPU", settings)
        self._outputs = [output.get_any_name() for output in net.outputs]
        self._request = net.create_infer_request()
        self.run({port.get_any_name(): _zeros(port) for port in net.inputs})

    def run(self, inputs: Arrays) -> Arrays:
        """Runs the net once. Arrays are copied in, since Triton lends them read-only, and out."""
        for name, array in inputs.items():
            self._request.get_tensor(name).data[:] = array
        self._request.infer()
        return {name: self._request.get_tensor(name).data.copy() for name in self._outputs}


def _zeros(port: openvino.ConstOutput) -> npt.NDArray[np.generic]:
    return np.zeros(tuple(port.shape), dtype=port.element_type.to_dtype())


def answer(net: NetSpec, engine: Engine, inputs: Arrays) -> Arrays:
    """Runs a net on one window, batch of 1; an encoder whose modality is absent gives zeros at once, without running.

    ``ContractBroken``: the exported net and the graph disagree about the shape of an output.
    """
    if net.gate is not None and not inputs[PRESENT.name][0, net.gate]:
        return {spec.name: np.zeros((1, *spec.shape), dtype=spec.dtype) for spec in net.outputs}
    outputs = engine.run({spec.name: inputs[spec.name] for spec in net.inputs})
    for spec in net.outputs:
        if outputs[spec.name].shape != (1, *spec.shape):
            raise ContractBroken(
                f"{net.name} gave {spec.name} as {outputs[spec.name].shape}, expected {(1, *spec.shape)}: export again"
            )
    return outputs


class LocalEnsemble:
    """The ensemble in this process, for the check at the end of an export; serving is Triton's."""

    def __init__(self, repository: Path, options: Mapping[str, EngineOptions]) -> None:
        self._engines = {
            net.name: load_engine(repository / net.name / "1", options.get(net.name, EngineOptions()))
            for net in (*ENCODERS, FUSION_HEAD)
        }

    def encode(self, inputs: Arrays) -> Arrays:
        """What the encoders say of CLIP, CRY and VITALS, batch of 1, present or not."""
        everything = inputs | {PRESENT.name: np.ones((1, *PRESENT.shape), dtype=np.bool_)}
        outputs: Arrays = {}
        for net in ENCODERS:
            outputs |= answer(net, self._engines[net.name], everything)
        return outputs

    def fuse(self, encoded: Arrays, inputs: Arrays) -> Arrays:
        """Encoders' outputs, CONTEXT and PRESENT to the signature's outputs."""
        return answer(FUSION_HEAD, self._engines[FUSION_HEAD.name], encoded | inputs)
