"""``neopain study export``: what a study has kept, as CSV or JSON lines."""

from __future__ import annotations

import csv
import io
import json
import os
import secrets
import sys
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path

from neopain.charting.desk import at_desk
from neopain.charting.settings import ChartingSettings
from neopain.charting.study_export import StudyAsked, StudyRow, count_rows, read_study
from neopain.domain.identity import Unit
from neopain.errors import ConfigurationError
from neopain.runtime.clock import SystemClock
from neopain.runtime.settings import read_settings

LEAST_KEY = 16
"""Bytes of a site's key."""


@dataclass(frozen=True, slots=True)
class StudyWish:
    """What the command line asks for; ``out`` None: standard output, ``key`` None: a new one that is thrown away."""

    since: datetime
    until: datetime
    unit: str
    form: str
    out: Path | None
    key: Path | None
    by: str
    reason: str


def export_study(wish: StudyWish) -> int:
    """Writes the rows; ``ConfigurationError`` for what cannot be meant, before anything is read."""
    if wish.since >= wish.until:
        raise ConfigurationError(f"--from {wish.since.isoformat()} is not before --to {wish.until.isoformat()}")
    if wish.out is not None and wish.out.exists():
        raise ConfigurationError(f"{wish.out} is there already: name another file")
    if wish.out is not None and not wish.out.absolute().parent.is_dir():
        raise ConfigurationError(f"{wish.out}: there is no folder {wish.out.absolute().parent}")
    asked = StudyAsked(wish.since, wish.until, _unit(wish.unit), wish.by, wish.reason, _key(wish.key))
    with at_desk(read_settings(ChartingSettings).database_url) as engine:
        rows = read_study(engine, SystemClock(), asked)
    text = _as_csv(rows) if wish.form == "csv" else "".join(f"{json.dumps(asdict(row))}\n" for row in rows)
    if wish.out is None:
        sys.stdout.write(text)
    else:
        _write(wish.out, text)
    counts = count_rows(rows)
    told = f"{counts.pairs} pairs, {counts.nurse_alone} of a nurse alone, {counts.suggestion_alone} of ours alone"
    print(told, file=sys.stderr)
    return 0


def _unit(text: str) -> Unit | None:
    if not text:
        return None
    name, _, facility = text.partition("@")
    if not name:
        raise ConfigurationError(f"--unit {text!r} is no unit: NICU, or NICU@FACILITY")
    return Unit(name, facility)


def _key(path: Path | None) -> bytes:
    if path is None:
        return secrets.token_bytes(32)
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(f"--key {path} cannot be read ({error.strerror})") from error
    if len(key) < LEAST_KEY:
        raise ConfigurationError(f"--key {path} has {len(key)} bytes: a key has at least {LEAST_KEY}")
    return key


def _as_csv(rows: list[StudyRow]) -> str:
    """Comma-separated (RFC 4180) with a line of names; what is not there is empty, true and false are words."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow([one.name for one in fields(StudyRow)])
    for row in rows:
        writer.writerow([_cell(value) for value in asdict(row).values()])
    return written.getvalue()


def _cell(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


def _write(path: Path, text: str) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written ({error.strerror})") from error
