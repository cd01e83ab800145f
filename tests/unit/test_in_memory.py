"""The files of a run of tests lie in memory where that has room, and on the disk otherwise."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from ..in_memory import ROOT, keep_files_in_memory

GIB = 1 << 30
Machine = Callable[..., None]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Asks on a machine with so much in its memory, of which programs may be started or not."""

    def ask(*, room_gib: float = 12, available_gib: float = 20, flags: int = 0, memory: Path = tmp_path) -> None:
        found = SimpleNamespace(f_flag=flags, f_bavail=int(room_gib * GIB / 4096), f_frsize=4096)
        if memory.exists():
            monkeypatch.setattr(os, "statvfs", lambda _: found)
        meminfo = tmp_path / "meminfo"
        meminfo.write_text(f"MemTotal: 99 kB\nMemAvailable: {int(available_gib * GIB) >> 10} kB\nHugePages_Total: 0\n")
        keep_files_in_memory(memory, meminfo)

    monkeypatch.setenv(ROOT, "")  # so that it is put back, too, where nobody had told
    monkeypatch.delenv(ROOT)
    return ask


def told() -> str | None:
    """Where pytest is to make its folders."""
    return os.environ.get(ROOT)


def test_files_lie_in_memory_that_has_room(machine: Machine, tmp_path: Path) -> None:
    machine()
    assert told() == str(tmp_path)


@pytest.mark.parametrize(
    "lacking",
    [{"room_gib": 7}, {"available_gib": 13}, {"flags": os.ST_NOEXEC}, {"memory": Path("/not/there")}],
    ids=["room", "memory for the processes", "leave to start programs", "the folder"],
)
def test_they_lie_on_the_disk_where_something_lacks(machine: Machine, lacking: dict[str, object]) -> None:
    machine(**lacking)
    assert told() is None


def test_what_somebody_has_told_stays(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ROOT, "/elsewhere")
    machine()
    assert told() == "/elsewhere"
