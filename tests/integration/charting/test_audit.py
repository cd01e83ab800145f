"""The audit trail: rows cannot be altered; what a superuser alters all the same is found and named."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from neopain.charting.audit import AuditEvent, anchor_heads, append
from neopain.charting.audit.chain import Content, row_hash
from neopain.charting.audit.months import ensure_partitions
from neopain.charting.audit.restored import accept_restore
from neopain.charting.audit.verify import verify_audit
from neopain.errors import ConfigurationError

from ...clocks import SetClock

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
Tamper = Callable[..., None]


@pytest.fixture
def chain(engine: Engine) -> Engine:
    """Ten rows in two months."""
    with engine.begin() as connection:
        ensure_partitions(connection, now=NOW, months=2)
    for number in range(1, 11):
        with engine.begin() as connection:
            event = AuditEvent("entry_charted", "test", entry_id=f"e{number}", detail={"value": number / 2})
            append(connection, [event], now=NOW + timedelta(days=3 * number))
    return engine


@pytest.mark.parametrize("table", ["audit", "audit_2026_11", "audit_other"])
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET event = 'x'", "DELETE FROM {}", "TRUNCATE {}", "UPDATE {} SET recorded = now()"]
)
def test_rows_are_neither_changed_nor_removed(chain: Engine, owner_engine: Engine, table: str, statement: str) -> None:
    with chain.begin() as connection:
        append(connection, [AuditEvent("late", "test")], now=NOW.replace(year=2099))

    with pytest.raises(DBAPIError, match="append-only"), owner_engine.begin() as connection:
        connection.execute(text(statement.format(table)))


def test_a_partition_that_is_made_later_is_guarded_too(chain: Engine, owner_engine: Engine) -> None:
    with chain.begin() as connection:
        ensure_partitions(connection, now=NOW.replace(year=2040), months=1)
        append(connection, [AuditEvent("x", "test")], now=NOW.replace(year=2040))

    with pytest.raises(DBAPIError, match="append-only"), owner_engine.begin() as connection:
        connection.execute(text("TRUNCATE audit_2040_11"))


@pytest.mark.parametrize("statement", ["DELETE FROM audit_heads", "TRUNCATE audit_heads"])
@pytest.mark.usefixtures("chain")
def test_a_head_is_not_removed(owner_engine: Engine, statement: str) -> None:
    with pytest.raises(DBAPIError, match="append-only"), owner_engine.begin() as connection:
        connection.execute(text(statement))


def test_an_untouched_chain_is_whole(chain: Engine, database: str) -> None:
    found = verify_audit(database)

    assert found.is_whole
    assert found.rows == 10


def test_an_empty_trail_is_whole(database: str) -> None:
    assert verify_audit(database).is_whole


@pytest.mark.parametrize(
    ("statement", "verdict"),
    [
        ("UPDATE audit SET detail = '{}' WHERE position = 4", "4: its content is not what was hashed"),
        ("UPDATE audit SET entry_id = 'e9' WHERE position = 4", "4: its content is not what was hashed"),
        ("UPDATE audit SET recorded = recorded - interval '1 s' WHERE position = 1", "1: its content is not"),
        ("UPDATE audit SET hash = repeat('a', 64) WHERE position = 7", "7: its content is not what was hashed"),
        ("UPDATE audit SET previous_hash = repeat('a', 64) WHERE position = 7", "7: its previous hash"),
        ("DELETE FROM audit WHERE position = 5", "5: the row is missing; the next one is 6"),
        ("DELETE FROM audit WHERE position = 1", "1: the row is missing"),
        ("DELETE FROM audit WHERE position > 8", "9: rows are missing at the end: the chain's head says 10"),
        ("TRUNCATE audit", "1: rows are missing at the end"),
        ("UPDATE audit SET position = 3 WHERE position = 6", "3: there is a second row in this place"),
        ("UPDATE audit_heads SET hash = repeat('b', 64)", "10: the chain's head is of another row"),
        ("DELETE FROM audit_heads", "10: the chain's head is missing"),
    ],
)
def test_the_first_broken_row_is_named(
    chain: Engine, database: str, tamper: Tamper, statement: str, verdict: str
) -> None:
    tamper(statement)

    found = verify_audit(database)

    assert not found.is_whole
    assert f"{found.broken}: {found.reason}".startswith(f"charting/{verdict}")


def test_a_tail_cut_off_together_with_its_head_is_missed_by_the_anchor(
    chain: Engine, database: str, tamper: Tamper, anchor_path: Path
) -> None:
    anchor_heads(chain, anchor_path, now=NOW)
    tamper(
        "DELETE FROM audit WHERE position > 8",
        "UPDATE audit_heads SET position = 8, hash = (SELECT hash FROM audit WHERE position = 8)",
    )

    assert verify_audit(database).is_whole
    found = verify_audit(database, anchor_path=anchor_path)
    assert (found.broken, found.is_whole) == ("charting/9", False)
    assert "the anchor outside the database has 10" in found.reason


def test_a_chain_written_anew_does_not_match_its_anchor(
    chain: Engine, database: str, tamper: Tamper, anchor_path: Path
) -> None:
    anchor_heads(chain, anchor_path, now=NOW)
    tamper(*rewritten_from(chain, position=9))

    assert verify_audit(database).is_whole
    found = verify_audit(database, anchor_path=anchor_path)
    assert found.broken == "charting/10"
    assert "the chain was written anew" in found.reason


def test_a_chain_written_anew_is_not_made_good_by_the_next_anchor(
    chain: Engine, database: str, tamper: Tamper, anchor_path: Path
) -> None:
    anchor_heads(chain, anchor_path, now=NOW)
    tamper(*rewritten_from(chain, position=9))
    assert anchor_heads(chain, anchor_path, now=NOW) == 1

    found = verify_audit(database, anchor_path=anchor_path)
    assert (found.broken, "written anew" in found.reason) == ("charting/10", True)


def rewritten_from(engine: Engine, *, position: int) -> list[str]:
    """Statements that change a row and make every later hash fit: what a superuser with our code could do."""
    with engine.connect() as connection:
        found = connection.execute(text("SELECT * FROM audit ORDER BY position")).mappings().all()
    previous, statements = found[position - 2]["hash"], []
    for row in found[position - 1 :]:
        event = "entry_held" if row["position"] == position else row["event"]
        values = {name: row[name] for name in Content._fields} | {"event": event}
        hashed = row_hash(Content(**values), previous)
        statements.append(
            f"UPDATE audit SET event = '{event}', previous_hash = '{previous}', hash = '{hashed}' "  # noqa: S608
            f"WHERE position = {row['position']}"
        )
        previous = hashed
    return [*statements, f"UPDATE audit_heads SET hash = '{previous}'"]  # noqa: S608


def test_the_anchor_is_written_only_when_the_head_has_moved(chain: Engine, anchor_path: Path) -> None:
    assert anchor_heads(chain, anchor_path, now=NOW) == 1
    assert anchor_heads(chain, anchor_path, now=NOW) == 0
    with chain.begin() as connection:
        append(connection, [AuditEvent("x", "test")], now=NOW)
    assert anchor_heads(chain, anchor_path, now=NOW) == 1

    lines: list[dict[str, Any]] = [json.loads(line) for line in anchor_path.read_text().splitlines()]
    assert [line["position"] for line in lines] == [10, 11]


def test_a_trail_that_has_grown_since_its_anchors_is_whole(chain: Engine, database: str, anchor_path: Path) -> None:
    anchor_heads(chain, anchor_path, now=NOW)
    with chain.begin() as connection:
        append(connection, [AuditEvent("x", "test"), AuditEvent("y", "test")], now=NOW)

    found = verify_audit(database, anchor_path=anchor_path)

    assert (found.is_whole, found.rows, found.anchors) == (True, 12, 1)


def test_an_anchor_file_that_cannot_be_read_is_not_taken_for_a_whole_trail(
    chain: Engine, database: str, anchor_path: Path
) -> None:
    anchor_path.parent.mkdir()
    anchor_path.write_text("not json\n")

    found = verify_audit(database, anchor_path=anchor_path)

    assert not found.is_whole
    assert "line 1" in found.reason


def test_a_torn_last_anchor_says_nothing_and_the_others_count(
    chain: Engine, database: str, tamper: Tamper, anchor_path: Path
) -> None:
    anchor_heads(chain, anchor_path, now=NOW)
    with anchor_path.open("a") as file:
        file.write('{"chain": "charting", "position": 11, "ha')

    found = verify_audit(database, anchor_path=anchor_path)
    assert found.as_text() == (
        "audit trail whole: 10 rows, 1 anchors outside the database agree, the newest of 2026-11-21T12:00:00+00:00, "
        "line 2 of their file is torn and says nothing"
    )
    tamper(*rewritten_from(chain, position=9))
    assert verify_audit(database, anchor_path=anchor_path).broken == "charting/10"


def test_an_anchor_after_a_torn_one_is_whole(chain: Engine, database: str, anchor_path: Path) -> None:
    anchor_path.parent.mkdir()
    anchor_path.write_text('{"cha')

    assert anchor_heads(chain, anchor_path, now=NOW) == 1
    assert anchor_heads(chain, anchor_path, now=NOW) == 0

    found = verify_audit(database, anchor_path=anchor_path)
    assert (found.is_whole, found.anchors, found.torn) == (True, 1, (1,))


def test_a_file_of_anchors_that_is_not_there_is_not_taken_for_a_whole_trail(
    chain: Engine, database: str, anchor_path: Path
) -> None:
    found = verify_audit(database, anchor_path=anchor_path)

    assert not found.is_whole
    assert found.as_text().startswith(f"audit trail BROKEN at anchor: there is no file of anchors {anchor_path}, ")


def test_before_its_first_row_a_trail_needs_no_anchors(database: str, anchor_path: Path) -> None:
    assert verify_audit(database, anchor_path=anchor_path).is_whole


def test_a_folder_is_no_file_of_anchors(chain: Engine, database: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        verify_audit(database, anchor_path=tmp_path)


def test_what_was_lost_is_not_known_without_a_file_of_anchors(chain: Engine, anchor_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no file of anchors"):
        accept_restore(chain, SetClock(NOW), anchor_path, by="dba", reason="the disk was lost")


def test_the_verdict_is_one_line_for_a_person(chain: Engine, database: str, tamper: Tamper) -> None:
    assert verify_audit(database).as_text() == "audit trail whole: 10 rows, 0 anchors outside the database agree"
    tamper("DELETE FROM audit WHERE position = 5")
    assert verify_audit(database).as_text() == "audit trail BROKEN at charting/5: the row is missing; the next one is 6"
