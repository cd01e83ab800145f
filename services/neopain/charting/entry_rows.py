"""What of an entry's row is shown to persons, whatever else they are told of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

from sqlalchemy import Row


class ShownEntry(TypedDict):
    """``infant`` is value|authority, empty where nobody is known; ``low`` and ``high`` are absent of a nurse's own."""

    id: str
    bed: str
    kind: str
    begins: datetime
    ends: datetime
    held_reason: str
    infant: str
    value: float | None
    low: float | None
    high: float | None
    absent_reason: str


def shown_entry(row: Row[Any]) -> ShownEntry:
    """A row that has the columns of ``entries``."""
    return ShownEntry(
        id=row.entry_id,
        bed=row.bed,
        kind=row.kind,
        begins=row.begins,
        ends=row.ends,
        held_reason=row.held_reason,
        infant="|".join(filter(None, (row.patient_value, row.patient_authority))),
        value=row.value,
        low=row.draft.get("low"),
        high=row.draft.get("high"),
        absent_reason=row.draft.get("absent_reason", ""),
    )


def key_of_row(row: Row[Any]) -> str:
    """The infant of such a row as the audit trail names it (authority|number); empty where nobody is known."""
    return f"{row.patient_authority or ''}|{row.patient_value}" if row.patient_value else ""
