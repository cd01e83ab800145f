"""Multipart bodies (RFC 2046, 5.1): the bytes of one body as they come -> its parts, piece by piece. No I/O.

A part is never held as a whole: what of it came is given out at once, but for the few bytes in which a boundary might
have begun. What a part holds is left to others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from neopain.errors import MalformedMessage

LONGEST_HEADERS = 16_384
LONGEST_PADDING = 1_024
"""Blanks after a boundary (RFC 2046 calls them transport padding)."""
_LINE_END = b"\r\n"
_FOLDED = re.compile(r"\r\n[ \t]+")
_PADDING = re.compile(rb"[ \t]*\r\n")
_MAY_GO_ON = re.compile(rb"-?|[ \t]*\r?")


@dataclass(frozen=True, slots=True)
class PartBegun:
    """A part's headers; their names in lower case."""

    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PartData:
    """Some of a part's content, never empty."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PartEnded:
    """The part is complete."""


Event = PartBegun | PartData | PartEnded


class Decoder:
    """Takes the bytes of one body and gives its parts; any cut of the bytes gives the same parts.

    What stands before the first boundary and after the last is passed over. ``is_complete`` says that the last boundary
    was there: a body that ends without it was cut off.
    """

    def __init__(self, boundary: str) -> None:
        if not boundary or not boundary.isascii() or not boundary.isprintable():
            raise MalformedMessage("Content-Type", "its boundary is missing or holds what no boundary may")
        self.is_complete = False
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        # The first boundary may open the body: as if a line had ended before it.
        self._kept = bytearray(_LINE_END)
        self._foreign = 0
        """How many of the kept bytes are not content: the line end after the headers, which may begin a boundary."""
        self._is_in_part = self._is_in_headers = False

    def feed(self, data: bytes) -> list[Event]:
        """What these bytes add. Raises ``MalformedMessage`` for headers that are none."""
        self._kept += data
        events: list[Event] = []
        while not self.is_complete and self._advance(events):
            pass
        if self.is_complete:
            self._kept.clear()
        return events

    def _advance(self, events: list[Event]) -> bool:
        return self._read_headers(events) if self._is_in_headers else self._read_content(events)

    def _read_headers(self, events: list[Event]) -> bool:
        end = -len(_LINE_END) if self._kept.startswith(_LINE_END) else self._kept.find(_LINE_END * 2)
        if end > LONGEST_HEADERS or (end == -1 and len(self._kept) > LONGEST_HEADERS):
            raise MalformedMessage("part", f"its headers are longer than {LONGEST_HEADERS} bytes")
        if end == -1:
            return False
        events.append(PartBegun(_headers(self._kept[: max(end, 0)])))
        del self._kept[: end + len(_LINE_END)]
        self._foreign, self._is_in_part, self._is_in_headers = len(_LINE_END), True, False
        return True

    def _read_content(self, events: list[Event]) -> bool:
        place = self._kept.find(self._delimiter)
        if place < 0:
            self._give(len(self._kept) - len(self._delimiter) + 1, events)
            return False
        self._give(place, events)
        rest = bytes(self._kept[len(self._delimiter) :][: LONGEST_PADDING + len(_LINE_END)])
        if (padding := _PADDING.match(rest)) is not None or rest.startswith(b"--"):
            self._end_part(events)
            self.is_complete = padding is None
            del self._kept[: len(self._delimiter) + (padding.end() if padding is not None else 0)]
            self._is_in_headers = not self.is_complete
            return True
        if len(rest) <= LONGEST_PADDING and _MAY_GO_ON.fullmatch(rest):
            return False
        # A line of the content that only begins like the boundary.
        self._give(len(self._delimiter), events)
        return True

    def _give(self, count: int, events: list[Event]) -> None:
        """Takes so many bytes off what is kept, as content where they are."""
        if count <= 0:
            return
        foreign = min(self._foreign, count)
        if self._is_in_part and count > foreign:
            events.append(PartData(bytes(self._kept[foreign:count])))
        self._foreign -= foreign
        del self._kept[:count]

    def _end_part(self, events: list[Event]) -> None:
        if self._is_in_part:
            events.append(PartEnded())
        self._foreign, self._is_in_part = 0, False


def _headers(block: bytearray) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    text = _FOLDED.sub(" ", block.decode("latin-1"))
    for line in text.split("\r\n") if text else ():
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise MalformedMessage("part", "a line of its headers is no header")
        headers[name.strip().lower()] = value.strip()
    return headers
