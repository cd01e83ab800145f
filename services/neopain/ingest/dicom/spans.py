"""The stream of an encapsulated video as one file, although its fragments lie apart: nothing is copied."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, cast

from neopain.codecs.dicom.video import Span


class SpanReader(io.RawIOBase):
    """Reads the stretches of a file one after the other, as if nothing were between them."""

    def __init__(self, path: Path, spans: Sequence[Span]) -> None:
        self._file = path.open("rb")
        self._spans = tuple(spans)
        self._ends = list(accumulate(span.length for span in spans))
        self._place = 0

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def seekable(self) -> bool:
        """Any place can be gone to."""
        return True

    def tell(self) -> int:
        """Bytes from the stream's beginning."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes to a place of the stream."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._ends[-1]}[whence]
        self._place = max(base + offset, 0)
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Up to the end of a stretch at once."""
        number = bisect_right(self._ends, self._place)
        if number == len(self._spans):
            return 0
        span, begin = self._spans[number], self._ends[number] - self._spans[number].length
        within = self._place - begin
        self._file.seek(span.offset + within)
        data = self._file.read(min(len(buffer), span.length - within))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
        super().close()


def open_spans(path: Path, spans: Sequence[Span]) -> BinaryIO:
    """The stream, buffered."""
    return cast("BinaryIO", io.BufferedReader(SpanReader(path, spans), buffer_size=1 << 18))
