"""Where the files of a run lie: in memory where it has room, since databases and logs are written and synced all the
time. What a process has written outlives its kill there as on a disk; no test ends the machine."""

from __future__ import annotations

import os
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 -- for a folder that pytest makes for this user alone
ROOM_BYTES = 8 << 30
"""A whole run writes less than 3 GB."""
LEFT_BYTES = 6 << 30
"""What the processes of a whole run need beside it."""
ROOT = "PYTEST_DEBUG_TEMPROOT"
"""Where pytest makes its folders, if it is told; https://docs.pytest.org/en/stable/reference/reference.html."""


def keep_files_in_memory(memory: Path = MEMORY, meminfo: Path = Path("/proc/meminfo")) -> None:
    """Tells pytest so, unless somebody else has told it where, or there is no room, or no program may run there."""
    if has_room(memory, meminfo):
        os.environ.setdefault(ROOT, str(memory))


def has_room(memory: Path, meminfo: Path) -> bool:
    """Whether it takes the files of a run, programs among them, and leaves enough for the processes."""
    try:
        found = os.statvfs(memory)
        lines = meminfo.read_text().splitlines()
    except OSError:
        return False
    free = {line.split(":")[0]: int(line.split()[1]) << 10 for line in lines}
    may_run = not found.f_flag & os.ST_NOEXEC
    return may_run and found.f_bavail * found.f_frsize >= ROOM_BYTES and free["MemAvailable"] >= ROOM_BYTES + LEFT_BYTES
