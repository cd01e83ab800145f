"""What entries stand at after they were charted: each change in one transaction with its audit row and what is to be
told to the EHR. ``change_status`` is the only way to change one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from neopain.charting import outbox
from neopain.charting.audit.chain import AuditEvent
from neopain.charting.outbox import CREATION, Happening, OutboxRow, RowState
from neopain.charting.tables import ENTRIES, ENTRY_STATUSES
from neopain.charting.unit_of_work import UnitOfWork
from neopain.domain.entry_status import RETRACTED, EntryStatus, StatusChange, require_transition
from neopain.errors import ContractBroken
from neopain.runtime.log import Log

LOG = Log(__name__)

NOT_SENT = "not-sent"
"""The cause of a status: a person decided that the entry does not go to the EHR."""


def change_status(
    unit: UnitOfWork,
    entry_id: str,
    status: EntryStatus,
    *,
    actor: str,
    cause: str,
    now: datetime,
    reason: str = "",
) -> StatusChange:
    """Gives an entry another status, within the caller's transaction: status, outbox row, audit row, version.

    ``actor`` is who did it, ``cause`` one of a few words of the caller's, ``reason`` what a person said. The EHR is
    told after everything older about the infant, and not while the entry's creation is held or rejected. A retraction
    takes an entry that the EHR has nobody for, and never got, out of the outbox instead. Of an entry that does not go
    to the EHR nothing is told.

    ``ImpossibleTransition`` where the entry does not become that, ``ContractBroken`` where there is none: nothing is
    written.
    """
    entry = locked_entry(unit.connection, entry_id)
    before = EntryStatus(entry.status)
    require_transition(before, status)
    number = len(changes_of(unit.connection, entry_id)) + 1
    change = StatusChange(number, before, status, actor, now, cause, reason)
    write_status(unit.connection, entry_id, change)
    told = _put(unit, entry_id, change)
    unit.audit(_audited(entry, change, told=told))
    LOG.info("entry_status_changed", entry=entry_id, status=status.value, cause=cause)
    return change


def locked_entry(connection: Connection, entry_id: str) -> Row[Any]:
    """The entry's row, whose status nobody else changes before the transaction ends; ``ContractBroken`` without one."""
    row = connection.execute(select(ENTRIES).where(ENTRIES.c.entry_id == entry_id).with_for_update()).one_or_none()
    if row is None:
        raise ContractBroken(f"there is no entry {entry_id} whose status could change")
    return row


def changes_of(connection: Connection, entry_id: str) -> list[StatusChange]:
    """What became of an entry, in order; nothing while it is preliminary."""
    return changes_of_all(connection, [entry_id]).get(entry_id, [])


def changes_of_all(connection: Connection, entry_ids: Collection[str]) -> dict[str, list[StatusChange]]:
    """The same of several entries by their ids; those that are preliminary are not in it."""
    if not entry_ids:
        return {}
    query = select(ENTRY_STATUSES).where(ENTRY_STATUSES.c.entry_id.in_(entry_ids)).order_by(ENTRY_STATUSES.c.number)
    found: dict[str, list[StatusChange]] = {}
    for row in connection.execute(query):
        changes = found.setdefault(row.entry_id, [])
        before = changes[-1].status if changes else EntryStatus.PRELIMINARY
        status = EntryStatus(row.status)
        changes.append(StatusChange(row.number, before, status, row.made_by, row.moment, row.cause, row.reason))
    return found


def change_of(connection: Connection, entry_id: str, number: int) -> StatusChange:
    """The change of that number; ``ContractBroken`` when there is none."""
    found = changes_of(connection, entry_id)
    if not 0 < number <= len(found):
        raise ContractBroken(f"entry {entry_id} has no status {number}, and the outbox has")
    return found[number - 1]


def write_status(connection: Connection, entry_id: str, change: StatusChange) -> None:
    """The status alone, with the version that it gives the entry, whose row is locked; nothing is told to the EHR."""
    connection.execute(
        insert(ENTRY_STATUSES).values(
            entry_id=entry_id,
            number=change.number,
            status=change.status.value,
            made_by=change.actor,
            moment=change.moment,
            cause=change.cause,
            reason=change.reason,
        )
    )
    changed = update(ENTRIES).where(ENTRIES.c.entry_id == entry_id)
    values = {"status": change.status.value, "version": ENTRIES.c.version + 1, "updated": change.moment}
    connection.execute(changed.values(values))


def _put(unit: UnitOfWork, entry_id: str, change: StatusChange) -> bool:
    """Has the EHR told of the change; returns whether it is to be."""
    rows = outbox.locked_rows(unit.connection, entry_id)
    creation = next((row for row in rows if row.change == CREATION), None)
    if creation is None or creation.state is RowState.CANCELLED:
        return False
    if change.status in RETRACTED:
        if _is_unknown_to_the_ehr(creation):
            give_up(unit, rows, actor=change.actor, why=f"the entry is {change.status.value}")
            return False
        # What the EHR refused to be told of the entry before is nothing that a retraction should wait for.
        refused = [row for row in rows if row.change != CREATION and row.state is RowState.REJECTED]
        give_up(unit, refused, actor=change.actor, why=f"the entry is {change.status.value}")
    if creation.state is RowState.UNVERIFIED:
        outbox.settle(unit.connection, creation, Happening.VERIFIED, due=change.moment)
    outbox.put(unit.connection, entry_id=entry_id, infant=creation.infant, now=change.moment, change=change.number)
    return True


def _is_unknown_to_the_ehr(creation: OutboxRow) -> bool:
    was_sent = creation.attempted is not None or bool(creation.ehr_reference)
    return creation.state in (RowState.HELD, RowState.UNVERIFIED) and not was_sent


def give_up(unit: UnitOfWork, rows: Iterable[OutboxRow], *, actor: str, why: str) -> None:
    """Takes those of the rows, which are locked, out of the outbox that something is still to be done about."""
    for row in rows:
        if row.state in outbox.DONE:
            continue
        outbox.settle(unit.connection, row, Happening.CANCELLED)
        detail = {"was": row.state.value, "attempts": row.attempts, "change": row.change, "why": why}
        unit.audit(
            AuditEvent("delivery_cancelled", actor=actor, entry_id=row.entry_id, patient=row.infant, detail=detail)
        )


def _audited(entry: Row[Any], change: StatusChange, *, told: bool) -> AuditEvent:
    patient = f"{entry.patient_authority or ''}|{entry.patient_value}" if entry.patient_value is not None else ""
    return AuditEvent(
        event="entry_status_changed",
        actor=change.actor,
        entry_id=entry.entry_id,
        patient=patient,
        detail={
            "number": change.number,
            "was": change.before.value,
            "status": change.status.value,
            "cause": change.cause,
            "reason": change.reason,
            "told_to_the_ehr": told,
        },
    )
