"""From a checkpoint to a repository: which windows are taken, and what becomes of what lay there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from neopain.domain.score import Weights
from neopain.errors import ConfigurationError
from neopain.features import signature
from neopain.features.pack import WindowTensors
from neopain.models.checkpoint import Checkpoint, save_checkpoint
from neopain.models.config import AudioConfig, NetConfig, VideoConfig, VitalsConfig
from neopain.models.networks import Networks
from neopain.models.repository import read_golden, read_model
from neopain.models.sample_windows import sample_window
from neopain.training.exporting import ExportOptions, coarser, export_checkpoint
from neopain.training.windows import PreparedWindows

SMALL = NetConfig(
    video=VideoConfig(stem_channels=8, depths=(1, 1, 1, 1)),
    audio=AudioConfig(channels=(8, 16, 16, 32), layers=1),
    vitals=VitalsConfig(channels=32),
)
FEW = ExportOptions("trial", Weights.SIMULATOR, ranges=3, checks=2)


@dataclass
class MadeUp:
    """Prepared windows, every third of them without a face."""

    count: int
    folder: Path = Path("made-up")

    @property
    def patterns(self) -> tuple[str, ...]:
        return tuple("CPM" if index % 3 == 0 else "FCPM" for index in range(self.count))

    @property
    def labels(self) -> np.ndarray:
        return np.linspace(0, 10, self.count, dtype=np.float32)

    def tensors(self, index: int) -> WindowTensors:
        made: dict[str, Any] = sample_window(index)
        return WindowTensors(made["CLIP"], made["CRY"], made["VITALS"], made["CONTEXT"], made["PRESENT"])


def windows(count: int) -> PreparedWindows:
    return cast("PreparedWindows", MadeUp(count))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small nets with their notes."""
    path = tmp_path_factory.mktemp("run") / "checkpoint.pt"
    about = {"seed": 7, "weights": "trained on the simulator", "data": {"simulator": "1", "seed": 9}}
    torch.manual_seed(7)
    save_checkpoint(path, Checkpoint(SMALL, Networks(SMALL).state_dict(), about))
    path.with_name("baselines.pt").write_bytes(b"of the same run")
    return path


@pytest.fixture(scope="module")
def repository(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "trial"
    out.mkdir()
    (out / "calibration.json").write_text("of other nets")
    export_checkpoint(checkpoint, windows(12), out, FEW)
    return out


def test_the_model_is_named_after_the_checkpoints_content(repository: Path) -> None:
    model = read_model(repository)

    assert model.version.name.startswith("trial-")
    assert model.version.name.removeprefix("trial-") == model.digest[:8]
    assert model.version.weights is Weights.SIMULATOR


def test_the_model_file_tells_how_the_nets_were_made(repository: Path) -> None:
    assert json.loads((repository / "model.json").read_text())["about"]["data"] == {"simulator": "1", "seed": 9}
    assert read_model(repository).config == SMALL


def test_the_calibration_of_other_nets_is_gone(repository: Path) -> None:
    assert not (repository / "calibration.json").exists()


def test_the_baselines_of_the_run_go_along(repository: Path) -> None:
    assert (repository / "baselines.pt").read_bytes() == b"of the same run"


def test_golden_windows_are_coarse_enough_to_pack(repository: Path) -> None:
    clips = [golden.inputs[signature.CLIP.name] for golden in read_golden(repository)]

    assert len({int(level) for clip in clips for level in np.unique(clip)}) <= 17


def test_a_coarser_window_has_every_fourth_pixel_and_sample_to_within_a_step() -> None:
    window = sample_window(1)
    coarse = coarser(window)

    assert coarse["CLIP"].shape == window["CLIP"].shape
    assert coarse["CRY"].shape == window["CRY"].shape
    places = (slice(None), slice(0, None, 4), slice(0, None, 4))
    assert np.abs(coarse["CLIP"][places].astype(int) - window["CLIP"][places].astype(int)).max() <= 8
    assert np.array_equal(coarse["CLIP"][:, 3, 3], coarse["CLIP"][:, 0, 0])
    assert np.abs(coarse["CRY"][::4] - window["CRY"][::4]).max() <= 1 / 512
    assert np.array_equal(coarse["CRY"][3::4], coarse["CRY"][::4])
    assert coarse["VITALS"] is window["VITALS"]


def test_too_few_whole_windows_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match="4 windows with face, cry, physiology and movement, the export needs 5"
    ):
        export_checkpoint(checkpoint, windows(6), tmp_path / "out", FEW)


def test_a_checkpoint_of_a_part_of_the_nets_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    state = Networks(SMALL).video_encoder.state_dict()
    part = tmp_path / "part.pt"
    save_checkpoint(part, Checkpoint(SMALL, {f"video_encoder.{name}": value for name, value in state.items()}, {}))

    with pytest.raises(ConfigurationError, match="does not hold all of the nets"):
        export_checkpoint(part, windows(12), tmp_path / "out", FEW)
