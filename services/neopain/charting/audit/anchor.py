"""The head of each chain, kept in a file outside the database: a tail that was cut off is missed there.

One JSON object per line: chain, position, hash, anchored; or a loss that a person has accepted after a restore. The
file is only appended to. A site lets it lie on another machine, or on a medium that is written once. A line that was
written in part, since its writer was killed or the volume full, is torn: it says nothing, and stays.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from sqlalchemy import Engine, select

from neopain.charting.database import translated
from neopain.charting.tables import AUDIT_HEADS
from neopain.errors import ConfigurationError, MalformedMessage

TAIL_BYTES = 65536
BEGINNING = '{"chain": '
"""Of every line, as ``_append`` writes it."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A chain's head at a moment (ISO 8601, UTC)."""

    chain: str
    position: int
    hash: str
    anchored: str


@dataclass(frozen=True, slots=True)
class Loss:
    """Positions of a chain that a restored backup did not have: their anchors before this line do not count."""

    chain: str
    first: int
    last: int
    restored: str
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class AnchorFile:
    """What a file says: the anchors that count, oldest first, and the numbers of its torn lines."""

    anchors: tuple[Anchor, ...] = ()
    torn: tuple[int, ...] = ()
    is_there: bool = True


def anchor_heads(engine: Engine, path: Path, *, now: datetime) -> int:
    """Appends the heads that are not in the file yet, and returns how many; they are on disk when this returns.

    ``ConfigurationError`` when the file cannot be read or written, ``DatabaseUnavailable`` as ever.
    """
    with translated("reading the audit's heads"), engine.connect() as connection:
        heads = connection.execute(select(AUDIT_HEADS.c.chain, AUDIT_HEADS.c.position, AUDIT_HEADS.c.hash)).all()
    known = {
        one.chain: (one.position, one.hash) if isinstance(one, Anchor) else None  # after a loss, anew
        for one in _readable(path)
    }
    news = [
        Anchor(chain, position, hashed, now.isoformat())
        for chain, position, hashed in heads
        if position and known.get(chain) != (position, hashed)
    ]
    if news:
        _append(path, "".join(f"{json.dumps(asdict(anchor))}\n" for anchor in news))
    return len(news)


def read_anchors(path: Path) -> AnchorFile:
    """What the file says.

    ``MalformedMessage`` names a broken line that is not torn, ``ConfigurationError`` a file that cannot be read.
    """
    valid: list[Anchor] = []
    torn: list[int] = []
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                if _is_torn(line):
                    torn.append(number)
                else:
                    valid = _with(valid, _read(line, f"{path} line {number}"))
    except FileNotFoundError:
        return AnchorFile(is_there=False)
    except OSError as error:
        raise _unreadable(path, error) from error
    return AnchorFile(tuple(valid), tuple(torn))


def anchored_hashes(anchors: Sequence[Anchor], chain: str) -> dict[int, str]:
    """What the anchors (oldest first) say of a chain, by position: of two about one position, what the older says.

    A chain that was written anew is anchored like any other.
    """
    return {one.position: one.hash for one in reversed(anchors) if one.chain == chain}


def write_losses(path: Path, losses: Iterable[Loss]) -> None:
    """Appends the losses. ``ConfigurationError`` when the file cannot be written."""
    _append(path, "".join(f"{json.dumps(asdict(loss))}\n" for loss in losses))


def _is_torn(line: str) -> bool:
    said = line.rstrip("\n")
    return said != "" and BEGINNING.startswith(said[: len(BEGINNING)]) and "}" not in said


def _with(valid: list[Anchor], one: Anchor | Loss) -> list[Anchor]:
    if isinstance(one, Anchor):
        valid.append(one)
        return valid
    return [old for old in valid if old.chain != one.chain or not one.first <= old.position <= one.last]


def _read(line: str, place: str) -> Anchor | Loss:
    try:
        found = json.loads(line)
        if "restored" in found:
            return Loss(**found)
        return Anchor(str(found["chain"]), int(found["position"]), str(found["hash"]), str(found["anchored"]))
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedMessage(place, "expected a JSON object with chain, position, hash, anchored") from error


def _readable(path: Path) -> list[Anchor | Loss]:
    """The last lines of the file; a broken one is passed over here, and named by ``read_anchors``."""
    anchors = []
    for line in _last_lines(path):
        with suppress(MalformedMessage):
            anchors.append(_read(line, str(path)))
    return anchors


def _last_lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - TAIL_BYTES, 0))
            return file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(f"the audit anchor {path} cannot be read ({error.strerror})")


def _append(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "a+b") as file:
            file.write((_line_end(file) + text).encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConfigurationError(f"the audit anchor {path} cannot be written ({error.strerror})") from error


def _line_end(file: IO[bytes]) -> str:
    """What ends a torn last line, so that the next is whole."""
    size = file.seek(0, os.SEEK_END)
    if not size:
        return ""
    file.seek(size - 1)
    return "" if file.read(1) == b"\n" else "\n"
