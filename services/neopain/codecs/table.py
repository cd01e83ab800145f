"""CSV tables with named columns: rows whose cells are asked for by column, and refusals that say where.

Blanks around a cell, empty lines and a byte order mark do not count; everything else that is not as it should be is
refused with ``ConfigurationError``, which names the table, the line, the column, the value and the rule.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from neopain.errors import ConfigurationError

_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*", re.ASCII)
_MOST_SECONDS = 5e10
"""Sixteen hundred years: seconds since 1970 may be given, milliseconds not."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its cells by column, and the line on which it ends."""

    table: str
    line: int
    cells: Mapping[str, str]

    def refusal(self, column: str, rule: str) -> ConfigurationError:
        """The error for a cell that breaks a rule; the caller raises it."""
        value = self.cells[column]
        return ConfigurationError(f"{self.table} line {self.line}, column {column}: {value!r}: {rule}")

    def require_plain_text(self) -> None:
        """Refuses cells with a line break or another control character."""
        for column, cell in self.cells.items():
            if _CONTROL.search(cell):
                raise self.refusal(column, "holds a line break or another control character")

    def required(self, column: str) -> str:
        """The cell, which must not be empty."""
        if not self.cells[column]:
            raise self.refusal(column, "must not be empty")
        return self.cells[column]

    def number(self, column: str) -> float:
        """The cell as a finite number."""
        return self._number(column, self.required(column))

    def seconds(self, column: str) -> float:
        """The cell as seconds since the start of a session, so near to it that both are dates."""
        value = self.number(column)
        if abs(value) > _MOST_SECONDS:
            raise self.refusal(
                column,
                f"is more than {_MOST_SECONDS:.0e} seconds from the start of the session; are these milliseconds?",
            )
        return value

    def whole(self, column: str, limits: tuple[int, int]) -> int | None:
        """A whole number, or None for an empty cell; ``28.0`` is one, since tables with gaps are often written so."""
        if not self.cells[column]:
            return None
        value = self.number(column)
        if not value.is_integer() or not limits[0] <= value <= limits[1]:
            raise self.refusal(column, f"expected a whole number from {limits[0]} to {limits[1]}, or nothing")
        return int(value)

    def word(self, column: str, words: Sequence[str]) -> str:
        """The cell, which must be one of the words."""
        if self.cells[column] not in words:
            raise self.refusal(column, f"expected one of {', '.join(words)}")
        return self.cells[column]

    def pairs(self, column: str) -> dict[str, float]:
        """``name=number`` parts between semicolons; an empty cell holds none."""
        parts = [part.strip() for part in self.cells[column].split(";")] if self.cells[column] else []
        found: dict[str, float] = {}
        for part in parts:
            name, equals, value = part.partition("=")
            if not equals or not _NAME.fullmatch(name):
                raise self.refusal(column, f"{part!r} is not name=number; parts are separated by ';'")
            if name in found:
                raise self.refusal(column, f"{name!r} stands twice")
            found[name] = self._number(column, value)
        return found

    def _number(self, column: str, text: str) -> float:
        if not _NUMBER.fullmatch(text) or abs(float(text)) == float("inf"):
            raise self.refusal(column, f"{text!r} is not a number with a decimal point")
        return float(text)


def read_table(text: str, columns: Sequence[str], *, table: str) -> Iterator[Row]:
    """The rows of a CSV text with exactly these columns, in any order; ``table`` is its name in refusals."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        _require_header(header, columns, table)
        for line in reader:
            cells = [cell.strip() for cell in line]
            if not any(cells):
                continue
            if len(cells) != len(header):
                raise ConfigurationError(
                    f"{table} line {reader.line_num}: {len(cells)} cells, the header has {len(header)}; "
                    "put cells that hold a comma between quotes"
                )
            yield Row(table, reader.line_num, dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise ConfigurationError(f"{table} line {reader.line_num}: is no CSV ({error})") from error


def write_table(rows: Iterable[Mapping[str, str]], columns: Sequence[str]) -> str:
    """The rows below a header, lines ended by a line feed."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def number_cell(value: float) -> str:
    """The shortest text that reads back as the same number."""
    return repr(float(value)).removesuffix(".0")


def pairs_cell(numbers: Mapping[str, float]) -> str:
    """``name=number`` parts between semicolons."""
    return ";".join(f"{name}={number_cell(value)}" for name, value in numbers.items())


def _require_header(header: Sequence[str], columns: Sequence[str], table: str) -> None:
    found = {
        "missing": [column for column in columns if column not in header],
        "unknown": [column for column in header if column not in columns],
        "twice": [column for column in columns if header.count(column) > 1],
    }
    told = [f"{word}: {', '.join(repr(column) for column in named)}" for word, named in found.items() if named]
    if told:
        wanted = ",".join(columns)
        raise ConfigurationError(f"{table} line 1: columns {'; '.join(told)}; expected, between commas: {wanted}")
