"""A backup by pg_dump, restored by pg_restore: the trail is whole, and one older than its anchors is named so."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from neopain.charting.audit import AuditEvent, anchor_heads, append
from neopain.charting.audit.months import ensure_partitions
from neopain.charting.audit.verify import verify_audit
from neopain.charting.database import connect
from neopain.cli import run
from neopain.embedded.postgres import OWNER, installation

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def write(engine: Engine, *numbers: int) -> None:
    for number in numbers:
        with engine.begin() as connection:
            append(connection, [AuditEvent("x", "test", entry_id=f"e{number}")], now=NOW + timedelta(days=number))


def last_event(engine: Engine) -> tuple[str, dict[str, Any]]:
    with engine.connect() as connection:
        row = connection.execute(text("SELECT event, detail FROM audit ORDER BY position DESC LIMIT 1")).one()
    return row.event, json.loads(row.detail)


def postgres(program: str, *arguments: str) -> None:
    """As docs/operations.md has it."""
    subprocess.run([str(installation() / "bin" / program), *arguments], check=True, capture_output=True)


@pytest.fixture
def restored(
    engine: Engine,
    database: str,
    empty_database: str,
    *,
    as_role: Callable[[str, str], str],
    anchor_path: Path,
    tmp_path: Path,
) -> str:
    """Five rows are backed up and anchored, then three more are written and anchored, then the backup is restored.

    Both are done by the databases' owner.
    """
    restored = as_role(empty_database, OWNER)
    with engine.begin() as connection:
        ensure_partitions(connection, now=NOW, months=2)
    write(engine, 1, 2, 3, 14, 15)
    anchor_heads(engine, anchor_path, now=NOW)
    backup = str(tmp_path / "neopain.dump")
    postgres("pg_dump", "--format=custom", f"--file={backup}", f"--dbname={_plain(as_role(database, OWNER))}")
    write(engine, 16, 17, 18)
    anchor_heads(engine, anchor_path, now=NOW + timedelta(days=18))
    postgres("pg_restore", "--exit-on-error", "--no-owner", f"--dbname={_plain(restored)}", backup)
    return restored


def _plain(url: str) -> str:
    return url.replace("+psycopg2", "")


def test_a_restored_trail_is_whole_and_guarded_and_an_older_one_is_named(
    restored: str, anchor_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify_audit(restored).as_text() == "audit trail whole: 5 rows, 0 anchors outside the database agree"
    found = verify_audit(restored, anchor_path=anchor_path)
    assert found.broken == "charting/6"
    assert found.reason == (
        "rows are missing at the end: the anchor outside the database has 8 at 2026-12-09T12:00:00+00:00. "
        "Either a backup from before that was restored, or the newest rows were cut off"
    )
    engine = connect(restored)
    for statement in ("DELETE FROM audit", "TRUNCATE audit_2026_11", "UPDATE audit_2026_12 SET actor = 'x'"):
        with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
            connection.execute(text(statement))

    write(engine, 20, 21, 22, 23)
    anchor_heads(engine, anchor_path, now=NOW + timedelta(days=23))
    assert "written anew" in verify_audit(restored, anchor_path=anchor_path).reason
    monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", restored)
    monkeypatch.setenv("NEOPAIN_CHARTING_AUDIT_ANCHOR_PATH", str(anchor_path))
    accept = ["audit", "restored", "--by", "dba", "--why", "the disk was lost"]
    assert run(accept) == 0
    assert capsys.readouterr().out == "charting: rows 8 to 8 are lost\n"
    assert verify_audit(restored, anchor_path=anchor_path).is_whole
    anchor_heads(engine, anchor_path, now=NOW + timedelta(days=24))
    lost = {"first": 8, "last": 8, "of_chain": "charting", "why": "the disk was lost"}
    assert last_event(engine) == ("audit_restored", lost)
    assert run(accept) == 2
    engine.dispose()
