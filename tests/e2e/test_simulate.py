"""``neopain simulate cohort`` as a data scientist types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neopain import cli
from neopain.codecs.manifest import read_manifest


def test_a_cohort_is_written_and_its_manifest_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "cohort"
    assert cli.run(["simulate", "cohort", str(folder), "--seed", "3", "--infants", "1", "--workers", "1"]) == 0

    manifest = Path(capsys.readouterr().out.strip())
    assert manifest == folder / "manifest.csv"
    assert len({segment.subject.id for segment in read_manifest(manifest.read_text())}) == 1
    assert json.loads((folder / "dataset.json").read_text())["seed"] == 3


def test_a_folder_that_holds_a_cohort_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "manifest.csv").write_text("mine")

    assert cli.run(["simulate", "cohort", str(tmp_path), "--seed", "3"]) == 2
    assert "is there already: name an empty folder" in capsys.readouterr().err
    assert (tmp_path / "manifest.csv").read_text() == "mine"


def test_a_cohort_without_a_seed_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.run(["simulate", "cohort", str(tmp_path)])
    assert "--seed" in capsys.readouterr().err
