"""A file of records, one JSON object a line (NDJSON): only added to, on the disk before it counts, each record once.

Processes that share it take turns by a lock of the file. A line without its end was cut off by a crash before anybody
was told of it: it is passed over, and taken away by the next record.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from neopain.errors import MalformedMessage

Record = dict[str, Any]
_STEP = 1 << 16


@dataclass(frozen=True, slots=True)
class RecordFile:
    """One file, which need not be there yet. All raise ``OSError`` where the disk does not do it."""

    path: Path

    def find(self, word: str) -> list[Record]:
        """The records with this word in them, oldest first; ``MalformedMessage`` for such a line that is none."""
        try:
            with self.path.open("rb") as file:
                return list(_records(file, word.encode()))
        except FileNotFoundError:
            return []

    def add(self, record: Record, *, unless: Callable[[], bool]) -> None:
        """Adds a record and returns when it is on the disk; nothing where ``unless`` says, under the lock, that it is
        there."""
        is_new = not self.path.exists()
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked() as handle:
            if unless():
                return
            os.ftruncate(handle, _end_of_lines(handle))
            _write_all(handle, json.dumps(record, separators=(",", ":")).encode() + b"\n")
            os.fsync(handle)
        if is_new:
            _sync_folder(self.path.parent)
            _sync_folder(self.path.parent.parent)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)


def _records(file: BinaryIO, word: bytes) -> Iterator[Record]:
    for number, line in enumerate(file, start=1):
        if word not in line or not line.endswith(b"\n"):
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise MalformedMessage(f"{file.name} line {number}", "a record is a JSON object") from error
        yield record


def _end_of_lines(handle: int) -> int:
    """Where the last whole line ends."""
    end = os.fstat(handle).st_size
    while end > 0:
        begin = max(end - _STEP, 0)
        found = os.pread(handle, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0


def _write_all(handle: int, line: bytes) -> None:
    view = memoryview(line)
    while view:
        view = view[os.write(handle, view) :]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
