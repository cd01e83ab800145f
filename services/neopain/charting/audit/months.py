"""The audit trail's partitions: one for each month (UTC) by the time of recording, made a year ahead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, text

NAME = re.compile(r"audit_([0-9]{4})_([0-9]{2})")
AHEAD = 13
PARTITIONS = """
SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = 'audit'::regclass ORDER BY relname
"""


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month of the audit trail."""

    year: int
    number: int

    @classmethod
    def of(cls, moment: datetime) -> Month:
        """The month in which something is recorded."""
        there = moment.astimezone(UTC)
        return cls(there.year, there.month)

    @property
    def partition(self) -> str:
        """The table that holds it."""
        return f"audit_{self.year:04}_{self.number:02}"

    @property
    def begin(self) -> datetime:
        """Its first moment; its end is the next one's."""
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    def after(self, months: int) -> Month:
        """The month so many later, earlier for a negative number."""
        years, index = divmod(self.number - 1 + months, 12)
        return Month(self.year + years, index + 1)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"


def ensure_partitions(connection: Connection, *, now: datetime, months: int = AHEAD) -> None:
    """Makes the partitions of this month and those after it, where they are missing.

    A row whose partition is missing goes to ``audit_other`` and stays there: no event is lost by that.
    """
    for number in range(months):
        begin = Month.of(now).after(number).begin.date()
        connection.execute(text("SELECT audit_add_partition(:month)"), {"month": begin})


def months_kept(connection: Connection) -> Iterator[Month]:
    """The months that have a partition, the oldest first."""
    for name in connection.scalars(text(PARTITIONS)).all():
        found = NAME.fullmatch(name)
        if found is not None:
            yield Month(int(found[1]), int(found[2]))
