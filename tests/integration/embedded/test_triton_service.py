"""``neopain triton serve``, with one of the served nets."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from neopain.embedded.loopback import free_port
from neopain.embedded.process import Child, Command
from neopain.embedded.state import StateFolder

ROOT = Path(__file__).parents[3]


def serving(root: Path, state: StateFolder, **more: str) -> Child:
    """A Triton with the smallest net, in a process of its own."""
    shutil.copytree(ROOT / "triton_models/vitals_encoder", root / "models/vitals_encoder")
    ports = {f"NEOPAIN_TRITON_{door}_PORT": str(free_port()) for door in ("GRPC", "HTTP", "METRICS")}
    env = {
        "PYTHONPATH": str(ROOT / "services"),
        "NEOPAIN_TRITON_MODEL_REPOSITORY": str(root / "models"),
        "NEOPAIN_TRITON_FOLDER": str(root / "run"),
        **ports,
        **more,
    }
    child = Child(Command("triton", (sys.executable, "-m", "neopain", "triton", "serve"), env=env), state)
    child.start()
    return child


def test_a_device_that_is_not_served_ends_it_with_the_reason(tmp_path: Path, state: StateFolder) -> None:
    child = serving(tmp_path, state, NEOPAIN_TRITON_DEVICE="cuda")
    try:
        assert child.wait(60) != 0
        assert "DEVICE is 'cuda': this release serves on cpu only" in child.log.read_text()
    finally:
        child.stop()


def test_without_a_repository_it_says_which_setting_is_missing(tmp_path: Path) -> None:
    env = {"PYTHONPATH": str(ROOT / "services"), "NEOPAIN_TRITON_FOLDER": str(tmp_path)}
    command = [sys.executable, "-m", "neopain", "triton", "serve"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=env)
    assert done.returncode == 2
    assert "NEOPAIN_TRITON_MODEL_REPOSITORY: Field required" in done.stderr
