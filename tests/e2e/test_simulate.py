"""``neopain simulate cohort`` as a data scientist types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from neopain import cli


def test_a_folder_that_holds_a_cohort_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "manifest.csv").write_text("mine")

    assert cli.run(["simulate", "cohort", str(tmp_path), "--seed", "3"]) == 2
    assert "is there already: name an empty folder" in capsys.readouterr().err
    assert (tmp_path / "manifest.csv").read_text() == "mine"


@pytest.mark.parametrize("name", ["notes.txt", "notes.txt/cohort"])
def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    assert cli.run(["simulate", "cohort", str(tmp_path / name), "--seed", "3"]) == 2
    assert f"{tmp_path / name} cannot be the folder of a cohort" in capsys.readouterr().err


def test_a_cohort_without_a_seed_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.run(["simulate", "cohort", str(tmp_path)])
    assert "--seed" in capsys.readouterr().err
