from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import openvino
import pytest
import torch

from neopain.errors import ConfigurationError, ContractBroken
from neopain.models.config import NetConfig
from neopain.models.engines import Arrays, Engine, EngineOptions, answer, load_engine
from neopain.models.fusion_head import FusionHead
from neopain.models.graph import AUDIO_ENCODER, FUSION_HEAD, VITALS_ENCODER
from neopain.models.quantise import FlatFusion, convert
from neopain.models.repository import SERVICES
from neopain.models.sample_windows import sample_window
from neopain.models.vitals_encoder import VitalsEncoder

PRESENT = {"PRESENT": np.array([[True, True, True]])}


class Fixed(Engine):
    """An engine that gives the same outputs and counts its runs."""

    def __init__(self, outputs: Arrays) -> None:
        self.outputs, self.runs = outputs, 0

    def run(self, inputs: Arrays) -> Arrays:
        self.runs += 1
        return self.outputs


def cry_outputs(tokens: int = 20) -> Arrays:
    return {
        "CRY_TOKENS": np.ones((1, tokens, 192), dtype=np.float32),
        "CRY_SCORE": np.full((1, 1), 4.0, dtype=np.float32),
    }


def test_an_absent_modality_gives_zeros_without_running_the_net() -> None:
    engine = Fixed(cry_outputs())
    outputs = answer(AUDIO_ENCODER, engine, {"CRY": np.ones((1, 160_000)), "PRESENT": np.array([[True, False, True]])})
    assert engine.runs == 0
    assert outputs["CRY_TOKENS"].shape == (1, 20, 192)
    assert not outputs["CRY_TOKENS"].any()
    assert outputs["CRY_SCORE"].dtype == np.float32


def test_digital_silence_is_present_and_is_run() -> None:
    engine = Fixed(cry_outputs())
    answer(AUDIO_ENCODER, engine, {"CRY": np.zeros((1, 160_000)), **PRESENT})
    assert engine.runs == 1


def test_an_output_of_another_shape_breaks_the_contract() -> None:
    with pytest.raises(ContractBroken, match="CRY_TOKENS"):
        answer(AUDIO_ENCODER, Fixed(cry_outputs(tokens=60)), {"CRY": np.zeros((1, 160_000)), **PRESENT})


def test_parameters_of_a_config_become_options() -> None:
    options = EngineOptions.from_parameters({"THREADS": "2", "PRECISION": "auto"})
    assert options == EngineOptions(device="cpu", threads=2, precision="auto")


@pytest.mark.parametrize("parameters", [{"THREADS": "two"}, {"THREADS": "-1"}, {"PRECISION": "f64"}])
def test_a_parameter_that_cannot_be_is_named(parameters: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(parameters))):
        EngineOptions.from_parameters(parameters)


@pytest.mark.parametrize(("own", "most", "taken"), [(0, 4, 4), (1, 4, 1), (8, 4, 4), (0, 0, 0), (2, 0, 2)])
def test_a_limit_of_threads_leaves_a_net_that_takes_fewer_alone(own: int, most: int, taken: int) -> None:
    assert EngineOptions(threads=own).limited_to(most).threads == taken


def test_a_device_that_is_not_served_refuses_to_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cuda"):
        load_engine(tmp_path, EngineOptions(device="cuda"))


def test_a_folder_without_a_net_says_how_to_export_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="neopain model export"):
        load_engine(tmp_path, EngineOptions())


@pytest.mark.torch
def test_the_exported_vitals_encoder_equals_the_eager_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    eager = VitalsEncoder(NetConfig()).eval()
    openvino.save_model(convert(eager, VITALS_ENCODER), tmp_path / "model.xml", compress_to_fp16=False)
    vitals = sample_window(3)["VITALS"][None]
    given = answer(VITALS_ENCODER, load_engine(tmp_path, EngineOptions(threads=1)), {"VITALS": vitals, **PRESENT})
    with torch.no_grad():
        tokens, score = eager(torch.from_numpy(vitals))
    assert np.abs(given["VITALS_TOKENS"] - tokens.numpy()).max() <= 1e-4
    assert np.abs(given["VITALS_SCORE"] - score.numpy()).max() <= 1e-4


@pytest.fixture(scope="module")
def fusion(tmp_path_factory: pytest.TempPathFactory) -> tuple[FlatFusion, Path]:
    """A fusion head, and the folder of the same one as it is served."""
    torch.manual_seed(0)
    eager, folder = FlatFusion(FusionHead(NetConfig())).eval(), tmp_path_factory.mktemp("fusion")
    openvino.save_model(convert(eager, FUSION_HEAD), folder / "model.xml", compress_to_fp16=False)
    return eager, folder


@pytest.mark.torch
@pytest.mark.parametrize("pattern", [(1, 1, 1), (1, 0, 1), (0, 0, 0)])
def test_the_exported_fusion_head_equals_the_eager_one(
    fusion: tuple[FlatFusion, Path], pattern: tuple[int, int, int]
) -> None:
    eager, folder = fusion
    rng = np.random.default_rng(0)
    inputs: Arrays = {s.name: rng.normal(size=(1, *s.shape)).astype(np.float32) for s in FUSION_HEAD.inputs}
    inputs["PRESENT"] = np.array([pattern], dtype=np.bool_)
    given = answer(FUSION_HEAD, load_engine(folder, EngineOptions(threads=1)), inputs)
    with torch.no_grad():
        expected = eager(*(torch.from_numpy(inputs[spec.name]) for spec in FUSION_HEAD.inputs))
    for spec, value in zip(FUSION_HEAD.outputs, expected, strict=True):
        assert np.abs(given[spec.name] - value.numpy()).max() <= 1e-4, spec.name


def allowed(task: int) -> str:
    """The processors that a thread of this process may use."""
    status = Path(f"/proc/self/task/{task}/status").read_text()
    return next(line for line in status.splitlines() if line.startswith("Cpus_allowed_list"))


@pytest.mark.torch
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor has every thread")
def test_a_net_of_few_threads_is_tied_to_no_processor(fusion: tuple[FlatFusion, Path]) -> None:
    engine = load_engine(fusion[1], EngineOptions(threads=1))
    inputs: Arrays = {s.name: np.zeros((1, *s.shape), s.dtype) for s in FUSION_HEAD.inputs}
    ending = threading.Event()

    def runs() -> None:
        while not ending.is_set():
            engine.run(inputs)

    running = threading.Thread(target=runs)
    running.start()
    seen = {allowed(running.native_id or 0) for _ in range(300)}
    ending.set()
    running.join()
    assert seen == {allowed(os.getpid())}


OUTLIVED = """
import os, signal, sys
from pathlib import Path
from neopain.models.engines import EngineOptions, load_engine

first = load_engine(Path(sys.argv[1]), EngineOptions())
second = load_engine(Path(sys.argv[1]), EngineOptions())
del first
del second
heard = []
signal.signal(signal.SIGTERM, lambda *_: heard.append("told"))
os.kill(os.getpid(), signal.SIGTERM)
print(*heard)
"""


def test_a_process_that_outlives_its_engines_still_takes_signals(tmp_path: Path) -> None:
    openvino.save_model(convert(VitalsEncoder(NetConfig()).eval(), VITALS_ENCODER), tmp_path / "model.xml")
    env = {**os.environ, "PYTHONPATH": str(SERVICES)}
    argv = [sys.executable, "-c", OUTLIVED, str(tmp_path)]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "told\n")
