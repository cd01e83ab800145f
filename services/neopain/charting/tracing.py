"""What charting keeps of a stretch of one bed's time, for whoever follows a message: scores, entries, delivery."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from neopain.charting.courses import WAITING
from neopain.charting.database import connect, translated
from neopain.charting.entry_rows import shown_entry
from neopain.charting.tables import COURSES, ENTRIES, ENTRY_STATUSES, OUTBOX, WINDOWS
from neopain.domain.identity import BedId
from neopain.domain.score import Score
from neopain.wire.score import decode_score

WITH_DELIVERY = (
    select(
        ENTRIES,
        *(column for column in OUTBOX.c if column.name not in ENTRIES.c),
        OUTBOX.c.state.label("row"),
        ENTRY_STATUSES.c.status.label("told"),
    )
    .join_from(ENTRIES, OUTBOX, isouter=True)
    .outerjoin(
        ENTRY_STATUSES,
        (ENTRY_STATUSES.c.entry_id == OUTBOX.c.entry_id) & (ENTRY_STATUSES.c.number == OUTBOX.c.change),
    )
)
"""Entries with their outbox rows, for ``traced`` and ``grouped``: one for the creation, one for each later status."""

Stretch = tuple[BedId, datetime, datetime]
"""A bed, and the ends of windows: from the first (included) to the last (not)."""


@dataclass(frozen=True, slots=True)
class TracedEntry:
    """An entry and its way to the EHR. ``delivery`` is the state of its outbox row; empty when it is not to be sent.

    ``due`` is when it is tried next, ``attempted`` when it was last sent or given up (first sent, to an EHR that cannot
    be asked), ``confirmed`` when it was read back or accepted. ``ehr_words`` are the EHR's own about a refusal: patient
    data.

    ``status`` is what the entry stands at, ``told`` the status that the row tells the EHR of, empty where it creates
    the entry; ``changes`` are the rows of the statuses after that.
    """

    id: str
    bed: str
    kind: str
    begins: datetime
    ends: datetime
    issued: datetime
    state: str
    held_reason: str
    infant: str
    value: float | None
    low: float | None
    high: float | None
    absent_reason: str
    delivery: str = ""
    attempts: int = 0
    due: datetime | None = None
    attempted: datetime | None = None
    confirmed: datetime | None = None
    ehr_reference: str = ""
    last_error: str = ""
    ehr_words: str = ""
    status: str = ""
    told: str = ""
    changes: tuple[TracedEntry, ...] = ()

    @property
    def value_said(self) -> str:
        """The value with its interval, which a nurse's own has none of, or why there is none."""
        if self.value is None:
            return f"no value ({self.absent_reason})"
        if self.low is None or self.high is None:
            return f"{self.value:.1f}, by a nurse"
        return f"{self.value:.1f} ({self.low:.1f} to {self.high:.1f})"


@dataclass(frozen=True, slots=True)
class ChartedStretch:
    """What is kept of the windows of a stretch; scores for two hours, entries stay.

    ``charted_until``: up to there every summary is written; None when the bed was never charted.
    """

    scores: tuple[Score, ...]
    entries: tuple[TracedEntry, ...]
    charted_until: datetime | None


def read_stretches(database_url: str, stretches: list[Stretch]) -> Iterator[ChartedStretch]:
    """What is kept of each stretch, in their order.

    Raises ``DatabaseUnavailable``, and ``ContractBroken`` for a score of a newer version.
    """
    with _connected(database_url) as connection:
        for bed, begin, end in stretches:
            yield ChartedStretch(
                scores=_scores(connection, bed, begin, end),
                entries=_entries(connection, bed, begin, end),
                charted_until=_charted_until(connection, bed),
            )


@contextmanager
def _connected(database_url: str) -> Iterator[Connection]:
    engine = connect(database_url, connections=1)
    try:
        with translated("tracing"), engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _charted_until(connection: Connection, bed: BedId) -> datetime | None:
    row = connection.execute(
        select(COURSES.c.charted_until, COURSES.c.waiting).where(COURSES.c.bed == bed)
    ).one_or_none()
    if row is None:
        return None
    put_off = [one.span.begin for one in WAITING.validate_python(row.waiting)]
    return min([row.charted_until, *put_off]) if row.charted_until is not None else None


def _scores(connection: Connection, bed: BedId, begin: datetime, end: datetime) -> tuple[Score, ...]:
    query = select(WINDOWS.c.score).where(
        WINDOWS.c.bed == bed, WINDOWS.c.window_end >= begin, WINDOWS.c.window_end < end
    )
    return tuple(decode_score(payload) for payload in connection.scalars(query))


def _entries(connection: Connection, bed: BedId, begin: datetime, end: datetime) -> tuple[TracedEntry, ...]:
    of_stretch = (ENTRIES.c.bed == bed) & (ENTRIES.c.begins < end) & (ENTRIES.c.ends >= begin)
    query = WITH_DELIVERY.where(of_stretch).order_by(ENTRIES.c.ends, ENTRIES.c.kind, OUTBOX.c.change)
    return grouped(connection.execute(query))


def grouped(rows: Iterable[Row[Any]]) -> tuple[TracedEntry, ...]:
    """Rows of ``WITH_DELIVERY``, in the order of their changes, as one for each entry."""
    found: dict[str, list[TracedEntry]] = {}
    for row in rows:
        found.setdefault(row.entry_id, []).append(traced(row))
    return tuple(replace(first, changes=tuple(later)) for first, *later in found.values())


def traced(row: Row[Any]) -> TracedEntry:
    """A row of ``WITH_DELIVERY``."""
    last_error, _, ehr_words = (row.last_error or "").partition("\n")
    return TracedEntry(
        **shown_entry(row),
        issued=row.issued,
        state=row.state,
        delivery=row.row or "",
        attempts=row.attempts or 0,
        due=row.due,
        attempted=row.attempted,
        confirmed=row.confirmed,
        ehr_reference=row.ehr_reference or "",
        last_error=last_error,
        ehr_words=ehr_words,
        status=row.status,
        told=row.told or "",
    )
