"""What the tests of the embedded servers share: process trees seen from outside, and one tiny model."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from neopain.embedded import guard
from neopain.embedded.process import Child, Command
from neopain.embedded.state import StateFolder

from ...ehr_packages import share_ehr_packages

TINY_CONFIG = """
name: "doubler"
backend: "python"
input [{ name: "X" data_type: TYPE_FP32 dims: [ 3 ] }]
output [{ name: "Y" data_type: TYPE_FP32 dims: [ 3 ] }]
instance_group [{ kind: KIND_CPU }]
"""
TINY_MODEL = """
import numpy
import triton_python_backend_utils as pb
import neopain.errors


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        x = numpy.from_dlpack(pb.get_input_tensor_by_name(request, "X"))
        return pb.InferenceResponse([pb.Tensor.from_dlpack("Y", x * numpy.float32(2))])
"""


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    """A state folder with a space in its path."""
    return StateFolder(tmp_path / "a state")


@pytest.fixture
def doubler(tmp_path: Path) -> Path:
    """A model repository with one model that doubles three numbers."""
    version = tmp_path / "a repository" / "doubler" / "1"
    version.mkdir(parents=True)
    (version.parent / "config.pbtxt").write_text(TINY_CONFIG)
    (version / "model.py").write_text(TINY_MODEL)
    return version.parents[1]


@pytest.fixture
def npm_packages(state_dir: Path, state: StateFolder) -> None:
    """Spares the test an installation of the EHR."""
    share_ehr_packages(state_dir, state)


@pytest.fixture
def python(state: StateFolder) -> Iterator[Callable[..., Child]]:
    """Starts a line of Python under a guard; it says "ready" in its log when it has come so far."""
    children = []

    def start(code: str, **options: float) -> Child:
        argv = (sys.executable, "-c", f"{code}\nprint('ready', flush=True)\nimport time; time.sleep(600)")
        child = Child(Command(f"python-{len(children)}", argv, **options), state)
        children.append(child)
        child.start()
        child.wait_until(lambda: "ready" in child.log_tail(), timeout_seconds=20)
        return child

    yield start
    for child in children:
        child.stop()


@pytest.fixture
def tree_of() -> Callable[[int], set[int]]:
    """Gives all living processes below one."""
    return lambda pid: set(guard.descendants(pid))


@pytest.fixture
def all_gone() -> Callable[[set[int]], bool]:
    """Tells whether every process of a set is gone within 10 s."""

    def gone(pids: set[int]) -> bool:
        deadline = time.monotonic() + 10
        while any(is_running(pid) for pid in pids):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    return gone


def is_running(pid: int) -> bool:
    return guard.parent_of(str(pid)) is not None


@pytest.fixture
def parent_process(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Runs a script in a Python of its own until it has printed a line; kills it at the end if it is still there."""
    parents = []

    def run(script: str) -> subprocess.Popen[str]:
        services = str(Path(guard.__file__).parents[2])
        parent = subprocess.Popen(
            [sys.executable, "-c", script],
            env={"PYTHONPATH": services, "PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE,
            text=True,
        )
        parents.append(parent)
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        return parent

    yield run
    for parent in parents:
        parent.kill()
        parent.wait()
        parent.stdout.close()
