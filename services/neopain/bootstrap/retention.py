"""How long data are kept, and whose are kept in any case: ``neopain retention``."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial

from neopain.charting.desk import at_desk
from neopain.charting.retention.holds import Hold, place_hold, read_holds, release_hold
from neopain.charting.retention.run import Due, run_retention, what_is_due
from neopain.charting.settings import ChartingSettings
from neopain.runtime.clock import SystemClock
from neopain.runtime.settings import read_settings


def show_retention(*, as_json: bool) -> int:
    """Prints each class of data and the holds in force; no patient data."""
    settings = read_settings(ChartingSettings)
    with at_desk(settings.database_url) as engine:
        due, holds = what_is_due(engine, SystemClock(), settings), read_holds(engine)
    if as_json:
        told = {"classes": [asdict(one) for one in due], "holds": [asdict(one) for one in holds]}
        print(json.dumps(told, default=str))
        return 0
    print("\n".join(map(_due_line, due)))
    print(f"aggregates  kept {settings.aggregates_kept_days} days  dropped by the consumer, whole days")
    print("\n".join(map(_hold_line, holds)) if holds else "no hold is in force")
    return 0


def run_retention_now(*, by: str, is_dry: bool) -> int:
    """Deletes what is due, or says what would be; a line for each class and month."""
    settings = read_settings(ChartingSettings)
    with at_desk(settings.database_url) as engine:
        if is_dry:
            print("\n".join(map(_due_line, what_is_due(engine, SystemClock(), settings))))
        else:
            run_retention(engine, SystemClock(), settings, by=by, say=partial(print, flush=True))
    return 0


def hold_infant(number: str, authority: str | None, *, by: str, reason: str) -> int:
    """Keeps everything about an infant, and prints the hold's id."""
    with at_desk(read_settings(ChartingSettings).database_url) as engine:
        hold = place_hold(engine, SystemClock(), number, authority, by=by, reason=reason)
    print(_hold_line(hold))
    return 0


def release_infant(hold_id: str, *, by: str, reason: str) -> int:
    """Ends a hold."""
    with at_desk(read_settings(ChartingSettings).database_url) as engine:
        release_hold(engine, SystemClock(), hold_id, by=by, reason=reason)
    print(f"{hold_id}  released")
    return 0


def _due_line(due: Due) -> str:
    if not due.kept:
        return f"{due.name:10}  kept for good"
    named = f" ({', '.join(due.months)})" if due.months else ""
    held = f"  {due.held} {due.unit} kept by holds" if due.held else ""
    return f"{due.name:10}  kept {due.kept}  {due.due} {due.unit} due{named}{held}"


def _hold_line(hold: Hold) -> str:
    numbers = f"{hold.numbers} number{'s' if hold.numbers > 1 else ''}"
    return f"hold {hold.id}  since {hold.placed:%Y-%m-%d %H:%M:%S}Z  by {hold.by}  {numbers}  {hold.reason}"
