"""``neopain simulate cohort``: a data set of simulated infants on disk, with a progress bar."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from neopain.errors import ConfigurationError
from neopain.simulator.cohort import MANIFEST_FILE, write_cohort


@dataclass(frozen=True, slots=True)
class CohortOptions:
    """What ``simulate cohort`` was asked for."""

    folder: Path
    seed: int
    infants: int
    workers: int | None = None


def run_simulate_cohort(options: CohortOptions) -> int:
    """Writes the cohort and prints its manifest's path; ``ConfigurationError`` when none can lie there."""
    manifest = options.folder / MANIFEST_FILE
    if manifest.exists():
        raise ConfigurationError(f"{manifest} is there already: name an empty folder, or remove it")
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{options.folder} cannot be the folder of a cohort ({error.strerror})") from error
    workers = options.workers or len(os.sched_getaffinity(0))
    columns = (TextColumn("simulating infants"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr)) as progress:
        task = progress.add_task("", total=options.infants)
        write_cohort(
            options.folder,
            seed=options.seed,
            infants=options.infants,
            workers=workers,
            told=lambda done: progress.update(task, completed=done),
        )
    print(manifest)
    return 0
