"""What has not reached the EHR, and what a person does about it: ``neopain outbox``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta

from neopain.charting.desk import Decision, at_desk, decide, doubt_restored, read_entry, read_outbox
from neopain.charting.outbox import DONE, RowState
from neopain.charting.settings import ChartingSettings
from neopain.charting.tracing import TracedEntry
from neopain.runtime.clock import SystemClock
from neopain.runtime.settings import read_settings
from neopain.runtime.user import user

STATES = {state.value: (state,) for state in RowState} | {
    "open": tuple(state for state in RowState if state not in DONE | {RowState.UNVERIFIED})
}
"""What can be listed: the rows in one state, or all that something is to be done about; a nurse has her own list."""


def list_outbox(*, state: str, most: int, as_json: bool) -> int:
    """Prints a line for each row of that state, oldest first, with the reason; no patient data."""
    with at_desk(_database_url()) as engine:
        rows = read_outbox(engine, STATES[state], most=most)
    for row in rows:
        print(json.dumps(_listed(row)) if as_json else _as_line(row))
    return 0


def show_outbox(entry_id: str, *, by: str, as_json: bool) -> int:
    """Prints one entry and its delivery: patient data, and in the audit trail as read by this person or user.

    ``ConfigurationError`` when it is in no outbox.
    """
    with at_desk(_database_url()) as engine:
        row = read_entry(engine, SystemClock(), entry_id, by=by or f"user {user()}")
    print(json.dumps(asdict(row), default=_said) if as_json else "\n".join(_as_page(row)))
    return 0


def decide_on(entry_ids: list[str], decision: Decision) -> int:
    """Does with each entry as decided; ends at the first with which it cannot be done (``ConfigurationError``)."""
    settings = read_settings(ChartingSettings)
    doubt = timedelta(seconds=settings.ehr_timeout_seconds + settings.doubt_seconds)
    with at_desk(settings.database_url) as engine:
        for entry_id in entry_ids:
            state = decide(engine, SystemClock(), entry_id, decision, doubt=doubt)
            print(f"{entry_id}  {state.value}", flush=True)
    return 0


def doubt(*, by: str, reason: str) -> int:
    """Has what is still to be sent looked for at the EHR first, since an older backup was restored."""
    with at_desk(_database_url()) as engine:
        doubted = doubt_restored(engine, SystemClock(), by=by, reason=reason)
    print(f"{doubted} entries may be in the EHR: they are looked for before they are sent")
    return 0


def _database_url() -> str:
    return read_settings(ChartingSettings).database_url


def _listed(row: TracedEntry) -> dict[str, object]:
    return {
        "entry": row.id,
        "bed": row.bed,
        "kind": row.kind,
        "status": row.told,
        "ends": _said(row.ends),
        "state": row.delivery,
        "failed_attempts": row.attempts,
        "due": _said(row.due),
        "sent": _said(row.attempted),
        "why": row.last_error,
    }


def _as_line(row: TracedEntry) -> str:
    tried = f"{row.attempts} failed" if row.attempts else ""
    told = f"to be told {row.told}" if row.told else ""
    parts = (row.id, row.delivery, row.bed, row.kind, f"to {_said(row.ends)}", told, tried, row.last_error)
    return "  ".join(filter(None, parts))


def _as_page(row: TracedEntry) -> Iterator[str]:
    value = row.value_said
    yield f"entry       {row.id}"
    yield f"bed         {row.bed}"
    yield f"infant      {row.infant}"
    yield f"kind        {row.kind}"
    yield f"from        {_said(row.begins)}"
    yield f"to          {_said(row.ends)}"
    yield f"value       {value}"
    yield f"issued      {_said(row.issued)}"
    yield f"status      {row.status}"
    yield from _delivery(row)
    for change in row.changes:
        yield f"told        {change.told}"
        yield from _delivery(change)


def _delivery(row: TracedEntry) -> Iterator[str]:
    yield f"delivery    {row.delivery}"
    yield f"tried       {row.attempts} times without an answer, next {_said(row.due) or '-'}"
    yield f"sent        {_said(row.attempted) or '-'}"
    settled = "accepted " if row.delivery == RowState.ACCEPTED.value else "confirmed"
    yield f"{settled}   {_said(row.confirmed) or '-'}{f', {row.ehr_reference}' if row.ehr_reference else ''}"
    yield f"why         {row.last_error or '-'}"
    if row.ehr_words:
        yield f"EHR says    {row.ehr_words}"


def _said(moment: object) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z" if isinstance(moment, datetime) else ""
