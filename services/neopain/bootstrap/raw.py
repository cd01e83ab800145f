"""Raw input made readable: segments on lines of their own, every sign visible."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

_SEGMENT = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)?")
_PLACE = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?")
HEX_BYTES = 16


def segment_lines(raw: bytes, *, location: str = "") -> Iterator[str]:
    r"""One line for each segment with its number; the one that the location names is marked with ``>``.

    What is not printable, line ends among it, is written as ``\r``, ``\x0b``, and so is what is not UTF-8: no two
    different messages look alike.
    """
    found = _PLACE.match(location)
    wanted = (found[1], int(found[2] or 1)) if found else None
    counts: Counter[str] = Counter()
    segments = [one for one in _SEGMENT.findall(raw) if one]
    for number, segment in enumerate(segments, 1):
        name = segment[:3].decode("latin-1")
        counts[name] += 1
        yield f"{'>' if (name, counts[name]) == wanted else ' '}{number:4d}  {visible(segment)}"


def visible(data: bytes) -> str:
    """The text with every control sign and every byte that is not UTF-8 as an escape; a backslash stays as it is."""
    text = data.decode("utf-8", errors="backslashreplace")
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def hex_lines(raw: bytes) -> Iterator[str]:
    """What is no text: offset, bytes, and the ASCII among them."""
    for offset in range(0, len(raw), HEX_BYTES):
        part = raw[offset : offset + HEX_BYTES]
        ascii_signs = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
        yield f"{offset:06x}  {part.hex(' '):<{HEX_BYTES * 3}} {ascii_signs}"
