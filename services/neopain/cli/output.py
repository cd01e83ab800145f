"""Standard output that takes no more: a full disk, a reader that has gone. Told in one line, not by a traceback."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable
from typing import BinaryIO, TextIO, TypeGuard, cast

READER_GONE = 141
"""What a shell says of a program that SIGPIPE ended, as most do whose reader has gone."""


class OutputLost(Exception):
    """Standard output does not take what a command prints; what it did beside that stays done."""


class _Told(io.FileIO):
    """A file whose refusal of bytes is told apart from every other error of the system."""

    is_dropped = False
    """Whether what comes is left out: what is still in a buffer above it would fail anew."""

    def write(self, data: object) -> int:
        if self.is_dropped:
            return memoryview(data).nbytes  # type: ignore[arg-type]
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            raise OutputLost from error


def with_output(run: Callable[[], int]) -> int:
    """Runs a command, sees to it that all it printed is written, and returns its exit code.

    Where it cannot be written it is 1, and a line of standard error says why; or ``READER_GONE``, quietly. What is no
    file (a notebook's output, a test's) is left as it is, and so is standard output afterwards.
    """
    stdout = sys.stdout
    if not _is_file(stdout):
        return run()
    stdout.flush()
    told = _Told(stdout.fileno(), "w", closefd=False)
    with contextlib.redirect_stdout(_text_over(told, stdout)):
        try:
            return _written(run)
        except OutputLost as lost:
            told.is_dropped = True
            return _code_of(lost)


def _is_file(stdout: TextIO | None) -> TypeGuard[io.TextIOWrapper]:
    if not isinstance(stdout, io.TextIOWrapper):
        return False
    return isinstance(getattr(stdout.buffer, "raw", stdout.buffer), io.FileIO)


def _text_over(told: _Told, stdout: io.TextIOWrapper) -> io.TextIOWrapper:
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
        sys.stdout.flush()


def _code_of(lost: OutputLost) -> int:
    if isinstance(lost.__cause__, BrokenPipeError):
        return READER_GONE
    why = getattr(lost.__cause__, "strerror", "")
    print(f"neopain: standard output cannot be written ({why}): what was printed is not complete", file=sys.stderr)
    return 1
