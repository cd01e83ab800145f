"""Where an exported repository goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from neopain.errors import ConfigurationError
from neopain.models import export


@pytest.fixture
def building(tmp_path: Path) -> Path:
    """A repository that was just made."""
    folder = tmp_path / "building"
    (folder / "fusion_head" / "1").mkdir(parents=True)
    (folder / "fusion_head" / "1" / "model.xml").write_text("new net")
    (folder / "model.json").write_text("new")
    return folder


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """One that lies there, with a calibration and a file that an export does not make."""
    folder = tmp_path / "old"
    (folder / "fusion_head" / "1").mkdir(parents=True)
    (folder / "fusion_head" / "1" / "model.py").write_text("source")
    for name in ("model.json", "calibration.json", "prolonged.json", "baselines.pt"):
        (folder / name).write_text("old")
    return folder


def test_a_new_repository_takes_the_place_of_the_old_one(building: Path, old: Path) -> None:
    export.put_in_place(building, old)

    assert sorted(str(path.relative_to(old)) for path in old.rglob("*") if path.is_file()) == [
        "fusion_head/1/model.xml",
        "model.json",
    ]


@pytest.mark.parametrize("name", ["checkpoint.pt", "stages", "another-model", "manifest.csv"])
def test_a_folder_with_something_else_is_never_replaced(old: Path, name: str) -> None:
    (old / name).mkdir()
    with pytest.raises(ConfigurationError, match=f"old holds '{name}' .* which an export would delete"):
        export.require_replaceable(old)


def test_a_file_is_never_replaced(old: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"model\.json is no folder"):
        export.require_replaceable(old / "model.json")


def test_a_repository_may_be_replaced_and_so_may_nothing(old: Path, tmp_path: Path) -> None:
    (old / ".calibration.json").touch()
    export.require_replaceable(old)
    export.require_replaceable(tmp_path / "new")


def test_in_the_source_tree_the_sources_stay_and_what_was_fitted_to_other_nets_goes(
    building: Path, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "GRAPH", old.resolve())
    export.put_in_place(building, old)

    assert sorted(str(path.relative_to(old)) for path in old.rglob("*") if path.is_file()) == [
        "fusion_head/1/model.py",
        "fusion_head/1/model.xml",
        "model.json",
    ]
    assert (old / "model.json").read_text() == "new"
