"""After an older backup was restored on purpose: which anchored rows are lost, said once in the file of anchors.

Without that the trail is reported as broken for ever, and nobody would see what is broken later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import Connection, Engine, select

from neopain.charting.audit.anchor import Anchor, Loss, read_anchors, write_losses
from neopain.charting.audit.chain import AuditEvent, Value
from neopain.charting.tables import AUDIT, AUDIT_HEADS
from neopain.charting.unit_of_work import unit_of_work
from neopain.errors import ConfigurationError
from neopain.runtime.clock import Clock

RESTORED = "audit_restored"
PAGE = 5000


def accept_restore(engine: Engine, clock: Clock, path: Path, *, by: str, reason: str) -> dict[str, Loss]:
    """Writes down which anchored rows the database lacks or has otherwise; anchors of those count no more.

    ``ConfigurationError`` when it lacks none or there are no anchors. ``DatabaseUnavailable``: nothing was written.
    """
    now = clock.now()
    file = read_anchors(path)
    if not file.is_there:
        raise ConfigurationError(f"there is no file of anchors {path}: nobody knows what was lost")
    anchors = file.anchors
    lost: dict[str, Loss] = {}
    with unit_of_work(engine, clock) as unit:
        for chain in sorted({anchor.chain for anchor in anchors}):
            positions = list(_lost(unit.connection, [one for one in anchors if one.chain == chain]))
            if positions:
                lost[chain] = Loss(chain, min(positions), max(positions), now.isoformat(), by, reason)
        if not lost:
            raise ConfigurationError("the database has every row that is anchored: nothing was lost")
        for chain, loss in lost.items():
            detail: dict[str, Value] = {"of_chain": chain, "first": loss.first, "last": loss.last, "why": reason}
            unit.audit(AuditEvent(RESTORED, by, detail=detail))
    write_losses(path, lost.values())
    return lost


def _lost(connection: Connection, anchors: Sequence[Anchor]) -> Iterator[int]:
    """The anchored positions of a chain that are beyond its head, or where another row is: what a restore loses.

    A month that was dropped is no loss, nor is a hole: the anchors around it count.
    """
    chain = anchors[0].chain
    head = connection.scalar(select(AUDIT_HEADS.c.position).where(AUDIT_HEADS.c.chain == chain)) or 0
    for start in range(0, len(anchors), PAGE):
        page = anchors[start : start + PAGE]
        positions = [one.position for one in page]
        query = select(AUDIT.c.position, AUDIT.c.hash).where(AUDIT.c.chain == chain, AUDIT.c.position.in_(positions))
        there = {row.position: row.hash for row in connection.execute(query)}
        yield from (
            one.position for one in page if one.position > head or there.get(one.position, one.hash) != one.hash
        )
