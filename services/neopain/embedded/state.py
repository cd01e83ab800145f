"""The folder in which the embedded servers keep their data, logs, locks and passwords, and nothing else."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from neopain.errors import ConfigurationError

MAX_LOG_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StateFolder:
    """Where one set of embedded servers lives; two sets on one machine need two folders."""

    root: Path

    def folder(self, name: str) -> Path:
        """Return a sub-folder that only this user may enter; it is made when it is missing.

        ``ConfigurationError`` when it cannot be made: choose another state folder.
        """
        path = self.root.resolve() / name
        try:
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o700)
        except OSError as error:
            raise ConfigurationError(
                f"state folder {path} cannot be made ({error.strerror}): choose a writable one"
            ) from error
        return path

    def log(self, name: str) -> Path:
        """Return the log file of a server; one that has grown past 16 MiB is set aside as ``.1``."""
        path = self.folder("logs") / f"{name}.log"
        if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path

    def lock(self, name: str) -> Path:
        """Return the lock file that a running server holds."""
        return self.folder("locks") / f"{name}.lock"

    def password(self, name: str) -> str:
        """Return the password of a server, made on first use and readable by this user only."""
        path = self.folder("secrets") / name
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text().strip()
        with os.fdopen(handle, "w") as file:
            file.write(password := secrets.token_urlsafe(24))
        return password
