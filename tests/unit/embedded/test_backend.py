"""The folder of Triton's Python backend, laid out from a wheel as pip and as uv leave it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from neopain.embedded import triton


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel's folder with the files of the backend and a stub for this Python."""
    folder = tmp_path / "wheel"
    backend = folder / "backends" / "python"
    stub = folder / "python_backend_stubs" / f"{sys.version_info.major}.{sys.version_info.minor}"
    for path in (backend, stub):
        path.mkdir(parents=True)
    (backend / "libtriton_python.so").write_bytes(b"library")
    (stub / "triton_python_backend_stub").write_bytes(b"stub")
    monkeypatch.setattr(triton, "wheel_folder", lambda: folder)
    return folder


def test_the_backend_gets_the_library_and_the_stub_of_this_python(wheel: Path, tmp_path: Path) -> None:
    laid = triton.lay_out_backend(tmp_path / "home") / "python"
    assert (laid / "libtriton_python.so").read_bytes() == b"library"
    assert (laid / "triton_python_backend_stub").read_bytes() == b"stub"


def test_bytecode_that_pip_left_in_the_wheel_is_not_copied(wheel: Path, tmp_path: Path) -> None:
    (wheel / "backends" / "python" / "__pycache__").mkdir()
    laid = triton.lay_out_backend(tmp_path / "home") / "python"
    assert not (laid / "__pycache__").exists()
