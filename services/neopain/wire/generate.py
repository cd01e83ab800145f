"""Writes ``wire/v1`` from ``protos/``: ``python -m neopain.wire.generate [OUT]``; needs the test extra."""

from __future__ import annotations

import sys
from pathlib import Path

from neopain.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[3]
PLUGINS = ("mypy", "mypy_grpc")


def generate(out: Path) -> None:
    """Generates the Python code and its stubs below ``out``; ``ConfigurationError`` when protoc fails."""
    from grpc_tools import protoc  # noqa: PLC0415 - a development tool, absent in production

    protos = ROOT / "protos"
    files = sorted(str(path.relative_to(protos)) for path in (protos / "neopain/wire/v1").glob("*.proto"))
    # The stub generators lie beside this Python, which need not be on PATH.
    plugins = [f"--plugin=protoc-gen-{name}={Path(sys.executable).parent}/protoc-gen-{name}" for name in PLUGINS]
    arguments = ["protoc", f"-I{protos}", *plugins]
    if protoc.main([*arguments, f"--python_out={out}", f"--mypy_out={out}", *files]) != 0:
        raise ConfigurationError("protoc failed on protos/neopain/wire/v1: see its message above")
    services = ["neopain/wire/v1/device.proto"]
    if protoc.main([*arguments, f"--grpc_python_out={out}", f"--mypy_grpc_out={out}", *services]) != 0:
        raise ConfigurationError("protoc failed on the services of protos/neopain/wire/v1: see its message above")


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "services")
