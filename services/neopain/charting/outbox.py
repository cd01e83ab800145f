"""The outbox: what is still to reach the EHR, and the table of what may become of a row.

The row is the truth; a message at the broker only says "look". Order is kept per infant: its oldest open row first. An
entry has one row that creates it and one for each status that it gets afterwards. A status waits as long as an older
row of its entry is held or rejected, and keeps nothing else of the infant waiting meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    and_,
    case,
    exists,
    func,
    insert,
    not_,
    or_,
    select,
    text,
    update,
)

from neopain.charting.tables import OUTBOX
from neopain.errors import ContractBroken, TransientError


class Overtaken(TransientError):
    """A row is another infant's by now, or in other hands, than when it was read: nothing was sent."""


class RowState(Enum):
    """Where an entry is on its way to the EHR."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    """Read back from the EHR."""
    ACCEPTED = "accepted"
    """Acknowledged by an EHR that cannot be asked for it."""
    HELD = "held"
    """The EHR has not exactly one patient for it, or no encounter, or does not let us in: a person looks; asked again
    now and then."""
    UNVERIFIED = "unverified"
    """Preliminary, and the EHR takes only what a nurse has verified: waits for her."""
    REJECTED = "rejected"
    """The EHR refused for good: a dead letter that a person sees."""
    CANCELLED = "cancelled"
    """It is not sent: a person decided so, or there is nothing at the EHR that it could be about."""


class Happening(Enum):
    """What can happen to a row."""

    UNAVAILABLE = "unavailable"
    CONFIRMED = "confirmed"
    ACCEPTED = "accepted"
    NOT_IDENTIFIED = "not-identified"
    NOT_LET_IN = "not-let-in"
    REFUSED = "refused"
    UNVERIFIED = "unverified"
    VERIFIED = "verified"
    ASKED_AGAIN = "asked-again"
    CANCELLED = "cancelled"


TRANSITIONS: dict[tuple[RowState, Happening], RowState] = {
    (RowState.PENDING, Happening.UNAVAILABLE): RowState.PENDING,
    (RowState.PENDING, Happening.CONFIRMED): RowState.CONFIRMED,
    (RowState.PENDING, Happening.ACCEPTED): RowState.ACCEPTED,
    (RowState.PENDING, Happening.NOT_IDENTIFIED): RowState.HELD,
    (RowState.PENDING, Happening.NOT_LET_IN): RowState.HELD,
    (RowState.PENDING, Happening.REFUSED): RowState.REJECTED,
    (RowState.PENDING, Happening.UNVERIFIED): RowState.UNVERIFIED,
    (RowState.PENDING, Happening.ASKED_AGAIN): RowState.PENDING,
    (RowState.UNVERIFIED, Happening.VERIFIED): RowState.PENDING,
    (RowState.UNVERIFIED, Happening.ASKED_AGAIN): RowState.PENDING,
    (RowState.HELD, Happening.ASKED_AGAIN): RowState.PENDING,
    (RowState.REJECTED, Happening.ASKED_AGAIN): RowState.PENDING,
    (RowState.PENDING, Happening.CANCELLED): RowState.CANCELLED,
    (RowState.UNVERIFIED, Happening.CANCELLED): RowState.CANCELLED,
    (RowState.HELD, Happening.CANCELLED): RowState.CANCELLED,
    (RowState.REJECTED, Happening.CANCELLED): RowState.CANCELLED,
}

DONE = frozenset({RowState.CONFIRMED, RowState.ACCEPTED, RowState.CANCELLED})
"""Nothing more is to be done."""

STUCK = (RowState.HELD, RowState.UNVERIFIED, RowState.REJECTED)
"""A status of the same entry waits behind a row in one of these."""
CREATION = 0
"""``change`` of the row that creates the entry at the EHR."""

TAKEN, TAKEN_AGAIN = "taken and not shown", "taken again and not shown"
"""In place of the EHR's reference."""

INFANT_LOCK = 7_305_103
"""Second word of the advisory lock of an infant, which whoever delivers for it holds."""

HAND_OUT_AGAIN = timedelta(seconds=10)
"""A row that a worker was told of and that is still due is told of again after this long: the worker may be dead."""


CLOCK_SLACK = timedelta(minutes=1)
"""Clocks of our processes differ by less."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One row. ``attempts`` counts those that failed; ``attempted``: when it was last sent, and may be in the EHR, or
    when that sending was given up; ``taken``: when the EHR said that it took it, and did not show it;
    ``ehr_reference``: as what the EHR has it; or in words, ``TAKEN`` for instance, that it may have it.

    ``change`` is the number of the entry's status that the EHR is to be told, ``CREATION`` of the row that creates it.
    """

    place: int
    entry_id: str
    change: int
    infant: str
    state: RowState
    attempts: int
    due: datetime
    attempted: datetime | None
    taken: datetime | None = None
    ehr_reference: str = ""


def after(state: RowState, happening: Happening) -> RowState:
    """The state after a happening; ``ContractBroken`` when it cannot happen in this state."""
    try:
        return TRANSITIONS[state, happening]
    except KeyError as error:
        raise ContractBroken(f"an outbox row that is {state.value} cannot become {happening.value}") from error


def put(connection: Connection, *, entry_id: str, infant: str, now: datetime, change: int = CREATION) -> None:
    """Puts an entry, or a status of one that is in it, into the outbox; due at once."""
    values = {
        "entry_id": entry_id,
        "change": change,
        "infant": infant,
        "state": RowState.PENDING.value,
        "due": now,
    }
    connection.execute(insert(OUTBOX).values(values))


def hand_out(
    connection: Connection, *, now: datetime, doubt: timedelta, farthest: timedelta, limit: int = 500
) -> list[str]:
    """The entries whose rows are the oldest open one of their infant, due and in nobody's hands; marks them as handed
    out.

    One that was given up less than ``doubt`` ago is not due: the EHR may still be at work on it.

    Held rows whose time has come are made pending first, so that they are tried again; and so that none waits for a
    clock that was ahead: ``farthest`` is how far a row may be put off.
    """
    _set_right(connection, now=now, doubt=doubt, farthest=farthest)
    _ask_again_for_held(connection, now)
    older = OUTBOX.alias()
    is_blocked = exists().where(older.c.infant == OUTBOX.c.infant, _is_open(older), older.c.place < OUTBOX.c.place)
    is_free = or_(OUTBOX.c.handed_out.is_(None), OUTBOX.c.handed_out < now - HAND_OUT_AGAIN)
    attempted = OUTBOX.c.attempted
    is_clear = or_(attempted.is_(None), attempted <= now - doubt, attempted > _ahead(now, doubt))
    heads = (
        select(OUTBOX.c.place)
        .where(_is_open(OUTBOX), OUTBOX.c.due <= now, is_clear, is_free, ~is_blocked)
        .order_by(OUTBOX.c.place)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    marked = update(OUTBOX).where(OUTBOX.c.place.in_(heads)).values(handed_out=now)
    found = connection.execute(marked.returning(OUTBOX.c.place, OUTBOX.c.entry_id)).all()
    return [entry_id for _, entry_id in sorted(tuple(row) for row in found)]


def is_in_doubt(row: OutboxRow, *, now: datetime, doubt: timedelta) -> bool:
    """Whether the EHR may still be at work on it, its sending having been given up less than ``doubt`` ago."""
    # Later than now by more than clocks differ: the clock was ahead, and ``_set_right`` has had the row wait.
    return row.attempted is not None and now - doubt < row.attempted <= _ahead(now, doubt)


def _ahead(now: datetime, doubt: timedelta) -> datetime:
    return now + doubt + CLOCK_SLACK


def _set_right(connection: Connection, *, now: datetime, doubt: timedelta, farthest: timedelta) -> None:
    """Makes due, after the time of doubt, what a clock that was ahead has put off. When it was sent stays as it is."""
    ahead = _ahead(now, doubt)
    rows = OUTBOX.c
    is_untried = and_(rows.attempts == 0, rows.attempted.is_(None))
    is_put_off = or_(
        rows.due > ahead + farthest,
        and_(rows.due > ahead, or_(is_untried, rows.attempted > ahead), rows.state == RowState.PENDING.value),
        rows.handed_out > ahead,
    )
    is_waiting = rows.state.in_([RowState.PENDING.value, RowState.HELD.value])
    taken = case((rows.taken > now, now), else_=rows.taken)
    values = {"due": now + doubt, "handed_out": None, "taken": taken}
    connection.execute(update(OUTBOX).where(is_waiting, is_put_off).values(values))


def _is_open(rows: FromClause) -> ColumnElement[bool]:
    """Whether a row is pending and waits for no row of its own entry that is held or rejected."""
    before = OUTBOX.alias()
    is_stuck = exists().where(
        before.c.entry_id == rows.c.entry_id,
        before.c.change < rows.c.change,
        before.c.state.in_([state.value for state in STUCK]),
    )
    return and_(rows.c.state == RowState.PENDING.value, or_(rows.c.change == CREATION, not_(is_stuck)))


def infant_of(connection: Connection, entry_id: str) -> str | None:
    """The infant in whose order the entry's oldest open row is delivered; None of an entry that is not in the outbox.

    After a merge of numbers rows that were delivered before have the number of then.
    """
    order = (_is_open(OUTBOX).desc(), OUTBOX.c.place)
    found = select(OUTBOX.c.infant).where(OUTBOX.c.entry_id == entry_id).order_by(*order).limit(1)
    return connection.scalar(found)


def oldest_open(connection: Connection, infant: str) -> OutboxRow | None:
    """The infant's oldest row that can be delivered: none may be delivered before it."""
    query = select(OUTBOX).where(OUTBOX.c.infant == infant, _is_open(OUTBOX)).order_by(OUTBOX.c.place).limit(1)
    return _row(connection.execute(query).one_or_none())


def locked_rows(connection: Connection, entry_id: str) -> list[OutboxRow]:
    """The entry's rows, creation first, which nobody else changes before the transaction ends."""
    query = select(OUTBOX).where(OUTBOX.c.entry_id == entry_id).order_by(OUTBOX.c.change).with_for_update()
    return [_read(row) for row in connection.execute(query)]


def is_in_hand(connection: Connection, infant: str) -> bool:
    """Whether a worker delivers for the infant now; where none does, none begins before the transaction ends."""
    lock = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:infant, :word))")
    return not connection.scalar(lock, {"infant": infant, "word": INFANT_LOCK})


def doubt_unsent(connection: Connection, *, now: datetime) -> int:
    """Takes every entry that is still to be created for one that was sent now, where none was; returns how many.

    Those that are held become pending: while one is held it was asked for.
    """
    is_to_be_created = and_(OUTBOX.c.change == CREATION, OUTBOX.c.state.not_in([state.value for state in DONE]))
    unsent = and_(is_to_be_created, OUTBOX.c.attempted.is_(None))
    held = and_(OUTBOX.c.change == CREATION, OUTBOX.c.state == RowState.HELD.value)
    _ask_again(connection, held, due=now)
    return connection.execute(update(OUTBOX).where(unsent).values(attempted=now)).rowcount


def begin_attempt(connection: Connection, row: OutboxRow, *, now: datetime, until: datetime) -> None:
    """Says, before anything is sent, that the EHR may have it from now on. ``Overtaken``: read it again.

    It is due at ``until`` where nobody says what the attempt came to, its worker being dead. The lock of an infant does
    not keep a merge from giving the row another one.
    """
    is_as_read = and_(
        OUTBOX.c.place == row.place,
        OUTBOX.c.infant == row.infant,
        OUTBOX.c.state == row.state.value,
        OUTBOX.c.attempted.is_not_distinct_from(row.attempted),
    )
    if connection.execute(update(OUTBOX).where(is_as_read).values(attempted=now, due=until, taken=None)).rowcount != 1:
        raise Overtaken(f"outbox row {row.entry_id} was changed by another before it was sent")


def given_up(row: OutboxRow, *, now: datetime) -> ColumnElement[datetime | None]:
    """``attempted`` at the end of an attempt: now where it has sent the row, which was read before; else as it was."""
    return case((OUTBOX.c.attempted.is_distinct_from(row.attempted), now), else_=OUTBOX.c.attempted)


def settle(connection: Connection, row: OutboxRow, happening: Happening, **values: object) -> RowState:
    """Writes what happened to a row, and returns its new state."""
    state = after(row.state, happening)
    changed = connection.execute(
        update(OUTBOX)
        .where(OUTBOX.c.place == row.place, OUTBOX.c.state == row.state.value)
        .values(state=state.value, handed_out=None, **values)
    )
    if changed.rowcount != 1:
        raise ContractBroken(f"outbox row {row.entry_id} was changed by another while it was delivered")
    return state


def readdress(connection: Connection, entry_id: str, *, infant: str) -> None:
    """Delivers what is still to be delivered of an entry in the order of its infant's number of now."""
    is_open = OUTBOX.c.state.not_in([state.value for state in DONE])
    connection.execute(update(OUTBOX).where(OUTBOX.c.entry_id == entry_id, is_open).values(infant=infant))


def count_by_state(connection: Connection) -> dict[RowState, int]:
    """How many rows are in each state."""
    found = connection.execute(select(OUTBOX.c.state, func.count()).group_by(OUTBOX.c.state)).all()
    return dict.fromkeys(RowState, 0) | {RowState(state): count for state, count in found}


def _row(row: Row[Any] | None) -> OutboxRow | None:
    return _read(row) if row is not None else None


def _read(row: Row[Any]) -> OutboxRow:
    return OutboxRow(
        place=row.place,
        entry_id=row.entry_id,
        change=row.change,
        infant=row.infant,
        state=RowState(row.state),
        attempts=row.attempts,
        due=row.due,
        attempted=row.attempted,
        taken=row.taken,
        ehr_reference=row.ehr_reference or "",
    )


def _ask_again_for_held(connection: Connection, now: datetime) -> None:
    _ask_again(connection, and_(OUTBOX.c.state == RowState.HELD.value, OUTBOX.c.due <= now))


def _ask_again(connection: Connection, held: ColumnElement[bool], **values: object) -> None:
    state = after(RowState.HELD, Happening.ASKED_AGAIN)
    connection.execute(update(OUTBOX).where(held).values(state=state.value, handed_out=None, **values))
