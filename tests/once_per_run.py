"""What is dear to make and not changed is made once for a whole run of tests, also where it has several processes."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path


def once_per_run(base: Path, name: str, make: Callable[[Path], object]) -> Path:
    """The folder of the name, made by whoever comes first; the others wait. ``base`` is the process's own folder."""
    of_run = base.parent if base.name.startswith("popen-") else base
    folder, made = of_run / name, of_run / f"{name}.made"
    with (of_run / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)  # what came of it when it failed
            make(folder)
            made.touch()
    return folder
