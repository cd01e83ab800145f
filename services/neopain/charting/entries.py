"""Entries as rows: what was charted or held, with everything that the EHR is to get."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, Row, select, update
from sqlalchemy.dialects.postgresql import insert

from neopain.charting.tables import ENTRIES
from neopain.domain.assignment import Assignment
from neopain.domain.charting import ChartedEntry, DraftEntry, entry_id
from neopain.domain.identity import PatientId
from neopain.errors import ContractBroken

DRAFT = TypeAdapter(DraftEntry)


class EntryState(Enum):
    """Whether an entry goes to the EHR."""

    CHARTED = "charted"
    HELD = "held"
    """Not sent: it is not known whose it is, or it is not for this EHR. A person resolves it."""


def add_entry(connection: Connection, draft: DraftEntry, whose: Assignment, *, held_reason: str, now: datetime) -> bool:
    """Writes an entry unless its stretch of the bed has one; returns whether it is new."""
    patient = whose.patient
    added = connection.execute(
        insert(ENTRIES)
        .values(
            entry_id=entry_id(draft, patient),
            bed=draft.bed,
            kind=draft.kind.value,
            begins=draft.begin,
            ends=draft.end,
            issued=now,
            state=(EntryState.HELD if held_reason else EntryState.CHARTED).value,
            held_reason=held_reason,
            patient_authority=patient.assigning_authority if patient else None,
            patient_value=patient.value if patient else None,
            patient_type=patient.type_code if patient else None,
            visit=whose.visit,
            value=draft.value,
            draft=DRAFT.dump_python(draft, mode="json"),
        )
        .on_conflict_do_nothing()
    )
    return bool(added.rowcount == 1)


def charted_entry(connection: Connection, wanted: str) -> ChartedEntry:
    """An entry as the EHR is to get it; ``ContractBroken`` when there is none or nobody knows whose it is."""
    row = connection.execute(select(ENTRIES).where(ENTRIES.c.entry_id == wanted)).one_or_none()
    if row is None or row.patient_value is None:
        raise ContractBroken(f"entry {wanted} is in the outbox and is not charted for an infant")
    return entry_of(row)


def entry_of(row: Row[Any]) -> ChartedEntry:
    """The entry of a row that has an infant; ``ContractBroken`` when another version wrote it otherwise."""
    try:
        draft = DRAFT.validate_python(row.draft)
    except ValidationError as error:
        places = ", ".join(".".join(map(str, one["loc"])) for one in error.errors())
        raise ContractBroken(f"entry {row.entry_id} is not what this version writes, at {places}") from error
    return ChartedEntry(
        draft=draft,
        patient=PatientId(row.patient_value, row.patient_authority or "", row.patient_type),
        visit=row.visit,
        issued=row.issued,
    )


def raise_version(connection: Connection, wanted: str, *, now: datetime) -> None:
    """Says that what is told of an entry has changed."""
    raised = update(ENTRIES).where(ENTRIES.c.entry_id == wanted)
    connection.execute(raised.values(version=ENTRIES.c.version + 1, updated=now))
