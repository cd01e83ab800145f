"""Checking an exported trail by the file alone, and by anchors and public keys where somebody has them.

Nothing signs the file's head. What it says that the file holds is held against the anchors, and told with the verdict.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import IO

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from pydantic import TypeAdapter, ValidationError

from neopain.charting.audit.anchor import Anchor, AnchorFile, anchored_hashes, read_anchors
from neopain.charting.audit.chain import BEGINNING, Content
from neopain.charting.audit.checkpoint import Piece, read_signed
from neopain.charting.audit.export import FORM, GZIPPED, Head, Stretch
from neopain.charting.audit.verify import AuditVerification, pieces_by_chain
from neopain.charting.audit.walk import Fault, Row, Walk
from neopain.errors import ConfigurationError, MalformedMessage

HEAD = TypeAdapter(Head)
UNREAD = "; checkpoints of what was dropped were not looked at, since no keys were given"
CLOCKS_DIFFER = timedelta(minutes=1)
"""By how much the clocks of who records, who anchors and who exports may differ."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A file's head, and what it is held against: anchors, and by chain what was dropped, by first position."""

    head: Head
    anchors: Sequence[Anchor]
    pieces: Mapping[str, Mapping[int, Piece]]
    unread: str


def verify_export(
    path: Path, *, anchor_path: Path | None = None, trusted: Sequence[EllipticCurvePublicKey] = ()
) -> AuditVerification:
    """Checks every chain of the file over the positions that its head names. No database is needed.

    Rows that were anchored within the time that the head names are to be among them. ``ConfigurationError`` when it
    cannot be read or is no export of rows. A row that is no row is a broken file.
    """
    try:
        anchors = read_anchors(anchor_path) if anchor_path else AnchorFile()
        if not anchors.is_there:
            raise ConfigurationError(f"there is no file of anchors {anchor_path}")
        with _opened(path) as file:
            head = _head(path, file)
            pieces = pieces_by_chain(read_signed(statement, trusted) for statement in head.checkpoints if trusted)
            asked = _Asked(head, anchors.anchors, pieces, UNREAD if head.checkpoints and not trusted else "")
            found = replace(_verify(asked, file), torn=anchors.torn)
            return _with_what_was_cut(found, asked) if found.is_whole else found
    except MalformedMessage as error:
        return AuditVerification(rows=0, anchors=0, broken=error.location, reason=error.rule)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read ({error})") from error


def _verify(asked: _Asked, file: IO[str]) -> AuditVerification:
    head = asked.head
    rows = dropped = used = 0
    seen: set[str] = set()
    for chain, those in groupby(_rows(file), key=lambda row: row[0].chain):
        stretch = head.chains.get(chain)
        if stretch is None or chain in seen:
            return AuditVerification(rows, used, f"{chain}/1", "the file's head does not say that rows follow here")
        seen.add(chain)
        own = anchored_hashes(asked.anchors, chain)
        pieces = asked.pieces.get(chain, {})
        walk = Walk(chain, own, pieces, position=stretch.first - 1, hash=stretch.previous_hash)
        walk.take(those)
        rows, dropped = rows + walk.rows, dropped + walk.dropped
        used += sum(stretch.first <= position <= stretch.last for position in own)
        fault = walk.fault or _fault_of_ends(walk, stretch)
        if fault is not None:
            return AuditVerification(rows, used, f"{chain}/{fault[0]}", fault[1] + asked.unread, dropped)
    for chain in head.chains.keys() - seen:
        return AuditVerification(rows, used, f"{chain}/{head.chains[chain].first}", "the chain's rows are missing")
    return AuditVerification(rows, used, dropped=dropped)


def _fault_of_ends(walk: Walk, stretch: Stretch) -> Fault | None:
    before = next((piece.hash for piece in walk.pieces.values() if piece.last == stretch.first - 1), None)
    if stretch.first == 1 and stretch.previous_hash != BEGINNING:
        return 1, "its previous hash is not the beginning of a chain"
    if before not in (None, stretch.previous_hash):
        return stretch.first, "its previous hash is not that of the checkpoint before it"
    if walk.position != stretch.last:
        return walk.position + 1, f"rows are missing at the end: the file's head says {stretch.last}"
    return None


def _with_what_was_cut(found: AuditVerification, asked: _Asked) -> AuditVerification:
    """The verdict on whole chains, held against what the head says of their time; ``MalformedMessage``."""
    for chain in sorted({*asked.head.chains, *(anchor.chain for anchor in asked.anchors)}):
        fault = _fault_of_cut(chain, asked)
        if fault is not None:
            return replace(found, broken=f"{chain}/{fault[0]}", reason=fault[1] + asked.unread)
    return replace(found, told=_told(asked))


def _fault_of_cut(chain: str, asked: _Asked) -> Fault | None:
    stretch, pieces = asked.head.chains.get(chain), asked.pieces.get(chain, {}).values()
    held = [(piece.first, piece.last) for piece in pieces] + ([(stretch.first, stretch.last)] if stretch else [])
    within = sorted(_anchored_within(chain, asked))
    first, last = (within[0][0] + 1, within[-1][0]) if within else (1, 0)
    if not asked.head.since:
        first, last = 1, max(last, stretch.last if stretch else 0)
    if stretch is not None and asked.unread:
        first = max(first, stretch.first)
    missing = _first_missing(first, last, held)
    if missing is None:
        return None
    if stretch is not None and missing < stretch.first:
        return missing, f"rows are missing at the beginning: the file begins with {stretch.first}"
    position, anchored = within[-1]
    return missing, (
        f"rows are missing at the end: the anchor outside the database has {position} at {anchored.isoformat()}, "
        f"and the file says that it holds all until {_end(asked.head).isoformat()}"
    )


def _anchored_within(chain: str, asked: _Asked) -> Iterator[tuple[int, datetime]]:
    """Which positions were the chain's head within the time of which the file says that it holds every row."""
    since = _moment(asked.head.since, "line 1") if asked.head.since else None
    for anchor in asked.anchors:
        if anchor.chain != chain:
            continue
        anchored = _moment(anchor.anchored, "anchor")
        is_after = since is None or anchored >= since + CLOCKS_DIFFER
        if is_after and anchored <= _end(asked.head) - CLOCKS_DIFFER:
            yield anchor.position, anchored


def _first_missing(first: int, last: int, held: Sequence[tuple[int, int]]) -> int | None:
    """The first position from the first to the last that none of the stretches has."""
    position = first
    for begin, end in sorted(held):
        if begin <= position <= end:
            position = end + 1
    return position if position <= last else None


def _end(head: Head) -> datetime:
    made = _moment(head.made, "line 1")
    return min(made, _moment(head.until, "line 1")) if head.until else made


def _moment(text: str, place: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise MalformedMessage(place, f"expected a time, not {text!r}") from error


def _told(asked: _Asked) -> str:
    head = asked.head
    chains = ", ".join(f"{name} {one.first} to {one.last}" for name, one in sorted(head.chains.items()))
    span = f"from {head.since or 'the beginning'} until {_end(head).isoformat()}"
    return f"the file says that it holds all {span}: {chains or 'no rows'}{asked.unread}"


def _head(path: Path, file: IO[str]) -> Head:
    try:
        head = HEAD.validate_json(file.readline())
    except ValidationError as error:
        raise ConfigurationError(f"{path} is no export of `neopain audit export` with rows") from error
    if head.form != FORM:
        raise ConfigurationError(f"{path} is of form {head.form}, this version reads {FORM}")
    return head


def _rows(file: IO[str]) -> Iterator[Row]:
    for number, line in enumerate(file, start=2):
        try:
            found = json.loads(line)
            hashes = str(found.pop("previous_hash")), str(found.pop("hash"))
            recorded = datetime.fromisoformat(found.pop("recorded"))
            yield Content(**found, recorded=recorded), *hashes
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MalformedMessage(f"line {number}", "expected a row of the audit trail") from error


def _opened(path: Path) -> IO[str]:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == GZIPPED else path.open(encoding="utf-8")
