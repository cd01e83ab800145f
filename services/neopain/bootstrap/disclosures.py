"""Who saw or changed what of an infant: ``neopain disclosures``."""

from __future__ import annotations

import json
from collections.abc import Iterator

from neopain.charting.alert_desk import ALERT_READ
from neopain.charting.audit.of_infant import ASKED, AskedOf, ToldRow, read_rows_of
from neopain.charting.desk import at_desk
from neopain.charting.disclosures import BUS_READ, QUERIED
from neopain.charting.looks import ENTRY_READ
from neopain.charting.settings import ChartingSettings
from neopain.codecs.fhir.audit_event import ACTIONS, NOTIFIED, READ, SEARCHED
from neopain.runtime.clock import SystemClock
from neopain.runtime.settings import read_settings

SEEN = {READ, SEARCHED, QUERIED, BUS_READ, ASKED, ALERT_READ, ENTRY_READ, NOTIFIED}
WAY = ("asked", "refused", "address", "client", "bed", "kind", "value", "status", "reason", "why", "held_reason")
"""What of a row's detail is on its line, in this order; all of it is in the JSON."""


def print_disclosures(asked: AskedOf, *, as_json: bool) -> int:
    """Prints a line for each row about the infant, the oldest first: patient data, and itself in the audit trail."""
    with at_desk(read_settings(ChartingSettings).database_url) as engine:
        told = read_rows_of(engine, SystemClock(), asked)
    if as_json:
        for row in told.rows:
            print(json.dumps(_as_object(row)))
        return 0
    print(f"infant {' = '.join(told.numbers)}: {len(told.rows)} rows of the audit trail")
    print("\n".join(_lines(told.rows)))
    return 0


def _lines(rows: tuple[ToldRow, ...]) -> Iterator[str]:
    for row in rows:
        said = (f"{name} {row.detail[name]}" for name in WAY if row.detail.get(name) not in (None, ""))
        parts = (
            f"{row.recorded:%Y-%m-%d %H:%M:%S}Z",
            f"{_did(row):7}",
            row.actor,
            row.event,
            f"entry {row.entry_id}" if row.entry_id else "",
            ", ".join(said),
        )
        yield "  ".join(filter(None, parts))


def _did(row: ToldRow) -> str:
    if row.detail.get("refused"):
        return "refused"
    return "saw" if row.event in SEEN else "changed" if row.event in ACTIONS else "did"


def _as_object(row: ToldRow) -> dict[str, object]:
    return {
        "row": row.place,
        "recorded": row.recorded.isoformat(),
        "did": _did(row),
        "actor": row.actor,
        "event": row.event,
        "entry": row.entry_id,
        "infant": row.patient,
        "detail": dict(row.detail),
    }
