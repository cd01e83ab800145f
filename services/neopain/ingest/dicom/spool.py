"""The spool: the one place where received media touch a disk. An object lies in it until it is scored, and no longer.

``incoming/`` holds what was never answered, ``waiting/`` what was, ``aside/`` what a person has to look at. An object
moves by being renamed, after it and its folder are on disk; so a power cut loses nothing that was answered.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, unquote

from neopain.errors import ConfigurationError
from neopain.ingest.dicom.turn import Turn

INCOMING, WAITING, ASIDE = "incoming", "waiting", "aside"
_TIME = "%Y%m%dT%H%M%S%f"


@dataclass(frozen=True, slots=True)
class Spooled:
    """An object that was answered: when it was complete, who sent it, and how often its scoring was begun and neither
    ended nor given back: by a process that was killed, perhaps by this very object."""

    folder: Path
    received: datetime
    caller: str
    key: str
    attempts: int = 0

    @property
    def path(self) -> Path:
        """Its file. The name carries everything, so that it is all in one step or not at all."""
        name = f"{self.received:{_TIME}}.{self.attempts}.{self.key}.{quote(self.caller, safe='').replace('.', '%2E')}"
        return self.folder / f"{name}.dcm"


class Spool:
    """One folder, for one process, as long as the context lasts. ``ConfigurationError`` when it cannot be had."""

    def __init__(self, root: Path, *, reserve_bytes: int) -> None:
        self.root = root.resolve()
        self.reserve_bytes = reserve_bytes
        self.turn = Turn()
        """Of reading an object of it, whole as it is, into memory."""
        try:
            for name in (INCOMING, WAITING, ASIDE):
                (self.root / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            self.root.chmod(0o700)
            self._lock = (self.root / "lock").open("w")
        except OSError as error:
            raise ConfigurationError(
                f"the DICOM spool {self.root} cannot be made ({error.strerror}): set NEOPAIN_INGEST_DICOM_SPOOL"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise ConfigurationError(f"the DICOM spool {self.root} is in use by another process") from error
        self.sweep(set(), older_than_seconds=0.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def incoming(self) -> Path:
        """Where an object grows until it is complete."""
        return self.root / INCOMING

    def close(self) -> None:
        """Lets another process have the folder."""
        self._lock.close()

    def has_room(self) -> bool:
        """Whether the disk has more than the reserve left."""
        return shutil.disk_usage(self.root).free > self.reserve_bytes

    def keep(self, path: Path, *, caller: str, received: datetime) -> Spooled:
        """Takes a complete object over from ``incoming``; it is on disk when this returns. ``OSError`` when not."""
        kept = Spooled(self.root / WAITING, received, caller, uuid.uuid4().hex)
        _sync(path)
        path.rename(kept.path)
        _sync(kept.folder)
        return kept

    def waiting(self) -> list[Spooled]:
        """What was answered and is not scored yet, oldest first."""
        return self._listed(WAITING)

    def aside(self) -> list[Spooled]:
        """What could not be scored."""
        return self._listed(ASIDE)

    def begin(self, spooled: Spooled) -> Spooled:
        """Counts one more attempt."""
        return self._moved(spooled, replace(spooled, attempts=spooled.attempts + 1))

    def give_back(self, spooled: Spooled) -> Spooled:
        """The attempt ended in good order, without scores: it does not count."""
        return self._moved(spooled, replace(spooled, attempts=0))

    def put_aside(self, spooled: Spooled) -> Spooled:
        """Leaves the object to a person."""
        return self._moved(spooled, replace(spooled, folder=self.root / ASIDE))

    def remove(self, spooled: Spooled) -> None:
        """The object is done with."""
        spooled.path.unlink(missing_ok=True)

    def sweep(self, used: set[Path], *, older_than_seconds: float) -> int:
        """Removes from ``incoming`` what nobody writes any more and was never answered; returns how many went."""
        removed = 0
        limit = time.time() - older_than_seconds
        for path in self.incoming.iterdir():
            try:
                if path not in used and path.stat().st_mtime <= limit:
                    path.unlink()
                    removed += 1
            except FileNotFoundError:
                continue
        return removed

    def _listed(self, name: str) -> list[Spooled]:
        folder = self.root / name
        return [_read_name(path) for path in sorted(folder.glob("*.*.*.*.dcm"))]

    def _moved(self, old: Spooled, new: Spooled) -> Spooled:
        old.path.rename(new.path)
        _sync(new.folder)
        return new


def _read_name(path: Path) -> Spooled:
    received, attempts, key, caller, _ = path.name.split(".")
    moment = datetime.strptime(received, _TIME).replace(tzinfo=UTC)
    return Spooled(path.parent, moment, unquote(caller), key, int(attempts))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
