"""The trail as a file: NDJSON, a head, then the rows with their hashes, chain by chain; gzip where its name says so.

The head says which positions of each chain follow and the hash before the first, so that whoever has the file alone can
check it (``exported``). As AuditEvents it is for other systems: those have no hashes.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import ColumnElement, Connection, Engine, func, select, text

from neopain.charting.audit.chain import AuditEvent, append
from neopain.charting.audit.rows import chains_of, read_rows
from neopain.charting.audit.walk import Row
from neopain.charting.database import translated
from neopain.charting.disclosures import READS
from neopain.charting.tables import AUDIT, AUDIT_CHECKPOINTS
from neopain.charting.unit_of_work import unit_of_work
from neopain.codecs.fhir.audit_event import AuditRow, audit_events_of
from neopain.errors import ConfigurationError
from neopain.runtime.clock import Clock

EXPORTED = "audit_exported"
FORM = 1
GZIPPED = ".gz"


@dataclass(frozen=True, slots=True)
class ExportAsked:
    """Which rows are wanted (``until`` is not included), by whom and why; ``as_fhir``: as AuditEvents."""

    path: Path
    by: str
    reason: str
    since: datetime | None = None
    until: datetime | None = None
    as_fhir: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """The positions of a chain that a file holds, and the hash before the first."""

    first: int
    last: int
    previous_hash: str


@dataclass(frozen=True, slots=True)
class Head:
    """The first line of a file. ``checkpoints`` are the signed statements of what was dropped."""

    form: int
    made: str
    since: str
    until: str
    chains: dict[str, Stretch]
    checkpoints: tuple[str, ...]


def export_audit(engine: Engine, clock: Clock, asked: ExportAsked) -> int:
    """Writes the file and returns how many rows, or AuditEvents, are in it; who asks is in the trail before.

    ``ConfigurationError`` when the file is there already or cannot be written. ``DatabaseUnavailable``.
    """
    if asked.path.exists():
        raise ConfigurationError(f"{asked.path} is there already: name another file")
    now = clock.now()
    with unit_of_work(engine, clock) as unit:
        append(unit.connection, [_audited(asked)], now=now, chain=READS)
    with translated("exporting the audit trail"), engine.connect() as raw:
        connection = raw.execution_options(isolation_level="REPEATABLE READ")
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        head = _head(connection, asked, now=now)
        lines = _write(asked.path, _lines(connection, head, as_fhir=asked.as_fhir))
    return lines if asked.as_fhir else lines - 1


def _head(connection: Connection, asked: ExportAsked, *, now: datetime) -> Head:
    return Head(
        form=FORM,
        made=now.isoformat(),
        since=asked.since.isoformat() if asked.since else "",
        until=asked.until.isoformat() if asked.until else "",
        chains=dict(_stretches(connection, asked)),
        checkpoints=tuple(
            connection.scalars(select(AUDIT_CHECKPOINTS.c.statement).order_by(AUDIT_CHECKPOINTS.c.month))
        ),
    )


def _stretches(connection: Connection, asked: ExportAsked) -> Iterator[tuple[str, Stretch]]:
    """Of each chain, from the first row of the time that is asked for to the last: no row between them is left out."""
    for chain in chains_of(connection):
        of_chain = [AUDIT.c.chain == chain, *_within(asked)]
        query = select(func.min(AUDIT.c.position), func.max(AUDIT.c.position)).where(*of_chain)
        first, last = connection.execute(query).one()
        if first is None:
            continue
        at_first = select(AUDIT.c.previous_hash).where(AUDIT.c.chain == chain, AUDIT.c.position == first)
        yield chain, Stretch(int(first), int(last), str(connection.scalar(at_first)))


def _within(asked: ExportAsked) -> Iterator[ColumnElement[bool]]:
    if asked.since is not None:
        yield AUDIT.c.recorded >= asked.since
    if asked.until is not None:
        yield AUDIT.c.recorded < asked.until


def _lines(connection: Connection, head: Head, *, as_fhir: bool) -> Iterator[str]:
    if not as_fhir:
        yield json.dumps(asdict(head))
    for chain, stretch in head.chains.items():
        here = AUDIT.c.position.between(stretch.first, stretch.last)
        for row in read_rows(connection, AUDIT.c.chain == chain, here):
            yield from _as_fhir(row) if as_fhir else (_as_line(row),)


def _as_line(row: Row) -> str:
    content, previous_hash, hashed = row
    told = {**content._asdict(), "recorded": content.recorded.isoformat()}
    return json.dumps({**told, "previous_hash": previous_hash, "hash": hashed})


def _as_fhir(row: Row) -> Iterator[str]:
    told = row[0]._asdict()
    detail: dict[str, Any] = json.loads(told.pop("detail"))
    return (json.dumps(event) for event in audit_events_of(AuditRow(**told, detail=detail)))


def _write(path: Path, lines: Iterable[str]) -> int:
    """Writes the file under another name first: what is there under its own is all of it. Returns how many lines."""
    beside = path.with_name(f"{path.name}.part")
    count = 0
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as raw:
            with _compressed(raw) if path.suffix == GZIPPED else nullcontext(raw) as file:
                for line in lines:
                    file.write(f"{line}\n".encode())
                    count += 1
            raw.flush()
            os.fsync(raw.fileno())
        beside.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written ({error.strerror})") from error
    return count


def _compressed(raw: BinaryIO) -> gzip.GzipFile:
    # Neither name nor time in it: the same rows make the same file.
    return gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0)


def _audited(asked: ExportAsked) -> AuditEvent:
    return AuditEvent(
        event=EXPORTED,
        actor=asked.by,
        detail={
            "since": asked.since.isoformat() if asked.since else "",
            "until": asked.until.isoformat() if asked.until else "",
            "as_fhir": asked.as_fhir,
            "why": asked.reason,
        },
    )
