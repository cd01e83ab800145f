"""Encapsulated video: what the object says of it, and where its bytes lie (PS3.5 8.2.5 to 8.2.8 and A.4).

The stream itself (MPEG-TS, MP4 or an elementary stream) is never read here, only the lengths of its fragments: two
gigabytes stay where they are.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO

from pydicom.dataset import Dataset

from neopain.codecs.dicom.uids import TransferSyntax
from neopain.errors import MalformedMessage

TAGS = ("Rows", "Columns", "NumberOfFrames", "CineRate", "FrameTime")

PIXEL_DATA = 0x7FE00010
ITEM = 0xFFFEE000
SEQUENCE_DELIMITATION = 0xFFFEE0DD
UNDEFINED_LENGTH = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a file, in bytes."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class EncapsulatedVideo:
    """A video within an object. ``spans`` are its fragments, to be read one after the other as one stream.

    ``rate_hz`` is what FrameTime or else CineRate says, None where neither does; it only holds for a stream without a
    clock of its own.
    """

    codec: str
    columns: int
    rows: int
    frames: int
    rate_hz: float | None
    spans: tuple[Span, ...]

    @property
    def length(self) -> int:
        """The bytes of the stream, perhaps with one of padding."""
        return sum(span.length for span in self.spans)


def read_video(dataset: Dataset, file: BinaryIO, syntax: TransferSyntax) -> EncapsulatedVideo:
    """The video of an object; ``file`` stands at the element Pixel Data.

    ``MalformedMessage`` when it is missing, not encapsulated, or cut off.
    """
    return EncapsulatedVideo(
        codec=syntax.codec,
        columns=_natural(dataset, "Columns"),
        rows=_natural(dataset, "Rows"),
        frames=_natural(dataset, "NumberOfFrames"),
        rate_hz=_rate_hz(dataset),
        spans=find_fragments(file),
    )


def find_fragments(file: BinaryIO) -> tuple[Span, ...]:
    """Where the fragments behind the offset table lie; ``file`` stands at the element Pixel Data (explicit VR).

    ``MalformedMessage`` when it does not, or the element does not end as it says.
    """
    size = _size(file)
    tag, _, length = _unpack(file, "<HH4xI")
    if tag != PIXEL_DATA:
        raise MalformedMessage("PixelData", "is missing")
    if length != UNDEFINED_LENGTH:
        raise MalformedMessage("PixelData", "is not encapsulated, expected fragments of undefined length")
    spans: list[Span] = []
    while True:
        tag, offset, length = _unpack(file, "<HHI")
        if tag == SEQUENCE_DELIMITATION:
            break
        if tag != ITEM or length == UNDEFINED_LENGTH:
            raise MalformedMessage("PixelData", f"expected an item with a length at byte {offset - 8}")
        if offset + length > size:
            raise MalformedMessage("PixelData", f"is cut off: a fragment of {length} bytes, {size - offset} are there")
        spans.append(Span(offset, length))
        file.seek(length, io.SEEK_CUR)
    filled = tuple(span for span in spans[1:] if span.length)
    if not filled:
        raise MalformedMessage("PixelData", "holds no fragment")
    return filled


def _unpack(file: BinaryIO, form: str) -> tuple[int, int, int]:
    header = file.read(struct.calcsize(form))
    if len(header) < struct.calcsize(form):
        raise MalformedMessage("PixelData", "is missing or cut off")
    group, element, length = struct.unpack(form, header)
    return group << 16 | element, file.tell(), length


def _size(file: BinaryIO) -> int:
    here = file.tell()
    size = file.seek(0, io.SEEK_END)
    file.seek(here)
    return size


def _natural(dataset: Dataset, keyword: str) -> int:
    try:
        return max(int(dataset.get(keyword) or 0), 0)
    except (TypeError, ValueError) as error:
        raise MalformedMessage(keyword, "is not a whole number") from error


def _rate_hz(dataset: Dataset) -> float | None:
    try:
        frame_time_ms = float(dataset.get("FrameTime") or 0)
        rate_hz = 1000 / frame_time_ms if frame_time_ms > 0 else float(dataset.get("CineRate") or 0)
    except (TypeError, ValueError) as error:
        raise MalformedMessage("FrameTime", "or CineRate is not a number") from error
    return rate_hz if 0 < rate_hz <= 1000 else None
