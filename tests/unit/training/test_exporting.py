"""From a checkpoint to a repository: which windows are taken, and what becomes of what lay there."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from neopain.domain.score import ModelVersion, Weights
from neopain.errors import ConfigurationError
from neopain.features import signature
from neopain.features.pack import WindowTensors
from neopain.models import export, sample_windows
from neopain.models.checkpoint import Checkpoint, save_checkpoint
from neopain.models.config import AudioConfig, NetConfig, VideoConfig, VitalsConfig
from neopain.models.export import Identity
from neopain.models.networks import Networks, as_batch
from neopain.models.repository import Deviation, GoldenWindow, read_golden, read_model, save_golden
from neopain.models.sample_windows import sample_window
from neopain.models.served_encoders import encoders_of
from neopain.training import exporting
from neopain.training.exporting import ExportOptions, coarser, export_checkpoint
from neopain.training.windows import PreparedWindows

SMALL = NetConfig(
    video=VideoConfig(stem_channels=8, depths=(1, 1, 1, 1)),
    audio=AudioConfig(channels=(8, 16, 16, 32), layers=1),
    vitals=VitalsConfig(channels=32),
)
FEW = ExportOptions("trial", Weights.SIMULATOR, ranges=3, checks=2)


@cache
def sample(seed: int) -> dict[str, Any]:
    """A made-up window that is read and not changed."""
    return sample_window(seed)


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
        made = sample(index)
        return WindowTensors(made["CLIP"], made["CRY"], made["VITALS"], made["CONTEXT"], made["PRESENT"])


def windows(count: int) -> PreparedWindows:
    return cast("PreparedWindows", MadeUp(count))


def learnt() -> Networks:
    """Nets of which no tensor is as it was made: a bias of zeros would be folded away."""
    torch.manual_seed(7)
    networks = Networks(SMALL).eval()
    for name, tensor in networks.state_dict().items():
        if tensor.is_floating_point() and not name.endswith(("typical_mean", "typical_spread", "centre", "spread")):
            tensor.add_(0.05 * torch.randn(tensor.shape).abs())
    return networks


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small nets with their notes."""
    path = tmp_path_factory.mktemp("run") / "checkpoint.pt"
    about = {"seed": 7, "weights": "trained on the simulator", "data": {"simulator": "1", "seed": 9}}
    save_checkpoint(path, Checkpoint(SMALL, learnt().state_dict(), about))
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


def test_weights_are_worth_no_more_than_the_checkpoint_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path / "start.pt", Checkpoint(SMALL, learnt().state_dict(), {"weights": "untrained"}))
    told: list[Identity] = []
    monkeypatch.setattr(exporting, "export_networks", lambda _nets, _out, identity, *_: told.append(identity))
    export_checkpoint(tmp_path / "start.pt", windows(12), tmp_path / "out", FEW)

    assert [one.version.weights for one in told] == [Weights.UNTRAINED]


def test_there_is_nothing_to_begin_with_in_untrained_nets(repository: Path, tmp_path: Path) -> None:
    other = shutil.copytree(repository, tmp_path / "other")
    model = read_model(other)
    replace(model, version=ModelVersion(model.version.name, Weights.UNTRAINED)).save(other)
    with pytest.raises(ConfigurationError, match="are untrained: there is nothing to begin with"):
        encoders_of(other, seed=0)


@pytest.fixture(scope="module")
def read_back(repository: Path) -> Checkpoint:
    return encoders_of(repository, seed=3)[0]


def test_encoders_that_are_read_back_say_what_those_said_that_were_exported(read_back: Checkpoint) -> None:
    given, found = learnt(), Networks(SMALL)
    found.load_state_dict(read_back.state)
    found.eval()
    batch = as_batch([sample(seed) for seed in (21, 22, 23)])
    with torch.no_grad():
        expected, got = given.encode(batch), found.encode(batch)

    for before, after in zip(expected[0], got[0], strict=True):
        assert (after - before).norm() < 0.05 * before.norm()
    for before, after in zip(expected[1], got[1], strict=True):
        assert torch.allclose(after, before, atol=0.1)


def test_batch_norms_that_are_read_back_can_go_on_learning(read_back: Checkpoint) -> None:
    found = Networks(SMALL)
    found.load_state_dict(read_back.state)
    encoder = found.vitals_encoder
    batch = torch.from_numpy(np.stack([sample_windows._vitals(np.random.default_rng(seed)) for seed in range(21, 37)]))
    with torch.no_grad():
        held = encoder.eval()(batch)[0]
        encoder.train()
        encoder.neck.eval()
        by_batch = encoder(batch)[0]

    assert (by_batch - held).norm() < 0.3 * held.norm()


def test_what_is_read_back_says_whose_weights_it_has(read_back: Checkpoint, repository: Path) -> None:
    model = read_model(repository)
    assert read_back.about["weights"] == "untrained"
    assert read_back.about["encoders"] == {
        "model": model.version.name,
        "digest": model.digest,
        "weights": "trained on the simulator",
        "about": {"seed": 7, "data": {"simulator": "1", "seed": 9}},
    }


def heads_learnt(read_back: Checkpoint, folder: Path, *, keep: tuple[str, ...], digest: str | None = None) -> Path:
    """A training that began with these encoders and taught those that it did not keep, and the fusion head."""
    torch.manual_seed(8)
    taught = {
        name: tensor + 0.05 * torch.randn(tensor.shape).abs()
        if name.endswith(("weight", "bias")) and name.startswith(("fusion_head", "vitals_encoder"))
        else tensor
        for name, tensor in read_back.state.items()
    }
    encoders = read_back.about["encoders"] | ({} if digest is None else {"digest": digest})
    config = {name: {"keep": name in keep} for name in ("face", "audio", "vitals")}
    about = {"seed": 1, "weights": "trained on the simulator", "began_with": {"encoders": encoders}, "config": config}
    save_checkpoint(folder / "heads.pt", Checkpoint(SMALL, taught, about))
    return folder / "heads.pt"


def test_encoders_that_the_training_kept_are_taken_as_they_lie(
    read_back: Checkpoint, repository: Path, tmp_path: Path
) -> None:
    path = heads_learnt(read_back, tmp_path, keep=("face", "audio"))
    model = export_checkpoint(path, windows(12), tmp_path / "out", replace(FEW, encoders=repository))

    same = {
        net: all(
            (tmp_path / "out" / net / "1" / file).read_bytes() == (repository / net / "1" / file).read_bytes()
            for file in ("model.xml", "model.bin")
        )
        for net in ("video_encoder", "audio_encoder", "vitals_encoder", "fusion_head")
    }
    assert same == {"video_encoder": True, "audio_encoder": True, "vitals_encoder": False, "fusion_head": False}
    assert model.precision == read_model(repository).precision
    assert list(model.precision) == list(read_model(repository).precision)


def test_encoders_that_do_not_say_what_the_nets_do_are_not_taken(
    read_back: Checkpoint, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "measure", lambda _folder, _windows: Deviation(mean=0.06, p99=0.1))
    path = heads_learnt(read_back, tmp_path, keep=("face", "audio"))
    out = tmp_path / "out"

    with pytest.raises(ConfigurationError, match="more than is served: export without --encoders"):
        export_checkpoint(path, windows(12), out, replace(FEW, encoders=repository))
    assert not out.exists()


def test_encoders_of_others_than_the_training_began_with_are_refused(
    read_back: Checkpoint, repository: Path, tmp_path: Path
) -> None:
    path = heads_learnt(read_back, tmp_path, keep=("face", "audio"), digest="0" * 64)
    with pytest.raises(ConfigurationError, match=r"did not begin with the encoders of .* but with trial-"):
        export_checkpoint(path, windows(12), tmp_path / "out", replace(FEW, encoders=repository))


def test_encoders_that_the_training_taught_further_are_refused(
    read_back: Checkpoint, repository: Path, tmp_path: Path
) -> None:
    path = heads_learnt(read_back, tmp_path, keep=())
    with pytest.raises(ConfigurationError, match=r"kept no encoder of .*, it taught them all"):
        export_checkpoint(path, windows(12), tmp_path / "out", replace(FEW, encoders=repository))


def test_encoders_beside_golden_windows_of_others_are_refused(repository: Path, tmp_path: Path) -> None:
    other = shutil.copytree(repository, tmp_path / "other")
    golden = read_golden(other)
    name = signature.SCORE_BY_MODALITY.name
    save_golden(other, [GoldenWindow(one.inputs, one.expected | {name: 10 - one.expected[name]}) for one in golden])
    with pytest.raises(ConfigurationError, match="do not say of its golden windows what they should"):
        encoders_of(other, seed=0)


def test_an_encoder_that_is_another_net_is_refused(repository: Path, tmp_path: Path) -> None:
    other = shutil.copytree(repository, tmp_path / "other")
    shutil.copytree(other / "audio_encoder", other / "video_encoder", dirs_exist_ok=True)
    with pytest.raises(
        ConfigurationError, match=r"video_encoder/1/model.xml cannot be read back \(.*backbone.stem_norm"
    ):
        encoders_of(other, seed=0)
    (other / "video_encoder" / "1" / "model.xml").unlink()
    with pytest.raises(ConfigurationError, match=r"model\.xml is missing"):
        encoders_of(other, seed=0)


def test_the_calibration_of_other_nets_is_gone(repository: Path) -> None:
    assert not (repository / "calibration.json").exists()


def test_the_baselines_of_the_run_go_along(repository: Path) -> None:
    assert (repository / "baselines.pt").read_bytes() == b"of the same run"


def test_the_folder_of_a_training_is_not_taken_for_a_repository(checkpoint: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"holds 'checkpoint\.pt' \(1 such\), which an export would delete"):
        export_checkpoint(checkpoint, windows(12), checkpoint.parent, FEW)
    assert checkpoint.exists()
    assert checkpoint.with_name("baselines.pt").read_bytes() == b"of the same run"


def test_golden_windows_are_coarse_enough_to_pack(repository: Path) -> None:
    clips = [golden.inputs[signature.CLIP.name] for golden in read_golden(repository)]

    assert len({int(level) for clip in clips for level in np.unique(clip)}) <= 17


def test_a_coarser_window_has_every_fourth_pixel_and_sample_to_within_a_step() -> None:
    window = sample(1)
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
