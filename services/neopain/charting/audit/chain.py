"""Appending to a chain: position, previous hash, own hash. Nothing here changes or removes a row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as quoted
from typing import NamedTuple

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or

from neopain.charting.tables import AUDIT, AUDIT_HEADS
from neopain.codecs.fhir.audit_event import INFANTS

CHAIN = "charting"
"""The chain of what charting did; reads of patient data get one of their own."""
BEGINNING = "0" * 64
"""The previous hash of a chain's first row."""

Value = str | int | float | bool | None
ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """What happened, to be told for ever. No names, no birth dates: identifiers only.

    ``infants`` instead of ``patient`` where it may be about several: one row names them all.
    """

    event: str
    actor: str
    entry_id: str = ""
    patient: str = ""
    detail: Mapping[str, Value] = field(default_factory=dict)
    infants: Sequence[str] = ()


class Content(NamedTuple):
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
        content = _content(event, chain, position, now=now)
        hashed = row_hash(content, previous)
        rows.append({**content._asdict(), "previous_hash": previous, "hash": hashed})
        previous = hashed
    connection.execute(insert(AUDIT), rows)
    connection.execute(update(AUDIT_HEADS).where(AUDIT_HEADS.c.chain == chain).values(position=position, hash=previous))


def hold_head(connection: Connection, chain: str) -> None:
    """Waits for the chain's head and holds it until the transaction ends, as ``append`` does."""
    _locked_head(connection, chain)


def row_hash(content: Content, previous_hash: str) -> str:
    """SHA-256, hexadecimal, of the previous hash and the canonical JSON of the content."""
    # As ``canonical_json`` has it (keys sorted, no spaces, ASCII), written out: a million rows are checked this way.
    recorded = content.recorded if content.recorded.tzinfo is UTC else content.recorded.astimezone(UTC)
    text = (
        f'{previous_hash}\n{{"actor":{quoted(content.actor)},"chain":{quoted(content.chain)}'
        f',"detail":{quoted(content.detail)},"entry_id":{quoted(content.entry_id)}'
        f',"event":{quoted(content.event)},"patient":{quoted(content.patient)},"position":{content.position}'
        f',"recorded":"{recorded.isoformat()}"}}'
    )
    return hashlib.sha256(text.encode()).hexdigest()


def canonical_json(value: Mapping[str, object]) -> str:
    """One text for one value: keys sorted, no spaces, ASCII."""
    return ENCODER.encode(value)


def detail_of(event: AuditEvent) -> str:
    """The detail as its row keeps it."""
    if len(event.infants) > 1:
        return canonical_json({**event.detail, INFANTS: sorted(event.infants)})
    return canonical_json(event.detail)


def patient_of(event: AuditEvent) -> str:
    """The infant that its row is about; empty for nobody and for several."""
    return event.infants[0] if len(event.infants) == 1 else event.patient


def _content(event: AuditEvent, chain: str, position: int, *, now: datetime) -> Content:
    return Content(
        chain=chain,
        position=position,
        recorded=now,
        event=event.event,
        actor=event.actor,
        entry_id=event.entry_id,
        patient=patient_of(event),
        detail=detail_of(event),
    )


def _locked_head(connection: Connection, chain: str) -> tuple[int, str]:
    new = {"chain": chain, "position": 0, "hash": BEGINNING}
    connection.execute(insert_or(AUDIT_HEADS).values(new).on_conflict_do_nothing())
    head = select(AUDIT_HEADS.c.position, AUDIT_HEADS.c.hash).where(AUDIT_HEADS.c.chain == chain).with_for_update()
    position, previous = connection.execute(head).one()
    return int(position), str(previous)
