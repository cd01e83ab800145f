from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch

from neopain.errors import ConfigurationError
from neopain.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from neopain.models.config import NetConfig
from neopain.models.networks import Networks

from .conftest import SMALL

pytestmark = pytest.mark.torch


def a_checkpoint(**state: torch.Tensor) -> Checkpoint:
    return Checkpoint(config=SMALL, state=state, about={"seed": 4, "weights": "untrained", "metrics": {"mae": 0.5}})


def test_a_checkpoint_comes_back_as_it_was_saved(tmp_path: Path, small: Networks) -> None:
    save_checkpoint(tmp_path / "a.pt", Checkpoint(SMALL, small.state_dict(), {"seed": 4, "sources": [{"rows": 2}]}))
    read = load_checkpoint(tmp_path / "a.pt")
    assert read.config == SMALL
    assert read.about == {"seed": 4, "sources": [{"rows": 2}]}
    again = Networks(read.config)
    again.load_state_dict(read.state)
    assert all(torch.equal(tensor, small.state_dict()[name]) for name, tensor in again.state_dict().items())


def test_saving_makes_the_folder_and_leaves_nothing_else_in_it(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "run" / "a.pt", a_checkpoint(w=torch.ones(2)))
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["a.pt"]


def test_a_parameter_is_saved_without_its_gradient(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.pt", a_checkpoint(w=torch.nn.Parameter(torch.ones(2))))
    assert not load_checkpoint(tmp_path / "a.pt").state["w"].requires_grad


def test_of_a_view_only_its_own_part_is_saved(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.pt", a_checkpoint(w=torch.zeros(1_000_000)[:10]))
    assert (tmp_path / "a.pt").stat().st_size < 10_000


def test_a_save_that_fails_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path / "a.pt", a_checkpoint(w=torch.ones(2)))

    def disk_full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(ConfigurationError, match=r"a\.pt cannot be written \(No space left on device\)"):
        save_checkpoint(tmp_path / "a.pt", a_checkpoint(w=torch.zeros(2)))
    assert load_checkpoint(tmp_path / "a.pt").state["w"].tolist() == [1.0, 1.0]


def test_what_a_killed_save_left_does_not_hinder_the_next(tmp_path: Path) -> None:
    (tmp_path / ".a.pt.part").write_bytes(b"half a checkpoint, and longer than a whole one" * 1000)
    save_checkpoint(tmp_path / "a.pt", a_checkpoint(w=torch.ones(2)))
    assert load_checkpoint(tmp_path / "a.pt").state["w"].tolist() == [1.0, 1.0]
    assert not (tmp_path / ".a.pt.part").exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.pt cannot be read \(No such file or directory\)"):
        load_checkpoint(tmp_path / "none.pt")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, share: float) -> None:
    save_checkpoint(tmp_path / "a.pt", a_checkpoint(w=torch.ones(2000)))
    whole = (tmp_path / "a.pt").read_bytes()
    (tmp_path / "a.pt").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ConfigurationError, match=r"a\.pt holds no weights that torch can read"):
        load_checkpoint(tmp_path / "a.pt")


class Runs:
    """Unpickled naively, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, zipped: bool) -> None:
    torch.save({"state": Runs(tmp_path / "ran")}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(ConfigurationError, match=r"a\.pt asks for posix\.mkdir"):
        load_checkpoint(tmp_path / "a.pt")
    assert not (tmp_path / "ran").exists()


def test_a_bare_pickle_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(pickle.dumps(Runs(tmp_path / "ran")))
    with pytest.raises(ConfigurationError, match=r"a\.pt"):
        load_checkpoint(tmp_path / "a.pt")
    assert not (tmp_path / "ran").exists()


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    torch.save({"model_state": {"w": torch.ones(2)}}, tmp_path / "a.pt")
    with pytest.raises(ConfigurationError, match=r"a\.pt is no 'neopain checkpoint 1'"):
        load_checkpoint(tmp_path / "a.pt")


def test_a_config_of_another_version_is_refused(tmp_path: Path) -> None:
    config = NetConfig().to_json().replace('"stem_channels"', '"trunk_channels"')
    fields = {"format": "neopain checkpoint 1", "config": config, "about": "{}", "state": {}}
    torch.save(fields, tmp_path / "a.pt")
    with pytest.raises(ConfigurationError, match="trunk_channels"):
        load_checkpoint(tmp_path / "a.pt")


def test_a_state_that_is_no_tensor_is_refused(tmp_path: Path) -> None:
    fields = {"format": "neopain checkpoint 1", "config": SMALL.to_json(), "about": "{}", "state": {"w": [1.0]}}
    torch.save(fields, tmp_path / "a.pt")
    with pytest.raises(ConfigurationError, match=r"state\['w'\] is a list, expected a tensor"):
        load_checkpoint(tmp_path / "a.pt")
