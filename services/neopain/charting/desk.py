"""A person at the outbox: looks at what has not reached the EHR, has it tried again, or decides that it is not sent.

Each decision is in the audit trail with who made it and why, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import Engine

from neopain.charting import outbox
from neopain.charting.audit.chain import AuditEvent
from neopain.charting.database import connect, translated
from neopain.charting.entries import raise_version
from neopain.charting.outbox import DONE, Happening, OutboxRow, RowState
from neopain.charting.tables import ENTRIES, OUTBOX
from neopain.charting.tracing import WITH_DELIVERY, TracedEntry, traced
from neopain.charting.unit_of_work import unit_of_work
from neopain.errors import ConfigurationError
from neopain.runtime.clock import Clock


class Verdict(Enum):
    """What a person wants done with an entry, by the name that the audit gives it."""

    RETRY = "delivery_asked_again"
    CANCEL = "delivery_cancelled"


HAPPENINGS = {Verdict.RETRY: Happening.ASKED_AGAIN, Verdict.CANCEL: Happening.CANCELLED}


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done, who says so, and why."""

    verdict: Verdict
    by: str
    reason: str


@contextmanager
def at_desk(database_url: str) -> Iterator[Engine]:
    """The database for one command."""
    engine = connect(database_url, connections=1)
    try:
        yield engine
    finally:
        engine.dispose()


def read_outbox(engine: Engine, states: Collection[RowState], *, most: int) -> tuple[TracedEntry, ...]:
    """The oldest so many rows in any of these states, in the order of delivery. ``DatabaseUnavailable``."""
    wanted = OUTBOX.c.state.in_([state.value for state in states])
    with translated("reading the outbox"), engine.connect() as connection:
        found = connection.execute(WITH_DELIVERY.where(wanted).order_by(OUTBOX.c.place).limit(most))
        return tuple(traced(row) for row in found)


def read_entry(engine: Engine, entry_id: str) -> TracedEntry:
    """An entry with its delivery; ``ConfigurationError`` when it is in no outbox. ``DatabaseUnavailable``."""
    query = WITH_DELIVERY.where(ENTRIES.c.entry_id == entry_id, OUTBOX.c.entry_id == entry_id)
    with translated("reading the outbox"), engine.connect() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        raise _unknown(entry_id)
    return traced(row)


def decide(engine: Engine, clock: Clock, entry_id: str, decision: Decision) -> RowState:
    """Does with the entry's row as decided and returns its new state.

    ``ConfigurationError`` where that cannot be: there is no such row, nothing is to be done about it any more, it is
    being delivered, or it may be in the EHR and is to be cancelled. ``DatabaseUnavailable``: nothing was changed.
    """
    with unit_of_work(engine, clock) as unit:
        row = outbox.locked_row(unit.connection, entry_id)
        if row is None:
            raise _unknown(entry_id)
        if refusal := _refusal(row, decision.verdict):
            raise ConfigurationError(f"entry {entry_id} {refusal}")
        if outbox.is_in_hand(unit.connection, row.infant):
            raise ConfigurationError(f"entry {entry_id}: its infant's entries are being delivered: try again")
        values = {"due": clock.now(), "attempts": 0} if decision.verdict is Verdict.RETRY else {}
        state = outbox.settle(unit.connection, row, HAPPENINGS[decision.verdict], **values)
        if decision.verdict is Verdict.CANCEL:
            raise_version(unit.connection, entry_id, now=clock.now())
        unit.audit(_audited(row, decision))
        return state


def _refusal(row: OutboxRow, verdict: Verdict) -> str:
    if row.state in DONE:
        return f"is {row.state.value}: nothing is to be done about it"
    if verdict is Verdict.CANCEL and row.state is not RowState.REJECTED and row.attempted is not None:
        return "was sent and may be in the EHR: it is asked for, and cannot be cancelled before there is an answer"
    return ""


def _unknown(entry_id: str) -> ConfigurationError:
    return ConfigurationError(f"no entry {entry_id} is to go to the EHR: see `neopain outbox list`")


def _audited(row: OutboxRow, decision: Decision) -> AuditEvent:
    return AuditEvent(
        event=decision.verdict.value,
        actor=decision.by,
        entry_id=row.entry_id,
        patient=row.infant,
        detail={"was": row.state.value, "attempts": row.attempts, "why": decision.reason},
    )
