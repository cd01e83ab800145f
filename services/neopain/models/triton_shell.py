"""The shell that ``triton_models/*/1/model.py`` puts around a net: requests in, rows to the engine, responses out.

Runs inside Triton's Python stub. Tensors cross only by DLPack, both ways: the stub is built against numpy 1, and under
numpy 2 its ``as_numpy()`` repeats the first element (strides of 0) and its ``Tensor(name, array)`` is empty, without an
error. What DLPack lends is read-only; the engine copies it.
"""

from __future__ import annotations

import ctypes
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import triton_python_backend_utils as pb

from neopain.features.signature import PRESENT
from neopain.models.engines import Arrays, EngineOptions, answer, load_engine
from neopain.models.graph import NETS

_TAKEN = b"used_dltensor"
_set_capsule_name = ctypes.pythonapi.PyCapsule_SetName
_set_capsule_name.argtypes = [ctypes.py_object, ctypes.c_char_p]
_set_capsule_name.restype = ctypes.c_int

THREADS_VARIABLE = "NEOPAIN_ENGINE_THREADS"
"""Most threads of a net, for a container that may use fewer processors than it sees; fewer in a config.pbtxt stay."""
DEVICE_VARIABLE = "NEOPAIN_ENGINE_DEVICE"
"""Overrides DEVICE of every config.pbtxt: a Triton that was given a GPU does not serve on a CPU unseen."""


class NetModel:
    """A net as a model of Triton's Python backend."""

    def initialize(self, args: dict[str, str]) -> None:
        """Loads the engine of this model's version; an error here keeps Triton from becoming ready."""
        self.net = NETS[args["model_name"]]
        self.input_names = [*{spec.name: None for spec in (*self.net.inputs, PRESENT)}]
        parameters = _parameters(args["model_config"])
        if DEVICE_VARIABLE in os.environ:
            parameters["DEVICE"] = os.environ[DEVICE_VARIABLE]
        options = EngineOptions.from_parameters(parameters).limited_to(int(os.environ.get(THREADS_VARIABLE, "0")))
        folder = Path(args["model_repository"]) / args["model_version"]
        self.engine = load_engine(folder, options)

    def execute(self, requests: list[Any]) -> list[Any]:
        """One response per request, in order."""
        return [pb.InferenceResponse(output_tensors=self._respond(request)) for request in requests]

    def _respond(self, request: Any) -> list[Any]:
        inputs: Arrays = {name: np.from_dlpack(pb.get_input_tensor_by_name(request, name)) for name in self.input_names}
        rows = [answer(self.net, self.engine, _row(inputs, index)) for index in range(len(inputs[PRESENT.name]))]
        return [_tensor(spec.name, np.concatenate([row[spec.name] for row in rows])) for spec in self.net.outputs]


class _Exported:
    """An array as DLPack that keeps its capsule in sight."""

    def __init__(self, array: npt.NDArray[Any]) -> None:
        self.array = array
        self.capsule: Any = None

    def __dlpack__(self, **_: object) -> Any:
        self.capsule = self.array.__dlpack__()
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()


def _tensor(name: str, array: npt.NDArray[Any]) -> Any:
    """The array as an output. Triton renames the capsule that it has taken to a name that numpy's destructor does not
    know, which then prints a traceback for each tensor; the name that it looks for is put back."""
    exported = _Exported(np.ascontiguousarray(array))
    made = pb.Tensor.from_dlpack(name, exported)
    _set_capsule_name(exported.capsule, _TAKEN)
    return made


def _row(inputs: Arrays, index: int) -> Arrays:
    """One window of a batch, as a batch of 1."""
    return {name: array[index : index + 1] for name, array in inputs.items()}


def _parameters(model_config: str) -> dict[str, str]:
    return {name: value["string_value"] for name, value in json.loads(model_config)["parameters"].items()}
