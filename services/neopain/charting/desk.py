"""A person at the outbox: looks at what has not reached the EHR, has it tried again, or decides that it is not sent.

Each decision is in the audit trail with who made it and why, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from sqlalchemy import Engine

from neopain.charting import outbox
from neopain.charting.audit.chain import AuditEvent
from neopain.charting.database import connect, translated
from neopain.charting.looks import look_at_entry, record_look
from neopain.charting.outbox import CREATION, DONE, TAKEN, TAKEN_AGAIN, Happening, OutboxRow, RowState
from neopain.charting.statuses import NOT_SENT, changes_of, give_up, locked_entry, write_status
from neopain.charting.tables import ENTRIES, OUTBOX
from neopain.charting.tracing import WITH_DELIVERY, TracedEntry, grouped, traced
from neopain.charting.unit_of_work import UnitOfWork, unit_of_work
from neopain.domain.entry_status import EntryStatus, StatusChange, may_become
from neopain.errors import ConfigurationError, ContractBroken
from neopain.runtime.clock import Clock


class Verdict(Enum):
    """What a person wants done with an entry, by the name that the audit gives it."""

    RETRY = "delivery_asked_again"
    CANCEL = "delivery_cancelled"


RESTORED = "outbox_restored"
FOR_A_PERSON = frozenset({RowState.REJECTED, RowState.HELD})
"""What she cancels may be in the EHR, which cannot be asked: she has looked there."""
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


def read_entry(engine: Engine, clock: Clock, entry_id: str, *, by: str) -> TracedEntry:
    """An entry with its delivery, and that of what became of it, who reads it being in the audit trail before.

    ``ConfigurationError`` when it is in no outbox. ``DatabaseUnavailable``: nothing may be told.
    """
    query = WITH_DELIVERY.where(ENTRIES.c.entry_id == entry_id, OUTBOX.c.entry_id == entry_id)
    with unit_of_work(engine, clock) as unit:
        rows = unit.connection.execute(query.order_by(OUTBOX.c.change)).all()
        look = look_at_entry("outbox show", entry_id, rows[0] if rows else None, by=by)
        record_look(unit.connection, clock, look)
    if not rows:
        raise _unknown(entry_id)
    return grouped(rows)[0]


def decide(
    engine: Engine, clock: Clock, entry_id: str, decision: Decision, *, doubt: timedelta = timedelta()
) -> RowState:
    """Does as decided with the oldest row of the entry that something is to be done about; returns its new state.

    An entry whose creation is cancelled is ``cancelled``, unless it is final already; what was to be told of it is
    cancelled too. ``doubt``: for so long after it was sent the EHR may be at work on it, where its worker died; it is
    not tried again before.

    ``ConfigurationError`` where that cannot be: there is no such row, nothing is to be done about it any more, it is
    being delivered, or it is to be cancelled and is still to be asked for at the EHR. ``DatabaseUnavailable``: nothing
    was changed.
    """
    now = clock.now()
    with unit_of_work(engine, clock) as unit:
        before = _locked(unit, entry_id)
        rows = outbox.locked_rows(unit.connection, entry_id)
        if not rows:
            raise _unknown(entry_id)
        row = next((one for one in rows if one.state not in DONE), rows[-1])
        if refusal := _refusal(row, decision.verdict):
            raise ConfigurationError(f"entry {entry_id} {refusal}")
        if outbox.is_in_hand(unit.connection, row.infant):
            raise ConfigurationError(f"entry {entry_id}: its infant's entries are being delivered: try again")
        values = _asked_again(row, now=now, doubt=doubt) if decision.verdict is Verdict.RETRY else {}
        state = outbox.settle(unit.connection, row, HAPPENINGS[decision.verdict], **values)
        unit.audit(_audited(row, decision))
        if decision.verdict is Verdict.CANCEL and row.change == CREATION:
            give_up(unit, rows[1:], actor=decision.by, why="the entry is not sent")
            _cancel(unit, entry_id, before, decision, now=now)
        return state


def doubt_restored(engine: Engine, clock: Clock, *, by: str, reason: str) -> int:
    """Says that an older backup was restored, since which the EHR may have got what is still to be sent.

    It is looked for before it is sent, and not taken out of the outbox before that; what is held is asked for at once.
    Returns how many entries that are.
    ``DatabaseUnavailable``: nothing was changed.
    """
    now = clock.now()
    with unit_of_work(engine, clock) as unit:
        doubted = outbox.doubt_unsent(unit.connection, now=now)
        unit.audit(AuditEvent(RESTORED, by, detail={"entries": doubted, "why": reason}))
        return doubted


def _locked(unit: UnitOfWork, entry_id: str) -> EntryStatus:
    try:
        return EntryStatus(locked_entry(unit.connection, entry_id).status)
    except ContractBroken as error:
        raise _unknown(entry_id) from error


def _cancel(unit: UnitOfWork, entry_id: str, before: EntryStatus, decision: Decision, *, now: datetime) -> None:
    if may_become(before, EntryStatus.CANCELLED):
        number = len(changes_of(unit.connection, entry_id)) + 1
        change = StatusChange(
            number, before, EntryStatus.CANCELLED, decision.by, now, cause=NOT_SENT, reason=decision.reason
        )
        write_status(unit.connection, entry_id, change)


def _asked_again(row: OutboxRow, *, now: datetime, doubt: timedelta) -> dict[str, object]:
    values: dict[str, object] = {"due": now, "attempts": 0}
    if row.state is RowState.PENDING and row.attempted and outbox.is_in_doubt(row, now=now, doubt=doubt):
        values["due"] = max(now, min(row.due, row.attempted + doubt))
    if row.state is RowState.REJECTED and row.ehr_reference == TAKEN_AGAIN:
        # It is sent once more, however often the EHR is away before that.
        values["ehr_reference"] = TAKEN
    return values


def _refusal(row: OutboxRow, verdict: Verdict) -> str:
    if row.state in DONE:
        return f"is {row.state.value}: nothing is to be done about it"
    if verdict is Verdict.CANCEL and row.state not in FOR_A_PERSON and row.attempted is not None:
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
        detail={
            "was": row.state.value,
            "attempts": row.attempts,
            "change": row.change,
            "why": decision.reason,
        },
    )
