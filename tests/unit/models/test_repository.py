from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neopain.domain.calibration import identity
from neopain.domain.score import ModelVersion, Weights
from neopain.errors import ConfigurationError, ContractBroken
from neopain.features import signature
from neopain.models import repository
from neopain.models.config import NetConfig
from neopain.models.repository import (
    SERVICES,
    TOLERANCE,
    Arrays,
    Deviation,
    ExportedModel,
    GoldenWindow,
    committed_repository,
    deviation,
    lay_out_graph,
    read_calibration,
    read_golden,
    read_model,
    save_calibration,
    save_golden,
    within,
)

MODEL = ExportedModel(
    version=ModelVersion("untrained-s0-00000000", Weights.UNTRAINED),
    digest="0" * 64,
    seed=0,
    config=NetConfig(),
    precision={"video_encoder": "int8"},
    tolerance=Deviation(mean=0.05, p99=0.15),
    reached=Deviation(mean=0.02, p99=0.06),
)


def window(middle: float) -> GoldenWindow:
    inputs: Arrays = {s.name: np.zeros((1, *s.shape), dtype=s.dtype) for s in signature.INPUTS}
    return GoldenWindow(inputs=inputs, expected=outputs(middle))


def outputs(middle: float) -> Arrays:
    given: Arrays = {s.name: np.zeros((1, *s.shape), dtype=s.dtype) for s in signature.OUTPUTS}
    given["SCORE_QUANTILES"] = np.array([[0.0] * 4 + [middle] + [10.0] * 4], dtype=np.float32)
    return given


def test_a_model_file_survives_writing_and_reading(tmp_path: Path) -> None:
    MODEL.save(tmp_path)
    assert read_model(tmp_path) == MODEL


def test_a_folder_without_a_model_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="neopain model export"):
        read_model(tmp_path)


def test_a_calibration_is_that_of_the_model_beside_it(tmp_path: Path) -> None:
    MODEL.save(tmp_path)
    save_calibration(tmp_path, replace(identity(), edge=0.35, fitted_for="somebody else's"))
    assert read_calibration(tmp_path) == replace(identity(), edge=0.35, fitted_for="untrained-s0-00000000")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["calibration.json", "model.json"]


def test_untrained_nets_need_no_calibration(tmp_path: Path) -> None:
    MODEL.save(tmp_path)
    assert read_calibration(tmp_path) == identity()


def test_trained_nets_without_a_calibration_are_refused(tmp_path: Path) -> None:
    replace(MODEL, version=ModelVersion("sim-1", Weights.SIMULATOR)).save(tmp_path)
    with pytest.raises(ConfigurationError, match=r"calibration\.json cannot be used: there is no calibration of sim-1"):
        read_calibration(tmp_path)


def test_the_calibration_of_another_model_is_refused(tmp_path: Path) -> None:
    MODEL.save(tmp_path)
    save_calibration(tmp_path, identity())
    replace(MODEL, version=ModelVersion("untrained-s1-00000000", Weights.UNTRAINED)).save(tmp_path)
    with pytest.raises(ConfigurationError, match="fitted for 'untrained-s0-00000000'"):
        read_calibration(tmp_path)


def test_without_a_model_there_is_nothing_to_calibrate(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"model\.json cannot be read"):
        save_calibration(tmp_path, identity())


def test_golden_windows_survive_writing_and_reading(tmp_path: Path) -> None:
    save_golden(tmp_path, [window(3.0), window(4.0)])
    again = read_golden(tmp_path)
    assert len(again) == 2
    assert again[1].expected["SCORE_QUANTILES"].tolist() == [[0.0] * 4 + [4.0] + [10.0] * 4]
    assert again[0].inputs["CLIP"].dtype == np.uint8
    assert again[0].inputs["CLIP"].shape == (1, 16, 224, 224, 3)


def test_deviation_is_of_the_median_score() -> None:
    given = deviation([window(3.0), window(4.0)], [outputs(3.1), outputs(3.8)])
    assert given.mean == pytest.approx(0.15, abs=1e-6)
    assert given.p99 == pytest.approx(0.199, abs=1e-6)


def test_either_figure_beyond_its_tolerance_is_beyond() -> None:
    tolerance = Deviation(mean=0.05, p99=0.15)
    assert within(Deviation(mean=0.05, p99=0.15), tolerance)
    assert not within(Deviation(mean=0.06, p99=0.10), tolerance)
    assert not within(Deviation(mean=0.01, p99=0.20), tolerance)


@pytest.mark.parametrize("bad", [np.zeros((0,), dtype=np.float32), np.full((1, 9), np.nan, dtype=np.float32)])
def test_an_empty_or_unreal_answer_must_not_be_served(bad: np.ndarray) -> None:
    with pytest.raises(ContractBroken, match="SCORE_QUANTILES"):
        deviation([window(3.0)], [outputs(3.0) | {"SCORE_QUANTILES": bad}])


def test_a_tree_with_the_graph_alone_says_that_its_nets_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "GRAPH", tmp_path)
    with pytest.raises(ConfigurationError, match=r"holds no model\.json: take the whole checkout"):
        committed_repository()


def test_the_nets_of_the_tree_are_complete_and_of_the_simulator() -> None:
    """What a fresh clone serves: trained, calibrated, with windows to check it by."""
    folder = committed_repository()
    model = read_model(folder)
    assert model.version.weights is Weights.SIMULATOR
    assert within(model.reached, TOLERANCE)
    assert read_calibration(folder).fitted_for == model.version.name
    assert len(read_golden(folder)) == 8
    assert all((folder / net / "1" / "model.xml").is_file() for net in model.precision)
    assert (folder / "neopain" / "1").is_dir()


def test_the_nets_of_the_tree_are_small_enough_to_be_kept_in_it() -> None:
    files = [path for path in committed_repository().rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 40_000_000


def test_the_graph_is_laid_out_beside_the_nets(tmp_path: Path) -> None:
    lay_out_graph(tmp_path)
    assert (tmp_path / "video_encoder" / "1" / "model.py").exists()
    assert (tmp_path / "neopain" / "config.pbtxt").exists()
    assert (tmp_path / "neopain" / "1").is_dir()


def test_serving_on_a_cpu_imports_no_torch() -> None:
    rooms = "engines, graph, repository, sample_windows"
    code = f"import sys; from neopain.models import {rooms}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=SERVICES, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
