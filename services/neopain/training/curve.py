"""The course of a stage as CSV, so that it can be drawn with anything; it survives a kill in the middle of a line."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path

COLUMNS = ("step", "seconds", "lr", "loss", "tune_mae")
"""Seconds spent in this stage; ``tune_mae`` is empty where the tune infants were not looked at."""


class Curve:
    """One file, one row for every look at the loss."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self, step: int) -> None:
        """Keeps the rows up to this step, from which the stage goes on: what came after it will be done again."""
        kept = [row for row in self._rows() if int(row[0]) <= step]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(".part")
        with part.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *kept])
        part.replace(self._path)

    def add(self, row: Mapping[str, float]) -> None:
        """Appends a row; what is missing or not a number stays empty."""
        cells = [_cell(row.get(name, math.nan)) for name in COLUMNS]
        with self._path.open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(cells)

    def _rows(self) -> list[list[str]]:
        if not self._path.exists():
            return []
        lines = self._path.read_text().split("\n")[:-1]  # what has no end of line was being written
        return [row for row in csv.reader(lines[1:]) if len(row) == len(COLUMNS)]


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"
