"""The packages of the demo EHR, installed once for a whole run of tests, also where it has several processes."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from neopain.embedded.ehr import install
from neopain.embedded.state import StateFolder


def installed_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where they are; whoever comes first installs them and the others wait."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if base.name.startswith("popen-") else base) / "ehr-packages"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        install(folder)
    return folder


def share_ehr_packages(packages: Path, own: StateFolder) -> None:
    """Lets an EHR use them as if it had installed them itself."""
    folder = own.folder("ehr")
    (folder / "node_modules").symlink_to(packages / "node_modules")
    (folder / "installed").write_text((packages / "installed").read_text())
