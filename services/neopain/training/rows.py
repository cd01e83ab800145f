"""Arrays with a row for each window, computed once and kept on disk; what a kill interrupts goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neopain.errors import ConfigurationError
from neopain.training.leg import Leg, LegOver, Told

Array = npt.NDArray[Any]
Shapes = Mapping[str, tuple[tuple[int, ...], type[np.generic]]]
"""Name to the shape of one row and its type."""
Rows = dict[str, Array]
Compute = Callable[[range], Rows]
"""Numbers of successive rows to these rows of each array."""

PROGRESS = "progress.json"


class KeptRows:
    """A folder of arrays. ``key`` says what they are computed from: with another one, all is done again."""

    def __init__(self, folder: Path, shapes: Shapes, count: int, *, key: str) -> None:
        self._folder, self._shapes, self._count, self._key = folder, shapes, count, key

    def fill(self, compute: Compute, *, at_once: int, leg: Leg, told: Told) -> Rows:
        """The arrays as memory maps; what is missing is computed, so many rows at once.

        ``LegOver`` when the leg ends first; ``ConfigurationError`` when the folder cannot be written.
        """
        try:
            return self._filled(compute, at_once, leg, told)
        except OSError as error:
            raise ConfigurationError(
                f"{self._folder} cannot be written ({error.strerror}): free the place and run the command again"
            ) from error

    def _filled(self, compute: Compute, at_once: int, leg: Leg, told: Told) -> Rows:
        done = self._done()
        arrays = {name: self._mapped(name) for name in self._shapes}
        if done < self._count:
            told.begin(self._folder.name, float(self._count), float(done))
        while done < self._count:
            if leg.is_over:
                raise LegOver
            some = range(done, min(done + at_once, self._count))
            for name, rows in compute(some).items():
                arrays[name][some.start : some.stop] = rows
            done = some.stop
            self._note(done)
            told.advance(float(done), "")
        return arrays

    def _done(self) -> int:
        """How many rows are there that were computed from the same; the folder is emptied when they were not."""
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            progress = json.loads((self._folder / PROGRESS).read_text())
        except (OSError, ValueError):
            progress = {}
        if progress.get("key") == self._key and progress.get("count") == self._count:
            return int(progress["done"])
        for path in self._folder.glob("*.npy"):
            path.unlink()
        return 0

    def _mapped(self, name: str) -> Array:
        path, (shape, dtype) = self._folder / f"{name}.npy", self._shapes[name]
        if path.exists():
            return np.lib.format.open_memmap(path, mode="r+")
        return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(self._count, *shape))

    def _note(self, done: int) -> None:
        """After the rows themselves: a memory map outlives its process."""
        part = self._folder / f".{PROGRESS}.part"
        part.write_text(json.dumps({"key": self._key, "count": self._count, "done": done}))
        part.replace(self._folder / PROGRESS)


def rows_in_memory(shapes: Shapes, count: int, compute: Compute, *, at_once: int) -> Rows:
    """The same arrays in memory, for those who need them once."""
    arrays = {name: np.zeros((count, *shape), dtype) for name, (shape, dtype) in shapes.items()}
    for begin in range(0, count, at_once):
        some = range(begin, min(begin + at_once, count))
        for name, rows in compute(some).items():
            arrays[name][some.start : some.stop] = rows
    return arrays
