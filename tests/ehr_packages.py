"""The packages of the demo EHR, installed once for a whole run of tests."""

from __future__ import annotations

from pathlib import Path

from neopain.embedded.ehr import install
from neopain.embedded.state import StateFolder

from .once_per_run import once_per_run


def share_ehr_packages(state_dir: Path, own: StateFolder) -> None:
    """Uses this run's: to install them takes 4 s of a core. ``state_dir`` is the state folder that the run shares."""
    packages = ehr_packages(state_dir)
    folder = own.folder("ehr")
    (folder / "node_modules").symlink_to(packages / "node_modules")
    (folder / "installed").write_text((packages / "installed").read_text())


def ehr_packages(state_dir: Path) -> Path:
    """The folder with this run's."""
    return once_per_run(state_dir.parent, "ehr-packages", _make)


def _make(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    install(folder)
