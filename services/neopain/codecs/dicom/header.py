"""The header of an object whose sender may make it as long as he likes: no more of it is read than may be held.

pydicom skips an attribute that nobody asks for, but not a sequence of undefined length: it reads that whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO, cast

from pydicom.dataset import FileDataset
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag, Tag

from neopain.errors import MalformedMessage

MOST_BYTES = 4 * 1024 * 1024
"""The header of a video has some kilobytes, and hundreds of them with a small picture and a colour profile."""
BEFORE_PIXELS = 0x7FE00007
"""Pixel data, of whatever kind, have the next numbers."""


class HeaderTooLarge(MalformedMessage):
    """More of the object would have to be read than may be held."""


def read_header(file: BinaryIO, keywords: Iterable[str], *, last: int = BEFORE_PIXELS) -> FileDataset:
    """These of the attributes up to the number ``last``; the file stands at its beginning, then behind them.

    ``HeaderTooLarge``, and what pydicom raises for bytes that are no DICOM.
    """
    beginning = _Beginning(file)
    try:
        return read_partial(
            cast("BinaryIO", beginning),
            stop_when=lambda tag, _vr, _length: int(tag) > last,
            specific_tags=_tags(keywords),
        )
    finally:
        # Not raised by the file itself: pydicom makes an error of its own of whatever a file raises.
        if beginning.is_too_long:
            raise HeaderTooLarge("object", f"more than {MOST_BYTES} bytes of its header would have to be read")


def _tags(keywords: Iterable[str]) -> list[BaseTag | int]:
    return [Tag(keyword) for keyword in keywords]


class _Beginning:
    """A file that seems to end when ``MOST_BYTES`` of it have been read; what is skipped does not count."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = MOST_BYTES
        self.is_too_long = False
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes; without it all that there are."""
        most = self._left if size < 0 else min(size, self._left)
        found = self._file.read(most)
        self._left -= len(found)
        if len(found) == most != size:
            self.is_too_long = self.is_too_long or bool(self._file.read(1))
        return found
