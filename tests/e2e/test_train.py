"""``neopain train`` as a data scientist types it, on a small data set, with kills in between."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from neopain.codecs.manifest import read_manifest, write_manifest
from neopain.codecs.vitals_table import VitalRow, write_vitals
from neopain.domain.annotation import Availability, Rating, Recorded, Scale, Segment, Subject
from neopain.domain.vitals import VitalKind

from .conftest import in_this_process

pytestmark = pytest.mark.torch

ROOT = Path(__file__).resolve().parents[2]
INFANTS, EACH = 4, 3

CONFIG = """
preset = "small"
save_seconds = 0.2

[nets]
width = 32

[nets.video]
stem_channels = 4

[face]
frame_px = 64
plan = { steps = 20, batch = 8, check_every = 10, check_windows = 4 }

[video]
clip_px = 64
statistics_clips = 2
plan = { steps = 1, check_windows = 2 }

[audio]
plan = { steps = 4, batch = 4, check_every = 2, check_windows = 4 }

[vitals]
plan = { steps = 4, batch = 8, check_every = 2 }

[fusion]
plan = { steps = 4, batch = 8, check_every = 2 }
"""

Train = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four infants who are seen three times each; one rating and all media of each time."""
    folder = tmp_path_factory.mktemp("data")
    segments = [segment(folder, infant, occasion) for infant in range(INFANTS) for occasion in range(EACH)]
    (folder / "manifest.csv").write_text(write_manifest(segments))
    (folder / "dataset.json").write_text(json.dumps({"simulator": "1", "seed": 3}))
    return folder


def segment(folder: Path, infant: int, occasion: int) -> Segment:
    score, name, end = float((infant + 2 * occasion) % 8), f"{infant}-{occasion}", 60.0 * (occasion + 1)
    film(folder / f"{name}.mkv", int(20 * score))
    sing(folder / f"{name}.wav", 0.1 * score)
    rows = [VitalRow(end - age, VitalKind.HEART_RATE, 130 + 6 * score) for age in range(30, -1, -1)]
    (folder / f"{name}.csv").write_text(write_vitals(rows))
    recorded = {
        Recorded.VIDEO: Availability(f"{name}.mkv"),
        Recorded.AUDIO: Availability(f"{name}.wav"),
        Recorded.VITALS: Availability(f"{name}.csv"),
    }
    subject = Subject(f"i{infant}", "north", gestational_age_days=190 + 20 * infant, age_days=3)
    rating = Rating(Scale.NIPS, "r1", score)
    return Segment(subject, "s", name, end - 10, end, recorded, (rating,))


def film(path: Path, grey: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(15, 2))
        stream.height, stream.width, stream.pix_fmt = 64, 64, "bgr0"
        for _ in range(17):
            picture = np.full((64, 64, 3), grey, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def sing(path: Path, loudness: float) -> None:
    tone = loudness * np.sin(2 * np.pi * 400 * np.arange(160_000) / 16_000)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((30_000 * tone).astype("<i2").tobytes())


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that is done in a moment."""
    path = tmp_path_factory.mktemp("config") / "tiny.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def train(data: Path, config: Path) -> Train:
    """Starts ``neopain train`` on the data; further arguments are those of the test."""

    def start(out: Path, *arguments: str) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "neopain", "train", "--data", str(data), "--out", str(out), "--seed", "2"]
        argv += ["--config", str(config)]
        env = {**os.environ, "PYTHONPATH": str(ROOT / "services"), "NEOPAIN_ROOT": str(ROOT)}
        return subprocess.Popen([*argv, *arguments], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    return start


@pytest.fixture(scope="module")
def run(train: Train, data: Path, config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that was killed in its first stage, went on for a short leg, and was then let finish; the first is a
    process of its own."""
    out = tmp_path_factory.mktemp("run") / "one"
    killed = train(out)
    wait_for(out / "stages" / "face.pt", killed)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    again = ("train", "--data", data, "--out", out, "--seed", "2", "--config", config)
    short = in_this_process(*again, "--minutes", "0.01")
    unfinished = f"unfinished: run the same command again, {out} goes on\n"
    assert (short.returncode, short.stdout) == (0, unfinished), short.stderr
    last = in_this_process(*again)
    assert (last.returncode, last.stdout) == (0, f"{out / 'checkpoint.pt'}\n"), last.stderr
    return out


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"{path} did not appear: {process.communicate()[1]}")
        time.sleep(0.02)


def test_a_training_that_was_killed_comes_to_its_end(run: Path) -> None:
    names = {path.name for path in run.iterdir()}
    assert {
        "run.json",
        "start.pt",
        "stages",
        "curves",
        "tokens",
        "figures.json",
        "baselines.pt",
        "checkpoint.pt",
    } <= names
    steps = [int(line.split(",")[0]) for line in (run / "curves" / "face.csv").read_text().splitlines()[1:]]
    assert steps == sorted(set(steps))
    assert steps[-1] == 20


def test_the_checkpoint_says_what_it_was_made_of(run: Path) -> None:
    from neopain.models.checkpoint import load_checkpoint

    about = load_checkpoint(run / "checkpoint.pt").about
    assert about["weights"] == "trained on the simulator"
    assert about["seed"] == 2
    assert about["data"][0]["dataset"] == {"simulator": "1", "seed": 3}
    assert (about["data"][0]["windows"], about["infants"]) == (INFANTS * EACH, INFANTS)
    assert about["config"]["face"]["plan"]["steps"] == 20
    assert about["figures"]["baselines"]["ridge"]["trials"] == 2


def test_it_remembers_whom_it_was_taught_by(run: Path, data: Path) -> None:
    from neopain.models.checkpoint import load_checkpoint
    from neopain.training.fingerprints import fingerprints, read_note

    found = fingerprints(read_manifest((data / "manifest.csv").read_text()), data)
    (noted,) = load_checkpoint(run / "checkpoint.pt").about["data"]

    assert read_note(noted) == found
    assert len(found) > 1


def test_its_nets_and_baselines_predict_other_windows(run: Path, data: Path, tmp_path: Path) -> None:
    from neopain.models.checkpoint import load_checkpoint
    from neopain.models.networks import Networks
    from neopain.training.baselines.saved import load_baselines
    from neopain.training.predict import encode_windows, predict_encoded
    from neopain.training.windows import prepare

    checkpoint = load_checkpoint(run / "checkpoint.pt")
    networks = Networks(checkpoint.config)
    networks.load_state_dict(checkpoint.state)
    encoded = encode_windows(networks, prepare(data, tmp_path), range(4))
    found = [predict_encoded(networks, encoded), *(one.predict(encoded) for one in load_baselines(run).values())]
    assert len(found) == 7
    for predictions in found:
        assert predictions.quantiles.shape == (4, 9)
        assert (np.diff(predictions.quantiles, axis=1) >= 0).all()


def test_a_finished_training_is_only_told(run: Path, data: Path, config: Path) -> None:
    again = in_this_process("train", "--data", data, "--out", run, "--seed", "2", "--config", config)
    assert (again.returncode, again.stdout) == (0, f"{run / 'checkpoint.pt'}\n")
    assert "this training is done" in again.stderr


KEPT = """
[face]
keep = true
[audio]
keep = true
[vitals]
keep = true
[tokens]
face_views = 2
cry_views = 2
vitals_views = 2
[fusion]
trials = 1
plan = { steps = 2, batch = 8, check_every = 2 }
"""


def test_own_infants_teach_the_heads_of_encoders_that_are_kept(run: Path, data: Path, tmp_path: Path) -> None:
    from neopain.models.checkpoint import load_checkpoint

    own = shutil.copytree(data, tmp_path / "own")
    (own / "dataset.json").unlink()
    (tmp_path / "kept.toml").write_text(KEPT)
    out = tmp_path / "heads"
    asked = ("train", "--data", own, "--out", out, "--seed", "2", "--config", tmp_path / "kept.toml")
    refused = in_this_process(*asked)
    assert (refused.returncode, "[face] keep = true keeps an encoder that --start gives" in refused.stderr) == (2, True)
    done = in_this_process(*asked, "--start", run / "checkpoint.pt")
    assert done.returncode == 0, done.stderr
    before, after = load_checkpoint(run / "checkpoint.pt"), load_checkpoint(out / "checkpoint.pt")
    differing = {name.split(".")[0] for name in before.state if not torch.equal(before.state[name], after.state[name])}
    assert differing == {"fusion_head"}
    assert after.about["weights"] == "trained on the simulator"
    assert after.about["began_with"]["data"] == before.about["data"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--seed", "3"), "holds a training with another seed: give the same, or another folder with --out"),
        (("--config", "no-such.toml"), "no-such.toml cannot be read"),
        (("--start", "no-such.pt"), "no-such.pt cannot be read"),
    ],
)
def test_what_cannot_be_used_is_named_and_exits_2(
    run: Path, data: Path, config: Path, arguments: tuple[str, ...], word: str
) -> None:
    done = in_this_process("train", "--data", data, "--out", run, "--seed", "2", "--config", config, *arguments)
    assert (done.returncode, word in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--device", "tpu"), "invalid choice: 'tpu'"),
        (("--minutes", "0"), "not a number above 0"),
        (("--seed", "-1"), "-1 is not a number from 0 to 2147483647"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: tuple[str, ...], word: str, tmp_path: Path) -> None:
    done = in_this_process("train", "--data", tmp_path, "--out", tmp_path, *arguments)
    assert (done.returncode, word in done.stderr) == (2, True), done.stderr
