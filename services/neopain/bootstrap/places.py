"""Where things lie: the checkout, and the folders of the commands in it."""

from __future__ import annotations

import os
from pathlib import Path


def root_folder() -> Path:
    """The checkout: what the launcher says, else what this file's place says."""
    given = os.environ.get("NEOPAIN_ROOT")
    return Path(given) if given else Path(__file__).resolve().parents[3]


def state_folder(given: Path | None, name: str) -> Path:
    """The folder for data and logs of a command: the given one, else ``var/<name>`` in the checkout."""
    return given.resolve() if given else root_folder() / "var" / name
