"""The exported nets that Triton loads: there, or made now. The making needs torch, the having does not."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from neopain.bootstrap.places import root_folder
from neopain.errors import ConfigurationError
from neopain.models.repository import cached_repository, committed_repository, is_exported, version_name


def ensure_weights(var: Path) -> Path:
    """Returns the folder of a complete Triton model repository: ``triton_models/`` where trained nets lie in it.

    Else it is one of untrained nets below ``var``, exported first where needed.

    ``ConfigurationError`` when torch cannot be installed or the export fails.
    """
    committed = committed_repository()
    if committed is not None:
        return committed
    if not is_exported(var / "models" / version_name(seed=0)):
        _tell("the nets are exported once (seeded, untrained weights); this takes a minute or two")
        _ensure_torch()
    return cached_repository(var)


def _ensure_torch() -> None:
    if find_spec("torch") and find_spec("nncf"):
        return
    _tell("installing torch for the export")
    done = subprocess.run([str(root_folder() / "neopain"), "install", "training"], stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise ConfigurationError("torch could not be installed: run './neopain install training' and read its message")


def _tell(text: str) -> None:
    print(f"neopain: {text}", file=sys.stderr, flush=True)
