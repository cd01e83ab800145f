"""Checking an exported trail by the file alone, and by anchors and public keys where somebody has them."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import IO

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from pydantic import TypeAdapter, ValidationError

from neopain.charting.audit.anchor import Anchor, anchored_hashes, valid_anchors
from neopain.charting.audit.chain import BEGINNING, Content
from neopain.charting.audit.checkpoint import read_signed
from neopain.charting.audit.export import FORM, GZIPPED, Head, Stretch
from neopain.charting.audit.verify import AuditVerification, pieces_by_chain
from neopain.charting.audit.walk import Fault, Row, Walk
from neopain.errors import ConfigurationError, MalformedMessage

HEAD = TypeAdapter(Head)
UNREAD = "; checkpoints of what was dropped were not looked at, since no keys were given"


def verify_export(
    path: Path, *, anchor_path: Path | None = None, trusted: Sequence[EllipticCurvePublicKey] = ()
) -> AuditVerification:
    """Checks every chain of the file over the positions that its head names. No database is needed.

    ``ConfigurationError`` when it cannot be read or is no export of rows. A row that is no row is a broken file.
    """
    try:
        anchors = valid_anchors(anchor_path) if anchor_path else []
        with _opened(path) as file:
            return _verify(_head(path, file), file, anchors, trusted)
    except MalformedMessage as error:
        return AuditVerification(rows=0, anchors=0, broken=error.location, reason=error.rule)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read ({error})") from error


def _verify(
    head: Head, file: IO[str], anchors: Sequence[Anchor], trusted: Sequence[EllipticCurvePublicKey]
) -> AuditVerification:
    pieces = pieces_by_chain(read_signed(statement, trusted) for statement in head.checkpoints) if trusted else {}
    rows = dropped = used = 0
    seen: set[str] = set()
    for chain, those in groupby(_rows(file), key=lambda row: row[0].chain):
        stretch = head.chains.get(chain)
        if stretch is None or chain in seen:
            return AuditVerification(rows, used, f"{chain}/1", "the file's head does not say that rows follow here")
        seen.add(chain)
        own = anchored_hashes(anchors, chain)
        walk = Walk(chain, own, pieces.get(chain, {}), position=stretch.first - 1, hash=stretch.previous_hash)
        walk.take(those)
        rows, dropped = rows + walk.rows, dropped + walk.dropped
        used += sum(stretch.first <= position <= stretch.last for position in own)
        fault = walk.fault or _fault_of_ends(walk, stretch)
        if fault is not None:
            unread = UNREAD if head.checkpoints and not trusted else ""
            return AuditVerification(rows, used, f"{chain}/{fault[0]}", fault[1] + unread, dropped)
    for chain in head.chains.keys() - seen:
        return AuditVerification(rows, used, f"{chain}/{head.chains[chain].first}", "the chain's rows are missing")
    return AuditVerification(rows, used, dropped=dropped)


def _fault_of_ends(walk: Walk, stretch: Stretch) -> Fault | None:
    if stretch.first == 1 and stretch.previous_hash != BEGINNING:
        return 1, "its previous hash is not the beginning of a chain"
    if walk.position != stretch.last:
        return walk.position + 1, f"rows are missing at the end: the file's head says {stretch.last}"
    return None


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
