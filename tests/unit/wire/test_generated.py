"""The generated code in the tree is what ``protos/`` says now."""

from __future__ import annotations

from pathlib import Path

from neopain.wire.generate import ROOT, generate


def test_the_generated_code_is_current(tmp_path: Path) -> None:
    generate(tmp_path)
    fresh = {path.name: path.read_text() for path in (tmp_path / "neopain/wire/v1").glob("*_pb2*.py*")}
    committed = {path.name: path.read_text() for path in (ROOT / "services/neopain/wire/v1").glob("*_pb2*.py*")}
    assert fresh == committed, "run: python -m neopain.wire.generate"
