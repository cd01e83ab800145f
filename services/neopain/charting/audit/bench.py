"""A long audit trail for measurements, each row with its place and its hash as ever. On a database of its own."""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import Engine

from neopain.charting.audit.chain import AuditEvent, Value
from neopain.charting.audit.verify import AuditVerification, verify_audit
from neopain.charting.unit_of_work import unit_of_work
from neopain.runtime.clock import SystemClock

AT_ONCE = 2000
DETAIL: dict[str, Value] = {
    "asked": "Observation?patient=0123456789abcdef",
    "client": "bench",
    "resources": 50,
    "status": 200,
}


def fill_trail(engine: Engine, *, rows: int) -> None:
    """Appends so many rows. ``DatabaseUnavailable``."""
    for begin in range(0, rows, AT_ONCE):
        with unit_of_work(engine, SystemClock()) as unit:
            for number in range(begin, min(begin + AT_ONCE, rows)):
                unit.audit(AuditEvent("bench", "bench", f"{number:032x}", f"BENCH|M{number % 1000}", DETAIL))


def measure_verification(database_url: str, *, anchor_path: Path) -> tuple[AuditVerification, float]:
    """What the walk over the whole trail finds, and the seconds that it takes."""
    begun = time.perf_counter()
    found = verify_audit(database_url, anchor_path=anchor_path)
    return found, time.perf_counter() - begun
