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
from neopain.charting.audit.export import ExportAsked, export_audit
from neopain.charting.audit.exported import verify_export
from neopain.cli import run
from neopain.errors import ConfigurationError

from ...clocks import SetClock
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


def broken(path: Path, change: Callable[[list[str]], list[str]], anchors: Path | None = None) -> str:
    path.write_text("".join(change(path.read_text().splitlines(keepends=True))))
    found = verify_export(path, anchor_path=anchors)
    return f"{found.broken}: {found.reason}"


@pytest.mark.parametrize("name", ["trail.jsonl", "trail.jsonl.gz"])
def test_a_file_is_checked_without_database_and_settings(
    export: Export, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = export(name=name)
    monkeypatch.delenv("NEOPAIN_CHARTING_DATABASE_URL")
    capsys.readouterr()

    assert run(["audit", "verify", "--file", str(path)]) == 0

    text = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
    made = json.loads(text.splitlines()[0])["made"]
    assert capsys.readouterr().out == (
        "audit trail whole: 9 rows, 0 anchors outside the database agree; the file says that it holds all from the "
        f"beginning until {made}: charting 1 to 6, reads 1 to 3\n"
    )
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


def with_head(change: Callable[[dict[str, Any]], Any]) -> Callable[[list[str]], list[str]]:
    """Rows as they are, under a head that was edited."""

    def changed(lines: list[str]) -> list[str]:
        head = json.loads(lines[0])
        change(head)
        return [json.dumps(head) + "\n", *lines[1:]]

    return changed


def cut_behind(position: int, **head: str) -> Callable[[list[str]], list[str]]:
    """The rows of charting up to a position, and a head that says so."""

    def cut(lines: list[str]) -> list[str]:
        def edit(told: dict[str, Any]) -> None:
            told["chains"]["charting"]["last"] = position
            told.update(head)

        return with_head(edit)([*lines[: position + 1], *lines[7:]])

    return cut


def without_charting(lines: list[str]) -> list[str]:
    return with_head(lambda head: head["chains"].pop("charting"))([lines[0], *lines[7:]])


def begun_late(lines: list[str]) -> list[str]:
    begin = {"first": 3, "last": 6, "previous_hash": json.loads(lines[3])["previous_hash"]}
    return with_head(lambda head: head["chains"].update(charting=begin))([lines[0], *lines[3:]])


@pytest.fixture
def exported(trail: Engine, anchor_path: Path, tmp_path: Path) -> Callable[..., Path]:
    """A file of ten days after the beginning, of rows that were anchored two days before."""

    def export_it(since: datetime | None = None, until: datetime | None = None) -> Path:
        asked = ExportAsked(tmp_path / "cut.jsonl", "auditor", "inspection", since=since, until=until)
        export_audit(trail, SetClock(NOW + timedelta(days=10)), asked)
        return asked.path

    anchor_heads(trail, anchor_path, now=NOW + timedelta(days=8))
    return export_it


@pytest.mark.parametrize(
    ("cut", "verdict"),
    [
        (cut_behind(4), "charting/5: rows are missing at the end: the anchor outside the database has 6 at 2026-11-29"),
        (without_charting, "charting/1: rows are missing at the end: the anchor outside the database has 6 at "),
        (begun_late, "charting/1: rows are missing at the beginning: the file begins with 3"),
        (cut_behind(4, made="soon"), "line 1: expected a time, not 'soon'"),
    ],
)
def test_a_file_that_was_cut_together_with_its_head_is_missed_by_the_anchors(
    exported: Callable[..., Path], anchor_path: Path, cut: Callable[[list[str]], list[str]], verdict: str
) -> None:
    path = exported()
    assert verify_export(path, anchor_path=anchor_path).is_whole

    assert broken(path, cut, anchor_path).startswith(verdict)


def test_a_file_that_says_that_it_ends_before_its_anchors_is_told_with_its_end(
    exported: Callable[..., Path], anchor_path: Path
) -> None:
    path = exported()
    assert broken(path, cut_behind(4, until="2026-11-26T00:00:00Z"), anchor_path) == ": "

    assert verify_export(path, anchor_path=anchor_path).told == (
        "the file says that it holds all from the beginning until 2026-11-26T00:00:00+00:00: "
        "charting 1 to 4, reads 1 to 3"
    )


def test_a_stretch_of_time_is_held_against_the_anchors_of_within(
    exported: Callable[..., Path], trail: Engine, anchor_path: Path
) -> None:
    with trail.begin() as connection:
        append(connection, [AuditEvent("late", "test")], now=NOW + timedelta(days=9))
    anchor_heads(trail, anchor_path, now=NOW + timedelta(days=9, hours=1))
    path = exported(since=NOW + timedelta(days=5), until=NOW + timedelta(days=9, hours=2))
    assert verify_export(path, anchor_path=anchor_path).is_whole

    lines = path.read_text().splitlines(keepends=True)
    head = json.loads(lines[0])
    head["chains"]["charting"]["last"] = 6
    path.write_text("".join([json.dumps(head) + "\n", *lines[1:3]]))

    found = verify_export(path, anchor_path=anchor_path)
    assert (found.broken, found.reason[:28]) == ("charting/7", "rows are missing at the end:")


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
