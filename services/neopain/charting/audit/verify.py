"""Checking the trail in the database: every chain from its beginning or its checkpoints on, its head, the anchors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from sqlalchemy import Connection, select, text

from neopain.charting.audit.anchor import Anchor, AnchorFile, anchored_hashes, read_anchors
from neopain.charting.audit.checkpoint import Checkpoint, Piece, read_signed
from neopain.charting.audit.rows import chains_of, read_rows
from neopain.charting.audit.walk import Fault, Walk
from neopain.charting.database import connect, translated
from neopain.charting.tables import AUDIT, AUDIT_CHECKPOINTS, AUDIT_HEADS
from neopain.errors import MalformedMessage

WRITTEN = "which charting's consumer writes within NEOPAIN_CHARTING_AUDIT_ANCHOR_SECONDS of the first row"


@dataclass(frozen=True, slots=True)
class AuditVerification:
    """What the walk found. ``broken`` is the first broken row as ``chain/position``; empty when all is whole.

    ``dropped`` rows are vouched for by signed checkpoints. ``anchored`` is the time of the newest anchor. ``told`` is
    what an exported file says of itself. ``torn`` lines of the anchor file were written in part and say nothing.
    """

    rows: int
    anchors: int
    broken: str = ""
    reason: str = ""
    dropped: int = 0
    anchored: str = ""
    told: str = ""
    torn: tuple[int, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether every row is as it was written and none is missing."""
        return not self.reason

    def as_text(self) -> str:
        """One line for a person."""
        if not self.is_whole:
            return f"audit trail BROKEN at {self.broken}: {self.reason}"
        dropped = f" and {self.dropped} dropped by signed checkpoints" if self.dropped else ""
        newest = f", the newest of {self.anchored}" if self.anchored else ""
        torn = f", line {', '.join(map(str, self.torn))} of their file is torn and says nothing" if self.torn else ""
        anchors = f"{self.anchors} anchors outside the database agree{newest}{torn}"
        told = f"; {self.told}" if self.told else ""
        return f"audit trail whole: {self.rows} rows{dropped}, {anchors}{told}"


def verify_audit(
    database_url: str, *, anchor_path: Path | None = None, trusted: Sequence[EllipticCurvePublicKey] = ()
) -> AuditVerification:
    """Checks every chain: order, content, hashes, head, the anchors if a file is given, checkpoints by trusted keys.

    Rows that are written meanwhile are not part of it. ``DatabaseUnavailable`` when the database does not answer,
    ``ConfigurationError`` when the anchors cannot be read.
    """
    try:
        file = read_anchors(anchor_path) if anchor_path else AnchorFile()
    except MalformedMessage as error:
        return AuditVerification(rows=0, anchors=0, broken="anchor", reason=f"the anchor file is unreadable: {error}")
    engine = connect(database_url, connections=1)
    try:
        with translated("walking the audit trail"), engine.connect() as raw:
            connection = raw.execution_options(isolation_level="REPEATABLE READ")
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            found = replace(_verify(connection, file.anchors, trusted), torn=file.torn)
    finally:
        engine.dispose()
    if found.is_whole and not file.is_there and found.rows + found.dropped:
        return replace(found, broken="anchor", reason=f"there is no file of anchors {anchor_path}, {WRITTEN}")
    return found


def read_checkpoints(connection: Connection, trusted: Sequence[EllipticCurvePublicKey]) -> list[Checkpoint]:
    """What was dropped. ``MalformedMessage`` when a statement is not signed by a trusted key."""
    query = select(AUDIT_CHECKPOINTS.c.statement).order_by(AUDIT_CHECKPOINTS.c.month)
    return [read_signed(statement, trusted) for statement in connection.scalars(query)]


def pieces_by_chain(checkpoints: Iterable[Checkpoint]) -> dict[str, dict[int, Piece]]:
    """What of each chain was dropped, by the first position of each piece."""
    found: dict[str, dict[int, Piece]] = defaultdict(dict)
    for checkpoint in checkpoints:
        for piece in checkpoint.pieces:
            found[piece.chain][piece.first] = piece
    return found


def _verify(
    connection: Connection, anchors: Sequence[Anchor], trusted: Sequence[EllipticCurvePublicKey]
) -> AuditVerification:
    try:
        pieces = pieces_by_chain(read_checkpoints(connection, trusted))
    except MalformedMessage as error:
        return AuditVerification(rows=0, anchors=len(anchors), broken="checkpoint", reason=error.rule)
    heads = {row.chain: (row.position, row.hash) for row in connection.execute(select(AUDIT_HEADS))}
    rows = dropped = 0
    for name in sorted({*heads, *pieces, *chains_of(connection), *(anchor.chain for anchor in anchors)}):
        own = [anchor for anchor in anchors if anchor.chain == name]
        walk = Walk(name, anchored_hashes(own, name), pieces.get(name, {}))
        walk.take(read_rows(connection, AUDIT.c.chain == name))
        walk.end()
        rows, dropped = rows + walk.rows, dropped + walk.dropped
        fault = walk.fault or _fault_of_tail(walk, heads.get(name), own)
        if fault is not None:
            return AuditVerification(rows, len(anchors), f"{name}/{fault[0]}", fault[1], dropped)
    newest = max((anchor.anchored for anchor in anchors), default="")
    return AuditVerification(rows, len(anchors), dropped=dropped, anchored=newest)


def _fault_of_tail(walk: Walk, head: tuple[int, str] | None, anchors: Sequence[Anchor]) -> Fault | None:
    if head is not None and head[0] > walk.position:
        return walk.position + 1, f"rows are missing at the end: the chain's head says {head[0]}"
    last = max(anchors, key=lambda one: one.position, default=None)
    if last is not None and last.position > walk.position:
        return walk.position + 1, (
            f"rows are missing at the end: the anchor outside the database has {last.position} at {last.anchored}. "
            "Either a backup from before that was restored, or the newest rows were cut off"
        )
    if head is None:
        return (walk.position, "the chain's head is missing") if walk.position else None
    if head != (walk.position, walk.hash):
        return walk.position, "the chain's head is of another row"
    return None
