"""config.pbtxt against the tables: the graph is written twice and must say the same."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from neopain.features import signature
from neopain.features.signature import TensorSpec
from neopain.models.graph import ENSEMBLE, NETS, NetSpec
from neopain.models.repository import GRAPH

TYPES = {np.uint8: "TYPE_UINT8", np.float32: "TYPE_FP32", np.bool_: "TYPE_BOOL"}


def written(name: str) -> model_config_pb2.ModelConfig:
    text = (GRAPH / name / "config.pbtxt").read_text()
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def said(tensors: object) -> set[tuple[str, str, tuple[int, ...]]]:
    return {(t.name, model_config_pb2.DataType.Name(t.data_type), tuple(t.dims)) for t in tensors}  # type: ignore[attr-defined]


def meant(specs: tuple[TensorSpec, ...]) -> set[tuple[str, str, tuple[int, ...]]]:
    return {(spec.name, TYPES[spec.dtype], spec.shape) for spec in specs}


def test_the_ensemble_takes_and_gives_exactly_the_signature() -> None:
    config = written(ENSEMBLE)
    assert said(config.input) == meant(signature.INPUTS)
    assert said(config.output) == meant(signature.OUTPUTS)


@pytest.mark.parametrize("net", NETS.values(), ids=NETS.keys())
def test_each_net_takes_its_inputs_and_present(net: NetSpec) -> None:
    config = written(net.name)
    assert config.name == net.name
    assert said(config.input) == meant((*net.inputs, signature.PRESENT))
    assert said(config.output) == meant(net.outputs)


@pytest.mark.parametrize("name", [ENSEMBLE, *NETS])
def test_every_input_is_always_sent(name: str) -> None:
    assert not any(tensor.optional for tensor in written(name).input)


def test_every_step_of_the_ensemble_maps_each_tensor_to_its_own_name() -> None:
    steps = {step.model_name: step for step in written(ENSEMBLE).ensemble_scheduling.step}
    assert set(steps) == set(NETS)
    for name, step in steps.items():
        assert dict(step.input_map) == {t.name: t.name for t in written(name).input}
        assert dict(step.output_map) == {t.name: t.name for t in written(name).output}
