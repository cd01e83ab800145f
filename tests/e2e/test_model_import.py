"""``neopain model import`` as a user types it."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from neopain.models.checkpoint import load_checkpoint
from neopain.models.repository import read_golden, save_golden

from ..unit.models import published_layouts as layouts
from .conftest import in_this_process

pytestmark = pytest.mark.torch

ROOT = Path(__file__).resolve().parents[2]


def model_import(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return in_this_process("model", "import", *arguments)


def test_published_files_become_one_checkpoint(tmp_path: Path) -> None:
    torch.save({"model_state": layouts.zeros(layouts.pytorchvideo())}, tmp_path / "i3d.pyth")
    torch.save(layouts.zeros(layouts.torchvggish()), tmp_path / "vggish.pth")
    out = tmp_path / "start.pt"
    done = model_import("--video", tmp_path / "i3d.pyth", "--audio", tmp_path / "vggish.pth", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    video, audio = json.loads(done.stdout)["files"]
    assert (video["layout"], len(video["taken"]), video["missing"], video["unexpected"]) == (
        "pytorchvideo I3D-R50", 265, [], []
    )  # fmt: skip
    assert (audio["layout"], len(audio["taken"]), audio["unused"][:1]) == ("torchvggish", 12, ["embeddings.0.weight"])
    checkpoint = load_checkpoint(out)
    assert checkpoint.about["weights"] == "untrained"
    assert checkpoint.state["video_encoder.backbone.stem_conv.weight"].count_nonzero() == 0
    assert checkpoint.state["audio_encoder.convolutions.13.weight"].count_nonzero() == 0


def test_the_table_says_what_was_taken_and_what_was_not(tmp_path: Path) -> None:
    torch.save(layouts.zeros(layouts.torchaudio((1, 1, 1))), tmp_path / "vggish.pt")
    done = model_import(
        "--audio", tmp_path / "vggish.pt", "--out", tmp_path / "start.pt", "--width", "8", "--seed", "3"
    )
    assert done.returncode == 0, done.stderr
    first, taken, unused, written = done.stdout.splitlines()
    assert first.startswith("audio: vggish.pt, layout torchaudio VGGish, sha256 ")
    assert taken == "  12 tensors taken, 0 missing, 0 unexpected"
    assert unused == (
        "  6 known and unused: embedding_network.0.bias, embedding_network.2.bias, embedding_network.4.bias,"
        " embedding_network.0.weight and 2 more"
    )
    assert written == f"{tmp_path / 'start.pt'}: written; all else is fresh from seed 3 and untrained"


class Runs:
    """Unpickled naively, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_code_in_a_file_is_not_run_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps({"blobs": {"conv1_w": Runs(tmp_path / "ran")}}, protocol=2))
    done = model_import("--video", tmp_path / "evil.pkl", "--out", tmp_path / "start.pt")
    assert (done.returncode, done.stdout) == (2, "")
    assert "asks for posix.mkdir" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["evil.pkl"]


def test_a_file_that_does_not_fit_exits_2_with_the_differences_and_nothing_is_written(tmp_path: Path) -> None:
    state = layouts.zeros(layouts.torchvggish())
    state["features.15.weight"] = state.pop("features.13.weight")
    torch.save(state, tmp_path / "vggish.pth")
    done = model_import("--audio", tmp_path / "vggish.pth", "--out", tmp_path / "start.pt")
    assert done.returncode == 2
    assert "missing: features.13.weight, expected [512, 512, 3, 3], found none" in done.stderr
    assert "unexpected: features.15.weight, expected none, found [512, 512, 3, 3]" in done.stderr
    assert not (tmp_path / "start.pt").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--out", "start.pt"), "nothing to import"),
        (("--video", "a.pyth"), "--out"),
        (("--video", "a.pyth", "--out", "./a.pyth"), "is the file given as --video"),
        (("--video", "a.pyth", "--out", "start.pt", "--width", "6"), "--width 6 cannot be shared by 4 heads"),
        (("--video", "a.pyth", "--out", "start.pt", "--embedding-relu"), "give both or neither"),
        (("--video", "no-such-file.pyth", "--out", "start.pt"), "no-such-file.pyth cannot be read"),
    ],
)
def test_wrong_arguments_are_named_and_exit_2(arguments: tuple[str, ...], words: str) -> None:
    done = model_import(*arguments)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr


def test_the_encoders_that_are_served_become_a_checkpoint(tmp_path: Path) -> None:
    out, copy = tmp_path / "start.pt", shutil.copytree(ROOT / "triton_models", tmp_path / "model")
    save_golden(copy, [one for one in read_golden(copy) if one.inputs["PRESENT"].all()][:1])  # seconds each
    done = model_import("--encoders", copy, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    served = json.loads((ROOT / "triton_models" / "model.json").read_text())
    assert (told["encoders"]["model"], told["encoders"]["weights"]) == (served["name"], served["weights"])
    assert told["off"]["mean"] < 0.05
    assert load_checkpoint(out).about["encoders"] == told["encoders"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((), "give --video FILE, --audio FILE or both, or --encoders FOLDER"),
        (("--encoders", "no-such"), "no-such/model.json cannot be read"),
        (("--encoders", "no-such", "--width", "96"), "--encoders takes whole encoders with their sizes"),
        (("--encoders", "no-such", "--audio", "a.pth"), "--encoders takes whole encoders with their sizes"),
    ],
)
def test_encoders_that_cannot_be_taken_are_named(tmp_path: Path, arguments: tuple[str, ...], word: str) -> None:
    done = model_import(*arguments, "--out", tmp_path / "start.pt")
    assert (done.returncode, word in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "start.pt").exists()
