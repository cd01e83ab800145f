"""``neopain train``: data sets to a checkpoint, in one leg or in many, with a progress bar."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from neopain import __version__
from neopain.bootstrap.places import root_folder
from neopain.errors import ConfigurationError

PLAIN_SECONDS = 20.0
"""How often a log without a terminal gets a line."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """What ``train`` was asked for."""

    data: tuple[Path, ...]
    heads_data: tuple[Path, ...]
    out: Path
    config: Path | None
    start: Path | None
    seed: int
    device: str
    minutes: float | None


def run_train(options: TrainOptions) -> int:
    """Trains and prints the checkpoint's path, or that there is more to do; both are 0.

    ``ConfigurationError`` when the training extra is missing, or something given cannot be used.
    """
    if find_spec("torch") is None:
        raise ConfigurationError("training needs torch: run './neopain install training'")
    from neopain.training.config_file import read_config

    config = read_config(options.config)
    # Before torch is loaded: threads that wait for each other by spinning make a machine that does other things as well
    # tens of times slower (measured: 3.5 s instead of 0.06 s for a small batch).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from neopain.training.leg import Leg
    from neopain.training.run import Asked, train

    leg = Leg.of_minutes(options.minutes)
    asked = Asked(
        data=options.data,
        heads_data=options.heads_data,
        config=config,
        out=options.out,
        seed=options.seed,
        start=options.start,
        device=options.device,
        workers=len(os.sched_getaffinity(0)),
        code=code_version(),
    )
    with Teller() as told, leg.ending_on_signals():
        checkpoint = train(asked, leg, told)
    print(f"unfinished: run the same command again, {options.out} goes on" if checkpoint is None else checkpoint)
    return 0


def code_version() -> str:
    """The version, and the commit where this is a checkout."""
    command = ["git", "-C", str(root_folder()), "rev-parse", "--short=12", "HEAD"]
    try:
        commit = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return __version__
    return f"{__version__}+{commit}"


@dataclass(slots=True)
class Teller:
    """A bar with the time left on a terminal; a line now and then in a log."""

    _console: Console = field(default_factory=lambda: Console(file=sys.stderr))
    _bar: Progress | None = None
    _task: TaskID | None = None
    _what: str = ""
    _total: float = 0.0
    _told: float = 0.0

    def __enter__(self) -> Teller:
        if self._console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
            )
            self._bar = Progress(*columns, console=self._console)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, what: str, total: float, done: float) -> None:
        """A new bar, or a first line."""
        self._what, self._total, self._told = what, total, time.monotonic()
        if self._bar is None:
            self.say(f"{what}: {done:.0f} of {total:.0f}")
            return
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(what, total=total, completed=done, note="")  # type: ignore[arg-type]

    def advance(self, done: float, note: str) -> None:
        """The bar grows; a log hears of it when some time has passed."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, note=note)
        elif time.monotonic() - self._told > PLAIN_SECONDS:
            self._told = time.monotonic()
            self.say(f"{self._what}: {done:.0f} of {self._total:.0f}" + (f", {note}" if note else ""))

    def say(self, text: str) -> None:
        """One line."""
        self._console.print(f"neopain: {text}", highlight=False, soft_wrap=True)
