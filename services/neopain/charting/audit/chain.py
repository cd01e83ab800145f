"""Appending to a chain: position, previous hash, own hash. Nothing here changes or removes a row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as insert_or

from neopain.charting.tables import AUDIT, AUDIT_HEADS

CHAIN = "charting"
"""The chain of what charting did; reads of patient data get one of their own."""
BEGINNING = "0" * 64
"""The previous hash of a chain's first row."""

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """What happened, to be told for ever. No names, no birth dates: identifiers only."""

    event: str
    actor: str
    entry_id: str = ""
    patient: str = ""
    detail: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Content:
    """What a row's hash is over, besides the previous hash; ``detail`` is canonical JSON text."""

    chain: str
    position: int
    recorded: datetime
    event: str
    actor: str
    entry_id: str
    patient: str
    detail: str


def append(connection: Connection, events: Sequence[AuditEvent], *, now: datetime, chain: str = CHAIN) -> None:
    """Adds the events to the chain within the open transaction.

    Takes the lock of the chain's head, which every writer waits for: to be the last thing before the commit.
    """
    if not events:
        return
    position, previous = _locked_head(connection, chain)
    rows = []
    for event in events:
        position += 1
        content = Content(
            chain=chain,
            position=position,
            recorded=now,
            event=event.event,
            actor=event.actor,
            entry_id=event.entry_id,
            patient=event.patient,
            detail=canonical_json(event.detail),
        )
        hashed = row_hash(content, previous)
        rows.append({**_columns(content), "previous_hash": previous, "hash": hashed})
        previous = hashed
    connection.execute(insert(AUDIT), rows)
    connection.execute(update(AUDIT_HEADS).where(AUDIT_HEADS.c.chain == chain).values(position=position, hash=previous))


def row_hash(content: Content, previous_hash: str) -> str:
    """SHA-256, hexadecimal, of the previous hash and the canonical JSON of the content."""
    text = canonical_json({**_columns(content), "recorded": content.recorded.astimezone(UTC).isoformat()})
    return hashlib.sha256(f"{previous_hash}\n{text}".encode()).hexdigest()


def canonical_json(value: Mapping[str, object]) -> str:
    """One text for one value: keys sorted, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def ensure_partitions(connection: Connection, *, now: datetime, months: int = 13) -> None:
    """Makes the partitions of this month and those after it, where they are missing."""
    month = date(now.year, now.month, 1)
    for _ in range(months):
        connection.execute(text("SELECT audit_add_partition(:month)"), {"month": month})
        month = (month + timedelta(days=31)).replace(day=1)


def _locked_head(connection: Connection, chain: str) -> tuple[int, str]:
    new = {"chain": chain, "position": 0, "hash": BEGINNING}
    connection.execute(insert_or(AUDIT_HEADS).values(new).on_conflict_do_nothing())
    head = select(AUDIT_HEADS.c.position, AUDIT_HEADS.c.hash).where(AUDIT_HEADS.c.chain == chain).with_for_update()
    position, previous = connection.execute(head).one()
    return int(position), str(previous)


def _columns(content: Content) -> dict[str, object]:
    return {
        "chain": content.chain,
        "position": content.position,
        "recorded": content.recorded,
        "event": content.event,
        "actor": content.actor,
        "entry_id": content.entry_id,
        "patient": content.patient,
        "detail": content.detail,
    }
