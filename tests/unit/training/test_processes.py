"""Work in several processes: their errors come back, and they do not outlive the one that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from neopain.errors import ConfigurationError
from neopain.training.processes import in_processes

SCRIPT = """
import os, sys, time
from pathlib import Path
from neopain.training.processes import in_processes

def work(name):
    Path(name).write_text(str(os.getpid()))
    time.sleep(120)

if __name__ == "__main__":
    list(in_processes(work, sys.argv[1:], workers=2))
"""


def test_results_come_from_all_of_the_work() -> None:
    assert sorted(in_processes(abs, [-1, -2, 3], workers=2)) == [1, 2, 3]


def test_an_error_of_the_work_is_raised_here() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        list(in_processes(int, ["1", "x"], workers=2))


def test_a_killed_process_is_told() -> None:
    with pytest.raises(ConfigurationError, match="a working process was killed"):
        list(in_processes(os._exit, [1], workers=1))


def test_the_processes_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    marks = [tmp_path / "one", tmp_path / "two"]
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py"), *map(str, marks)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.DEVNULL,
    )
    _wait_until(lambda: all(mark.exists() and mark.read_text() for mark in marks))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    workers = [int(mark.read_text()) for mark in marks]
    _wait_until(lambda: not any(_is_running(worker) for worker in workers))


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _wait_until(holds: Callable[[], bool], *, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
