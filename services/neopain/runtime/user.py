"""Who runs this process, for what is written down about it."""

from __future__ import annotations

import getpass
import os


def user() -> str:
    """The user's name, or its number where it has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"
