from __future__ import annotations

import sys
from pathlib import Path

import pytest

from neopain.embedded import libpython
from neopain.errors import ConfigurationError


@pytest.fixture
def python_3_12(monkeypatch: pytest.MonkeyPatch) -> None:
    version = type("VersionInfo", (tuple,), {"major": 3, "minor": 12})((3, 12, 1))
    monkeypatch.setattr(libpython.sys, "version_info", version)


def test_a_library_that_is_nowhere_is_told_with_the_command_that_installs_it(
    python_3_12, monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr(libpython, "candidate_folders", lambda fallback: [tmp_path])

    with pytest.raises(ConfigurationError, match=r"needs libpython3\.12\.so\.1\.0: `apt-get install libpython3\.12`"):
        libpython.find_libpython(tmp_path)


def test_a_package_unpacked_without_root_is_found(python_3_12, monkeypatch, tmp_path: Path) -> None:
    folder = tmp_path / "usr/lib/x86_64-linux-gnu"
    folder.mkdir(parents=True)
    (folder / "libpython3.12.so.1.0").touch()
    monkeypatch.setattr(libpython.sysconfig, "get_config_var", lambda _: None)
    monkeypatch.setattr(libpython.sys, "base_prefix", str(tmp_path))

    assert libpython.find_libpython(tmp_path) == folder / "libpython3.12.so.1.0"


@pytest.mark.skipif(sys.version_info < (3, 13), reason="the stub of this Python needs the machine's library")
def test_python_3_13_needs_no_library_of_the_machine(tmp_path: Path) -> None:
    assert libpython.find_libpython(tmp_path) is None
