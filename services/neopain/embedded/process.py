"""A child process under a guard: started, watched, stopped, killed for tests; it never outlives this process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from neopain.embedded.state import StateFolder
from neopain.errors import ConfigurationError

GUARD = Path(__file__).with_name("guard.py")
LOCK_WAIT_SECONDS = 15.0
GUARD_MARGIN_SECONDS = 10.0
LOG_TAIL_BYTES = 65536
SOUNDS_LIKE_AN_ERROR = re.compile(r"^E\d{4} |error|exception|fatal|panic", re.IGNORECASE)
"""Triton writes E and the date; the others say it in words."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run and how to end it.

    ``env`` is laid over the environment of this process. ``remove`` are file patterns that the guard deletes when the
    whole tree has ended (shared memory that a killed process leaves behind).
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = Path("/")
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 10.0
    remove: tuple[str, ...] = ()


def telling_lines(logged: list[str], *, last: int = 8, errors: int = 6, width: int = 300) -> list[str]:
    """Pick from a log what tells why a server ended: the last errors, then the last lines, cut to a width."""
    end = logged[-last:]
    before = [line for line in logged[:-last] if SOUNDS_LIKE_AN_ERROR.search(line)]
    return [line[:width] for line in (*before[-errors:], *end)]


class Child:
    """One running command and its guard; both end when this process ends, however it ends."""

    def __init__(self, command: Command, state: StateFolder) -> None:
        self.command = command
        self.log = state.log(command.name)
        self._lock = state.lock(command.name)
        self._guard: subprocess.Popen[bytes] | None = None
        self._pid: int | None = None
        self._log_start = 0

    @property
    def pid(self) -> int:
        """The process id of the command itself. ``ConfigurationError`` before it was started."""
        if self._pid is None:
            raise ConfigurationError(f"{self.command.name} was not started: call start() first")
        return self._pid

    @property
    def guard_pid(self) -> int:
        """The process id of its guard. ``ConfigurationError`` before it was started."""
        if self._guard is None:
            raise ConfigurationError(f"{self.command.name} was not started: call start() first")
        return self._guard.pid

    def start(self) -> None:
        """Start the command; it runs, but need not be ready, when this returns.

        ``ConfigurationError`` when it is running already, here or in another process with the same state folder.
        """
        if self.is_alive():
            raise ConfigurationError(f"{self.command.name} runs already (pid {self._pid}): stop it first")
        self._close()
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
        self._pid = self._give_order(self._guard)

    def _give_order(self, guard: subprocess.Popen[bytes]) -> int:
        order = {
            "argv": self.command.argv,
            "env": dict(self.command.env),
            "cwd": str(self.command.cwd),
            "stop_signal": int(self.command.stop_signal),
            "grace_seconds": self.command.grace_seconds,
            "lock": str(self._lock),
            "lock_wait_seconds": LOCK_WAIT_SECONDS,
            "remove": self.command.remove,
        }
        if guard.stdin is None or guard.stdout is None:
            raise ConfigurationError("a guard needs pipes on its standard input and output")
        guard.stdin.write(json.dumps(order).encode() + b"\n")
        guard.stdin.flush()
        answer = guard.stdout.readline()
        if not answer:
            raise ConfigurationError(self._failure(f"was not started (guard ended with {guard.wait()})"))
        return int(answer)

    def is_alive(self) -> bool:
        """Ask whether the command, or what it has left behind, still runs."""
        return self._guard is not None and self._guard.poll() is None

    def wait(self, timeout_seconds: float | None = None) -> int:
        """Wait for the end and return the exit code; 128 + n after signal n. ``TimeoutError`` when it goes on."""
        if self._guard is None:
            raise ConfigurationError(f"{self.command.name} was not started: call start() first")
        try:
            return self._guard.wait(timeout_seconds)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"{self.command.name} still runs after {timeout_seconds} s") from error

    def stop(self) -> None:
        """Ask it to end, and end it with all its descendants when its grace is over. Stopping twice is harmless."""
        guard = self._guard
        if guard is None:
            return
        if guard.poll() is None:
            guard.terminate()
        self.wait(self.command.grace_seconds + GUARD_MARGIN_SECONDS)
        if guard.returncode < 0:
            self._kill_group()
        self._close()

    def kill(self) -> None:
        """Kill the command itself with SIGKILL, as a fault does, and wait until its tree is gone."""
        os.kill(self.pid, signal.SIGKILL)
        self.wait(self.command.grace_seconds + GUARD_MARGIN_SECONDS)

    def restart(self) -> None:
        """Stop it if it runs and start it again with the same command."""
        self.stop()
        self.start()

    def wait_until(self, ready: Callable[[], bool], *, timeout_seconds: float) -> None:
        """Wait until ``ready()`` holds.

        ``ConfigurationError`` with the last lines of the log when the command ends before, or the time is over.
        """
        deadline = time.monotonic() + timeout_seconds
        while not ready():
            if not self.is_alive():
                raise ConfigurationError(self._failure(f"ended with code {self.wait()} before it was ready"))
            if time.monotonic() > deadline:
                raise ConfigurationError(self._failure(f"was not ready within {timeout_seconds:g} s"))
            time.sleep(0.02)

    def log_tail(self, lines: int = 12) -> str:
        """Return the last lines that it has logged since its last start."""
        return "\n".join(self._logged()[-lines:])

    def _logged(self) -> list[str]:
        with self.log.open("rb") as log:
            log.seek(max(self._log_start, self.log.stat().st_size - LOG_TAIL_BYTES))
            return log.read().decode(errors="replace").splitlines()

    def _failure(self, what: str) -> str:
        told = "\n".join(telling_lines(self._logged()))
        return f"{self.command.name} {what}; from the end of {self.log}:\n{told}"

    def _kill_group(self) -> None:
        """After a killed guard: the kernel has ended the command, its children may be left in its process group."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def _close(self) -> None:
        if self._guard is None:
            return
        for pipe in (self._guard.stdin, self._guard.stdout):
            if pipe is not None:
                pipe.close()
        self._guard = None
