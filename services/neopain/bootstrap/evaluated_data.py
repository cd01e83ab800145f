"""What ``neopain evaluate`` judges a model on: a cohort made for it, or a data set of one's own."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neopain.errors import ConfigurationError
from neopain.simulator.cohort import DATASET_FILE, MANIFEST_FILE, VERSION, sources_digest, write_cohort

if TYPE_CHECKING:
    from neopain.training.leg import Told
    from neopain.training.windows import PreparedWindows


@dataclass(frozen=True, slots=True)
class EvaluatedData:
    """A data set's folder; ``text`` says in words what it is."""

    folder: Path
    text: str
    is_simulated: bool
    name: str
    """Short, for a folder's name."""
    simulated_seed: int | None = None

    @property
    def simulation(self) -> dict[str, object]:
        """What a model made from it is to remember; nothing of real infants."""
        return {} if self.simulated_seed is None else {"simulator": VERSION, "seed": self.simulated_seed}

    def windows(self, cache: Path, told: Told) -> PreparedWindows:
        """Its windows, prepared. ``ConfigurationError`` when a file of it cannot be used."""
        from neopain.training.windows import prepare

        begun: list[int] = []

        def progress(done: int, count: int) -> None:
            if not begun:
                begun.append(done)
                told.begin("windows prepared", count, done)
            told.advance(done, "")

        return prepare(self.folder, cache, workers=len(os.sched_getaffinity(0)), progress=progress)


def cohort(folder: Path, *, seed: int, infants: int, told: Told) -> EvaluatedData:
    """The simulated cohort of that seed below ``folder``, made now unless it is there."""
    digest = sources_digest()[:8]
    name = f"cohort-s{seed}-n{infants}"
    place = folder / f"{name}-{digest}"
    if not (place / MANIFEST_FILE).exists():
        told.begin("infants simulated", infants, 0)
        workers = min(len(os.sched_getaffinity(0)), infants)
        write_cohort(place, seed=seed, infants=infants, workers=workers, told=lambda done: told.advance(done, ""))
    text = f"Cohort of {infants} simulated infants, seed {seed} (simulator {VERSION}, sources {digest})"
    return EvaluatedData(place, text, is_simulated=True, name=name, simulated_seed=seed)


def own_data(folder: Path) -> EvaluatedData:
    """A data set that is there; a simulated one is known by its ``dataset.json``.

    ``ConfigurationError`` when the folder holds none.
    """
    if not (folder / MANIFEST_FILE).is_file():
        raise ConfigurationError(f"{folder} holds no {MANIFEST_FILE}: name the folder of a data set (docs/data.md)")
    notes = _notes(folder / DATASET_FILE)
    name = folder.resolve().name
    if "simulator" not in notes:
        return EvaluatedData(folder, f"Data set '{name}'", is_simulated=False, name=name)
    seed = notes.get("seed")
    return EvaluatedData(
        folder,
        f"Data set '{name}' of simulated infants, seed {seed} (simulator {notes['simulator']})",
        is_simulated=True,
        name=name,
        simulated_seed=seed if isinstance(seed, int) else None,
    )


def _notes(path: Path) -> dict[str, object]:
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"{path} cannot be read as JSON ({error}): mend it, or delete it") from error
