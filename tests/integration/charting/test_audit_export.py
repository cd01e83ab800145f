"""The trail as a file: checked without the database, by whoever has the file."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from neopain.charting.audit import AuditEvent, anchor_heads, append
from neopain.charting.audit.exported import verify_export
from neopain.cli import run
from neopain.errors import ConfigurationError

from ...fhir_validity import require_valid

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
Export = Callable[..., Path]


@pytest.fixture
def trail(engine: Engine) -> Engine:
    """Six rows of what charting did and two of reads, a day apart."""
    for number in range(1, 7):
        with engine.begin() as connection:
            event = AuditEvent("entry_charted", "test", entry_id=f"e{number}", patient="HOSP|ä", detail={"value": 1.5})
            append(connection, [event], now=NOW + timedelta(days=number))
    for number in range(1, 3):
        with engine.begin() as connection:
            read = AuditEvent("fhir_searched", "nurse", infants=("HOSP|1", "HOSP|2"))
            append(connection, [read], now=NOW + timedelta(days=number), chain="reads")
    return engine


@pytest.fixture
def export(trail: Engine, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Export:
    """Runs ``neopain audit export``; gives the file."""
    monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", database)

    def run_it(*arguments: str, name: str = "trail.jsonl") -> Path:
        path = tmp_path / name
        assert run(["audit", "export", str(path), "--by", "auditor", "--why", "inspection", *arguments]) == 0
        return path

    return run_it


def broken(path: Path, change: Callable[[list[str]], list[str]]) -> str:
    path.write_text("".join(change(path.read_text().splitlines(keepends=True))))
    found = verify_export(path)
    return f"{found.broken}: {found.reason}"


@pytest.mark.parametrize("name", ["trail.jsonl", "trail.jsonl.gz"])
def test_a_file_is_checked_without_database_and_settings(
    export: Export, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = export(name=name)
    monkeypatch.delenv("NEOPAIN_CHARTING_DATABASE_URL")
    capsys.readouterr()

    assert run(["audit", "verify", "--file", str(path)]) == 0

    assert capsys.readouterr().out == "audit trail whole: 9 rows, 0 anchors outside the database agree\n"
    assert path.stat().st_mode & 0o077 == 0
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == name.endswith(".gz")


def test_who_exports_is_in_the_trail_and_in_the_file(export: Export, rows: Any) -> None:
    last = json.loads(export().read_text().splitlines()[-1])

    assert (last["chain"], last["event"], last["actor"]) == ("reads", "audit_exported", "auditor")
    assert json.loads(last["detail"])["why"] == "inspection"
    assert rows("SELECT hash FROM audit WHERE event = 'audit_exported'") == [{"hash": last["hash"]}]


def test_a_stretch_of_time_is_checked_from_its_first_row_on(export: Export) -> None:
    path = export("--since", "2026-11-24", "--until", "2026-11-26")

    head, *lines = map(json.loads, path.read_text().splitlines())
    assert [(line["chain"], line["position"]) for line in lines] == [("charting", 3), ("charting", 4)]
    assert head["chains"]["charting"]["previous_hash"] == lines[0]["previous_hash"]
    assert verify_export(path).is_whole


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (
            lambda lines: [line.replace("1.5", "1.6") for line in lines],
            "charting/1: its content is not what was hashed",
        ),
        (lambda lines: [*lines[:3], *lines[4:]], "charting/3: the row is missing; the next one is 4"),
        (lambda lines: lines[:5], "charting/5: rows are missing at the end: the file's head says 6"),
        (lambda lines: lines[:7], "reads/1: the chain's rows are missing"),
        (lambda lines: [*lines, lines[1]], "charting/1: the file's head does not say that rows follow here"),
        (lambda lines: [*lines[:2], "{}\n"], "line 3: expected a row of the audit trail"),
    ],
)
def test_what_was_done_to_a_file_is_named(
    export: Export, change: Callable[[list[str]], list[str]], verdict: str
) -> None:
    assert broken(export(), change) == verdict


def test_a_file_that_was_written_anew_does_not_match_the_anchors(
    export: Export, trail: Engine, anchor_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    anchor_heads(trail, anchor_path, now=NOW)
    path = export()
    assert run(["audit", "verify", "--file", str(path), "--anchors", str(anchor_path)]) == 0
    assert "2 anchors outside the database agree" in capsys.readouterr().out

    forged = anchor_path.read_text().replace('"hash": "', '"hash": "0')
    anchor_path.write_text(forged)

    assert run(["audit", "verify", "--file", str(path), "--anchors", str(anchor_path)]) == 1
    assert "BROKEN at charting/6: the anchor outside the database has another hash" in capsys.readouterr().out


def test_as_audit_events_a_read_of_two_infants_is_two(export: Export) -> None:
    events = [json.loads(line) for line in export("--fhir").read_text().splitlines()]

    for event in events:
        require_valid(event)
    assert [event["id"] for event in events] == [
        *(f"charting-{number}" for number in range(1, 7)),
        *("reads-1-1", "reads-1-2", "reads-2-1", "reads-2-2", "reads-3"),
    ]


def test_a_file_that_is_there_is_not_written_over(export: Export, tmp_path: Path) -> None:
    export()
    other = ["audit", "export", str(tmp_path / "trail.jsonl"), "--by", "auditor", "--why", "again"]

    assert run(other) == 2


def test_what_is_no_export_is_named(export: Export, tmp_path: Path) -> None:
    truncated = export(name="trail.gz")
    truncated.write_bytes(truncated.read_bytes()[:200])
    (tmp_path / "other.jsonl").write_text("{}\n")
    (tmp_path / "other.gz").write_bytes(gzip.compress(b"{}\n"))

    for path, said in (("trail.gz", "cannot be read"), ("other.jsonl", "is no export"), ("other.gz", "is no export")):
        with pytest.raises(ConfigurationError, match=said):
            verify_export(tmp_path / path)
