"""What the embedded servers have in common: prepare, start, be ready, stop."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Self

from neopain.embedded.process import Child, Command
from neopain.embedded.state import StateFolder
from neopain.errors import ConfigurationError


class Server(ABC):
    """One embedded server; usable as a context manager. Its address stays the same over restarts."""

    ready_seconds = 20.0

    def __init__(self, name: str, state: StateFolder) -> None:
        self.name = name
        self.state = state
        self.start_seconds = 0.0
        self._child: Child | None = None

    @abstractmethod
    def prepare(self) -> Command:
        """Lay out files and return the command to run; a second call on the same state changes nothing."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Ask the server itself whether it serves."""

    @property
    def child(self) -> Child:
        """The running process. ``ConfigurationError`` before the first start."""
        if self._child is None:
            raise ConfigurationError(f"{self.name} was not started: call start() first")
        return self._child

    def start(self) -> None:
        """Start it and wait until it serves.

        ``ConfigurationError`` with the last log lines when it does not, and when it runs already.
        """
        if self._child is not None and self._child.is_alive():
            raise ConfigurationError(f"{self.name} runs already (pid {self._child.pid}): stop it first")
        begun = time.monotonic()
        self._child = Child(self.prepare(), self.state)
        try:
            self._child.start()
            self._child.wait_until(self.is_ready, timeout_seconds=self.ready_seconds)
            self.after_start()
        except BaseException:
            self._child.stop()
            raise
        self.start_seconds = time.monotonic() - begun

    def after_start(self) -> None:
        """Do what needs the running server; nothing by default."""
        return

    def stop(self) -> None:
        """Stop it; harmless when it does not run."""
        if self._child is not None:
            self._child.stop()

    def kill(self) -> None:
        """Kill it with SIGKILL, as a fault does."""
        self.child.kill()

    def restart(self) -> None:
        """Stop it if it runs, and start it again on the same data and address."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
