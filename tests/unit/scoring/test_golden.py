"""What the repository's folder must hold, and how far off an answer is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neopain.codecs.calibration import calibration_to_json
from neopain.domain.calibration import Calibration, identity
from neopain.domain.score import ModelVersion, Weights
from neopain.errors import ConfigurationError
from neopain.features.signature import INPUTS, OUTPUTS
from neopain.scoring.golden import Deviation, GoldenWindow, measure, read_served_model

MODEL = {"name": "m-1", "weights": "untrained", "tolerance": {"mean": 0.05, "p99": 0.15}, "further": "fields"}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A folder with everything in it: two windows of zeros."""
    (tmp_path / "model.json").write_text(json.dumps(MODEL))
    write_golden(tmp_path, windows=2)
    return tmp_path


def write_golden(folder: Path, *, windows: int, **changes: Any) -> None:
    """Writes windows of zeros, with the changes."""
    arrays = {spec.name: np.zeros((windows, *spec.shape), spec.dtype) for spec in (*INPUTS, *OUTPUTS)}
    np.savez_compressed(folder / "golden.npz", **(arrays | changes))


def window(score: float, **changes: Any) -> GoldenWindow:
    """A window whose median is the score."""
    expected = {spec.name: np.zeros(spec.shape, spec.dtype) for spec in OUTPUTS}
    expected["SCORE_QUANTILES"] = np.array([score - 1] * 4 + [score] + [score + 1] * 4, np.float32)
    return GoldenWindow({}, expected | changes)


def test_the_folder_tells_the_version_and_the_tolerance(repository: Path) -> None:
    model = read_served_model(repository)
    assert model.version == ModelVersion("m-1", Weights.UNTRAINED)
    assert (model.tolerance, len(model.golden)) == (Deviation(mean=0.05, p99=0.15), 2)


def calibrate(folder: Path, calibration: Calibration) -> None:
    """Writes the calibration beside the model."""
    (folder / "calibration.json").write_text(calibration_to_json(calibration))


def test_untrained_weights_are_served_as_they_are(repository: Path) -> None:
    assert read_served_model(repository).calibration == identity()


def test_trained_weights_without_a_calibration_are_refused(repository: Path) -> None:
    (repository / "model.json").write_text(json.dumps(MODEL | {"weights": "site"}))
    with pytest.raises(ConfigurationError, match=r"calibration\.json cannot be used: there is no calibration of m-1"):
        read_served_model(repository)


def test_trained_weights_are_served_with_their_calibration(repository: Path) -> None:
    (repository / "model.json").write_text(json.dumps(MODEL | {"weights": "site"}))
    calibration = replace(identity(), edge=0.35, fitted_for="m-1")
    calibrate(repository, calibration)
    assert read_served_model(repository).calibration == calibration


def test_the_calibration_of_another_model_is_refused(repository: Path) -> None:
    calibrate(repository, replace(identity(), fitted_for="m-2"))
    with pytest.raises(ConfigurationError, match=r"calibration\.json cannot be used: .* fitted for 'm-2'"):
        read_served_model(repository)


def test_a_calibration_that_cannot_be_read_is_refused(repository: Path) -> None:
    (repository / "calibration.json").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match=r"calibration\.json cannot be used"):
        read_served_model(repository)


def test_another_calibration_makes_another_version(repository: Path) -> None:
    names = [read_served_model(repository).version.name]
    for seed in (0, 1):
        calibrate(repository, replace(identity(), fitted_for="m-1", seed=seed))
        names.append(read_served_model(repository).version.name)
    assert names[0] == "m-1"
    assert all(name.startswith("m-1-c") for name in names[1:])
    assert len(set(names)) == 3


def test_no_folder_is_a_missing_setting() -> None:
    with pytest.raises(ConfigurationError, match="NEOPAIN_SCORING_MODEL_REPOSITORY is not set"):
        read_served_model(None)


@pytest.mark.parametrize("missing", ["model.json", "golden.npz"])
def test_a_missing_file_is_named(repository: Path, missing: str) -> None:
    (repository / missing).unlink()
    with pytest.raises(ConfigurationError, match=f"{missing} cannot be used"):
        read_served_model(repository)


@pytest.mark.parametrize(
    "change", [{"weights": "excellent"}, {"tolerance": {"mean": 0.05}}, {"tolerance": None}, {"tolerance": "small"}]
)
def test_a_model_file_that_makes_no_sense_is_refused(repository: Path, change: dict[str, Any]) -> None:
    (repository / "model.json").write_text(json.dumps(MODEL | change))
    with pytest.raises(ConfigurationError, match=r"model\.json cannot be used"):
        read_served_model(repository)


def test_golden_windows_of_another_signature_are_refused(repository: Path) -> None:
    write_golden(repository, windows=2, VITALS=np.zeros((2, 8, 120), np.float32))
    with pytest.raises(ConfigurationError, match=r"golden\.npz cannot be used .*VITALS"):
        read_served_model(repository)


def test_no_golden_window_at_all_is_refused(repository: Path) -> None:
    write_golden(repository, windows=0)
    with pytest.raises(ConfigurationError, match="holds no window"):
        read_served_model(repository)


def test_the_deviation_is_of_the_medians() -> None:
    golden = [window(2.0), window(5.0)]
    deviation = measure(golden, [window(2.25).expected, window(4.25).expected])
    assert (deviation.mean, deviation.p99) == (0.5, pytest.approx(0.745))


def test_an_answer_that_is_not_finite_is_infinitely_far() -> None:
    broken = window(2.0, ATTENTION=np.array([np.nan, 0, 0], np.float32))
    golden = [window(2.0), window(2.0)]
    assert measure(golden, [broken.expected, golden[1].expected]).p99 == float("inf")


@pytest.mark.parametrize(
    ("reached", "is_within"), [((0.05, 0.15), True), ((0.051, 0.1), False), ((0.01, 0.151), False)]
)
def test_neither_the_mean_nor_the_tail_may_pass_the_tolerance(reached: tuple[float, float], is_within: bool) -> None:
    assert Deviation(*reached).is_within(Deviation(mean=0.05, p99=0.15)) is is_within
