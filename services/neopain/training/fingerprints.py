"""Infants known again by what their recordings hold, wherever the files lie and whatever a manifest says of them.

A model remembers the fingerprints of the infants that it has met, so that it is not judged by them. Each is a digest
of a part of a recording: nobody can be told by it.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from neopain.domain.annotation import Segment

NOTE: Final = "fingerprints"
"""Their name in what a model notes of a data set: there they are one text, with blanks between."""

PART_BYTES: Final = 4096
"""From the middle of a file: its beginning is a header that many share."""
LEAST_BYTES: Final = 200
"""What is packed into less is silence, a dark picture or a table of nothing, and may be two infants'."""


def fingerprints(segments: Iterable[Segment], folder: Path) -> frozenset[str]:
    """One of each infant that has a recording, 16 hexadecimal digits; ``folder`` is where the manifest lies.

    It is the least of its files', so that it stays as long as that file does. One that cannot be read counts as none.
    """
    least: dict[str, str] = {}
    read = cache(_of_file)
    for segment in segments:
        for file in segment.recorded.values():
            found = read(folder / file.path) if file.is_there else None
            if found is not None:
                least[segment.subject.id] = min(found, least.get(segment.subject.id, found))
    return frozenset(least.values())


def noted(found: Iterable[str]) -> dict[str, str]:
    """What is noted of a data set."""
    return {NOTE: " ".join(sorted(found))}


def read_note(note: Mapping[str, Any]) -> frozenset[str]:
    """The fingerprints that are noted; none where there is no such note."""
    text = note.get(NOTE, "")
    return frozenset(text.split()) if isinstance(text, str) else frozenset()


def _of_file(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            file.seek(max(size - PART_BYTES, 0) // 2)
            part = file.read(PART_BYTES)
    except OSError:
        return None
    if len(zlib.compress(part, 1)) < LEAST_BYTES:
        return None
    return hashlib.sha256(f"{size} ".encode() + part).hexdigest()[:16]
