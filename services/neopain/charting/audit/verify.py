"""Walking the chains: names the first row that is not what was written, and a tail that is gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, select

from neopain.charting.audit.anchor import Anchor, read_anchors
from neopain.charting.audit.chain import BEGINNING, Content, row_hash
from neopain.charting.database import connect, translated
from neopain.charting.tables import AUDIT, AUDIT_HEADS
from neopain.errors import MalformedMessage

PAGE = 5000


@dataclass(frozen=True, slots=True)
class AuditVerification:
    """What the walk found. ``broken`` is the first broken row as ``chain/position``; empty when all is whole."""

    rows: int
    anchors: int
    broken: str = ""
    reason: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether every row is as it was written and none is missing."""
        return not self.reason

    def as_text(self) -> str:
        """One line for a person."""
        if self.is_whole:
            return f"audit trail whole: {self.rows} rows, {self.anchors} anchors outside the database agree"
        return f"audit trail BROKEN at {self.broken}: {self.reason}"


@dataclass(slots=True)
class _Chain:
    """A chain while it is walked: its last good row, and the hashes that an anchor asks for."""

    name: str
    anchored: dict[int, str]
    position: int = 0
    hash: str = BEGINNING
    fault: tuple[int, str] | None = field(default=None)


def verify_audit(database_url: str, *, anchor_path: Path | None = None) -> AuditVerification:
    """Checks every chain from its first row: order, content, hashes, head, and the anchors if a file is given.

    Rows that are written meanwhile are not part of it. ``DatabaseUnavailable`` when the database does not answer.
    """
    try:
        anchors = list(read_anchors(anchor_path)) if anchor_path else []
    except (MalformedMessage, OSError) as error:
        return AuditVerification(rows=0, anchors=0, broken="anchor", reason=f"the anchor file is unreadable: {error}")
    engine = connect(database_url, connections=1)
    try:
        with translated("walking the audit trail"), engine.connect() as connection:
            return _verify(connection.execution_options(isolation_level="REPEATABLE READ"), anchors)
    finally:
        engine.dispose()


def _verify(connection: Connection, anchors: list[Anchor]) -> AuditVerification:
    heads = {row.chain: (row.position, row.hash) for row in connection.execute(select(AUDIT_HEADS))}
    in_rows = connection.scalars(select(AUDIT.c.chain).distinct()).all()
    rows = 0
    for name in sorted({*heads, *in_rows, *(anchor.chain for anchor in anchors)}):
        chain = _Chain(name, {one.position: one.hash for one in anchors if one.chain == name})
        _walk(connection, chain)
        rows += chain.position
        fault = chain.fault or _fault_of_tail(chain, heads.get(name))
        if fault is not None:
            return AuditVerification(rows, len(anchors), f"{name}/{fault[0]}", fault[1])
    return AuditVerification(rows, len(anchors))


def _walk(connection: Connection, chain: _Chain) -> None:
    for content, previous_hash, hashed in _rows(connection, chain.name):
        fault = _fault(chain, content, previous_hash, hashed)
        if fault:
            # Of two rows that disagree about a position, the earlier one is where it broke.
            chain.fault = (min(content.position, chain.position + 1), fault)
            return
        chain.position, chain.hash = content.position, hashed


def _rows(connection: Connection, chain: str) -> Iterator[tuple[Content, str, str]]:
    query = select(AUDIT).where(AUDIT.c.chain == chain).order_by(AUDIT.c.position, AUDIT.c.recorded)
    for row in connection.execution_options(yield_per=PAGE).execute(query):
        content = Content(
            row.chain, row.position, row.recorded, row.event, row.actor, row.entry_id, row.patient, row.detail
        )
        yield content, row.previous_hash, row.hash


def _fault(chain: _Chain, content: Content, previous_hash: str, hashed: str) -> str:
    expected = chain.position + 1
    if content.position > expected:
        return f"the row is missing; the next one is {content.position}"
    if content.position < expected:
        return "there is a second row in this place"
    if previous_hash != chain.hash:
        return "its previous hash is not the hash of the row before"
    if row_hash(content, previous_hash) != hashed:
        return "its content is not what was hashed"
    if chain.anchored.get(content.position, hashed) != hashed:
        return "the anchor outside the database has another hash for it: the chain was written anew"
    return ""


def _fault_of_tail(chain: _Chain, head: tuple[int, str] | None) -> tuple[int, str] | None:
    last_anchored = max(chain.anchored, default=0)
    if last_anchored > chain.position:
        return chain.position + 1, f"rows are missing at the end: the anchor outside the database has {last_anchored}"
    if head is None:
        return (chain.position, "the chain's head is missing") if chain.position else None
    if head[0] > chain.position:
        return chain.position + 1, f"rows are missing at the end: the chain's head says {head[0]}"
    if head != (chain.position, chain.hash):
        return chain.position, "the chain's head is of another row"
    return None
