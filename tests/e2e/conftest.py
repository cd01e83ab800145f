"""The commands as a user types them, in processes of their own."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from neopain import cli

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ROOT / "services"
Command = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="session")
def neopain() -> Command:
    """Starts ``neopain ARGUMENTS`` from the code in ``services``, its output captured; the caller waits for it."""

    def start(*arguments: str, services: Path = SERVICES) -> subprocess.Popen[str]:
        env = {**os.environ, "PYTHONPATH": str(services), "NEOPAIN_ROOT": str(ROOT)}
        argv = [sys.executable, "-m", "neopain", *arguments]
        return subprocess.Popen(argv, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    return start


@pytest.fixture(scope="session")
def stand_in_services(tmp_path_factory: pytest.TempPathFactory, stand_in_repository: Path) -> Path:
    """The code as it lies in a checkout whose nets are the stand-in, for runs where what they say does not matter."""
    checkout = tmp_path_factory.mktemp("checkout")
    (checkout / "triton_models").symlink_to(stand_in_repository)
    (checkout / SERVICES.name).symlink_to(SERVICES)
    return checkout / SERVICES.name


def in_this_process(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """One command to its end, as ``neopain ARGUMENTS`` but without the seconds that a new process takes to import."""
    out, told = io.StringIO(), io.StringIO()
    argv = [str(argument) for argument in arguments]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(told):
        try:
            code = cli.run(argv)
        except SystemExit as end:
            code = int(end.code or 0)
    return subprocess.CompletedProcess(argv, code, out.getvalue(), told.getvalue())


@pytest.fixture(scope="session")
def descendants() -> Callable[[int], dict[int, str]]:
    """The processes below one, by their id, with their command lines."""
    return _descendants


def _descendants(root: int) -> dict[int, str]:
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    found: dict[int, str] = {}
    waiting = [root]
    while waiting:
        above = waiting.pop()
        for pid, parent in parents.items():
            if parent == above and pid not in found:
                found[pid] = _command_line(pid)
                waiting.append(pid)
    return found


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
