"""Prints a lock without some packages: ``leave_out.py requirements.lock NAME...``; exit 1 when one is not in it.

``leave_out.py requirements.lock --only NAME...`` prints it with these alone. Needs nothing but Python, since it runs
before anything is installed.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path


def entries(lock: str) -> list[tuple[str, str]]:
    """The lock's entries in order: the package's name and the lines about it, hashes included."""
    found: list[tuple[str, str]] = []
    for line in lock.splitlines(keepends=True):
        named = re.match(r"([A-Za-z0-9][\w.-]*)==", line)
        if named:
            found.append((named[1], line))
        elif found:
            name, text = found[-1]
            found[-1] = (name, text + line)
    return found


def without(lock: str, names: set[str]) -> str:
    """The lock without the packages; ``LookupError`` names those that it does not hold."""
    return "".join(text for name, text in _holding(lock, names) if name not in names)


def only(lock: str, names: set[str]) -> str:
    """The packages of the lock alone; ``LookupError`` names those that it does not hold."""
    return "".join(text for name, text in _holding(lock, names) if name in names)


def _holding(lock: str, names: set[str]) -> list[tuple[str, str]]:
    listed = entries(lock)
    missing = sorted(names - {name for name, _ in listed})
    if missing:
        raise LookupError(f"not in the lock: {', '.join(missing)}")
    return listed


if __name__ == "__main__":
    path, *arguments = sys.argv[1:]
    kept = only if arguments[:1] == ["--only"] else without
    try:
        sys.stdout.write(kept(Path(path).read_text(), set(arguments) - {"--only"}))
    except LookupError as error:
        sys.exit(f"leave_out: {error}")
