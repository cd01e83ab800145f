"""``neopain evaluate`` from a data set on disk to a report: small nets that know nothing, a few simulated windows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from neopain import cli
from neopain.codecs.manifest import write_manifest
from neopain.features.signature import PRESENT_FLAGS
from neopain.models.checkpoint import Checkpoint, save_checkpoint
from neopain.models.config import AudioConfig, NetConfig, VideoConfig, VitalsConfig
from neopain.models.networks import Networks
from neopain.simulator.circumstances import circumstances
from neopain.simulator.cohort import DATASET_FILE, MANIFEST_FILE, RecordedBed, sessions
from neopain.simulator.infant import simulated_infant
from neopain.training.baselines.linear import Linear
from neopain.training.baselines.models import Effort, LateBaseline, LearnedBaseline, RidgeBaseline
from neopain.training.baselines.saved import save_baselines
from neopain.training.heads import HEADS
from neopain.training.report import page

SMALL = NetConfig(
    video=VideoConfig(stem_channels=4, depths=(1, 1, 1, 1)),
    audio=AudioConfig(channels=(8, 16, 16, 32), layers=1),
    vitals=VitalsConfig(channels=32),
)
SEED = 4711
EFFORT = Effort(trials=2, steps=10, seconds=3.0, tune_mae=1.0)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four infants, two windows of each and one of the empty cot."""
    folder = tmp_path_factory.mktemp("dataset")
    segments = []
    for number in range(1, 5):
        infant = simulated_infant(SEED, number)
        around = circumstances(infant)
        bed = RecordedBed(infant, around, sessions(infant, around)[0])
        (folder / infant.mrn).mkdir()
        segments += [bed.record(folder, end, 1 + occasion) for occasion, end in enumerate(bed.session.looks[1:9:4])]
        segments.append(bed.record_empty(folder, 9))
    (folder / MANIFEST_FILE).write_text(write_manifest(segments))
    (folder / DATASET_FILE).write_text(json.dumps({"simulator": "1", "seed": SEED}))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that never happened: random weights, baselines that know nothing."""
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    about = {"weights": "untrained", "data": [{"dataset": {"simulator": "1", "seed": 12}}]}
    save_checkpoint(folder / "checkpoint.pt", Checkpoint(SMALL, Networks(SMALL).state_dict(), about))
    learned = {name: LearnedBaseline(name, EFFORT, HEADS[name](SMALL)) for name in (*PRESENT_FLAGS, "early")}
    nothing = Linear(np.zeros(10), np.ones(10), np.zeros(20), 3.0, np.linspace(-2, 2, 9))
    late = LateBaseline(EFFORT, {flag: learned[flag] for flag in PRESENT_FLAGS}, {})
    save_baselines(folder, SMALL, {**learned, "late": late, "ridge": RidgeBaseline(EFFORT, nothing)})
    return folder


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


def evaluate(*arguments: str | Path) -> int:
    return cli.run(["evaluate", *(str(argument) for argument in arguments)])


def test_a_report_is_written_and_the_headline_is_the_last_line(
    dataset: Path, run: Path, state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--data", dataset, "--model", run, "--split", "kfold", "--state", state, "--out", tmp_path)
    assert evaluate(*arguments, "--resamples", "20", "--json") == 0
    headline = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(headline) == [
        "mae", "icc21", "coverage90", "width90", "wilcoxon_p_max", "abstained", "n_infants", "engine",
    ]  # fmt: skip
    assert (headline["n_infants"], headline["engine"]) == (4, "torch")
    assert 0 < headline["mae"] < 10
    assert 0 < headline["wilcoxon_p_max"] <= 1
    found = json.loads((tmp_path / "figures.json").read_text())
    assert list(found["comparisons"]["baselines"]) == ["face", "cry", "vitals", "early", "late", "ridge"]
    assert found["comparisons"]["baselines"]["early"]["trials"] == 2
    assert found["cohort"]["windows_without_infant"] == 4
    assert found["about"]["is_simulated"]
    assert "trained" in (tmp_path / "report.html").read_text()
    assert (tmp_path / "model-card.md").read_text().startswith("# Model card")
    assert len((tmp_path / "predictions.csv").read_text().splitlines()) == 1 + found["cohort"]["windows"]
    assert "| 27c |" in (tmp_path / "tripod.md").read_text()


def test_every_goal_is_told_without_json(
    dataset: Path,
    run: Path,
    state: Path,
    tmp_path: Path,
    *,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(page, "report_page", lambda _found, _predictions: "drawn by the test before")
    assert evaluate("--data", dataset, "--model", run, "--state", state, "--out", tmp_path, "--resamples", "20") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 13
    assert lines[-1] == str(tmp_path / "report.html")
    assert "goal at most 0.84" in lines[0]


def test_infants_that_went_into_the_model_are_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate("--cohort-seed", "12", "--model", run) == 2
    assert "the cohort of seed 12 went into" in capsys.readouterr().err


def test_infants_that_calibrated_a_checkpoint_do_not_judge_it(
    dataset: Path, run: Path, state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = shutil.copytree(run, tmp_path / "own")
    moved = shutil.copytree(dataset, tmp_path / "moved", copy_function=shutil.copyfile)
    (moved / DATASET_FILE).unlink()
    asked = ("--data", moved, "--model", own, "--state", state)

    for _ in range(2):  # A calibration may be made anew.
        assert cli.run(["calibrate", *(str(one) for one in ("--data", dataset, "--model", own, "--state", state))]) == 0
    assert evaluate(*asked) == 2
    assert "4 of the 4 infants of" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--data", "nowhere"), "nowhere holds no manifest.csv"),
        (("--cohort-seed", "1", "--baselines", "nowhere"), "baselines.pt does not exist"),
        (("--cohort-seed", "1", "--engine", "triton"), "export it first"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    run: Path, arguments: tuple[str, ...], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(*arguments, "--model", run) == 2
    told = capsys.readouterr().err
    assert word in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [(), ("--cohort-seed", "1", "--data", "x"), ("--cohort-seed", "1", "--cutoff", "7")]
)
def test_arguments_that_do_not_go_together_are_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        evaluate(*arguments)
    assert ended.value.code == 2
