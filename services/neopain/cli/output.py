"""Standard output that takes no more: a full disk, a reader that has gone. Told in one line, not by a traceback."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import BinaryIO, cast

READER_GONE = 141
"""What a shell says of a program that SIGPIPE ended, as most do whose reader has gone."""


class OutputLost(Exception):
    """Standard output does not take what a command prints; what it did beside that stays done."""


class _Told(io.FileIO):
    """A file whose refusal of bytes is told apart from every other error of the system."""

    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            raise OutputLost from error


def with_output(run: Callable[[], int]) -> int:
    """Runs a command, sees to it that all it printed is written, and returns its exit code.

    Where it cannot be written it is 1, and a line of standard error says why; or ``READER_GONE``, quietly.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = _watched(sys.stdout)
    try:
        return _written(run)
    except OutputLost as lost:
        _drop_the_rest()
        if isinstance(lost.__cause__, BrokenPipeError):
            return READER_GONE
        why = getattr(lost.__cause__, "strerror", "")
        print(f"neopain: standard output cannot be written ({why}): what was printed is not complete", file=sys.stderr)
        return 1


def _watched(stdout: io.TextIOWrapper) -> io.TextIOWrapper:
    told = _Told(stdout.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        # Where Python was told not to buffer there is no buffer below the text.
        cast("BinaryIO", told) if stdout.write_through else io.BufferedWriter(told),
        encoding=stdout.encoding,
        errors=stdout.errors,
        line_buffering=stdout.line_buffering,
        write_through=stdout.write_through,
    )


def _written(run: Callable[[], int]) -> int:
    try:
        return run()
    finally:
        if sys.stdout is not None:
            sys.stdout.flush()


def _drop_the_rest() -> None:
    """The interpreter writes what is left in its buffer when it ends, and would fail anew."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
