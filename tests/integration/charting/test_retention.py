"""What is older than the site keeps it goes, held infants' data stay, the audit trail is whole without its months."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from neopain.charting.aggregates import drop_days, ensure_days
from neopain.charting.audit import AuditEvent, anchor_heads, append
from neopain.charting.audit.anchor import read_anchors
from neopain.charting.audit.checkpoint import read_trusted_keys
from neopain.charting.audit.export import ExportAsked, export_audit
from neopain.charting.audit.exported import verify_export
from neopain.charting.audit.months import ensure_partitions
from neopain.charting.audit.restored import accept_restore
from neopain.charting.audit.verify import verify_audit
from neopain.charting.retention import rows as rows_of
from neopain.charting.retention.holds import place_hold, release_hold
from neopain.charting.retention.run import run_retention, what_is_due
from neopain.charting.settings import ChartingSettings
from neopain.charting.unit_of_work import unit_of_work
from neopain.cli import run
from neopain.domain.alert_policy import AlertPolicy
from neopain.domain.policy import ChartingPolicy
from neopain.errors import ConfigurationError

Rows = Callable[[str], list[dict[str, Any]]]
Count = Callable[[str], int]
Tamper = Callable[..., None]

LATER = timedelta(days=40)


@pytest.fixture
def key_path(tmp_path: Path) -> Path:
    path = tmp_path / "signing.pem"
    key = generate_private_key(SECP384R1())
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path.with_name("public.pem").write_bytes(public)
    return path


@dataclass(frozen=True, slots=True)
class Shelf:
    """A ward's database, and what is done to it; ``owner`` and ``url`` are of the role that may delete."""

    ward: Any
    owner: Engine
    url: str
    count: Count
    rows: Rows
    tamper: Tamper

    def clean(self, **settings: Any) -> list[str]:
        """Runs retention with these settings; gives what it said."""
        said: list[str] = []
        read = ChartingSettings(database_url=self.url, **settings)
        run_retention(self.owner, self.ward.clock, read, by="job", say=said.append)
        return said


@pytest.fixture
def shelf(ward: Any, owner_engine: Engine, owner_database: str, *, count: Count, rows: Rows, tamper: Tamper) -> Shelf:
    return Shelf(ward, owner_engine, owner_database, count, rows, tamper)


def delivered(tamper: Tamper) -> None:
    tamper("UPDATE outbox SET state = 'confirmed'")


def another(ward: Any) -> Any:
    other = type(ward)(ward.engine, ward.clock)
    other.admit(other.infant)
    return other


# -- entries and alerts -----------------------------------------------------------------------------------------------


def test_entries_go_with_all_that_hangs_on_them_and_it_is_in_the_audit_trail(shelf: Shelf) -> None:
    shelf.ward.chart(2)
    delivered(shelf.tamper)
    (old, new) = shelf.rows("SELECT entry_id FROM entries ORDER BY ends")
    shelf.tamper(
        f"INSERT INTO entry_statuses VALUES ('{old['entry_id']}', 1, 'final', 'N', now(), 'review', '')",  # noqa: S608
        f"INSERT INTO reviews VALUES ('{old['entry_id']}', 1, 'accept', 'n', 'i', 'N', now(), '', 1)",  # noqa: S608
        f"UPDATE entries SET ends = ends + interval '1 day' WHERE entry_id = '{new['entry_id']}'",  # noqa: S608
    )
    shelf.ward.clock.advance(timedelta(days=30, seconds=60).total_seconds())

    assert shelf.clean(retention_entries_days=30) == [
        "entries: 1 deleted, from before 2026-10-05",
        "procedures: 0 deleted, from before 2026-10-05",
    ]

    assert [row["entry_id"] for row in shelf.rows("SELECT entry_id FROM entries")] == [new["entry_id"]]
    assert {table: shelf.count(table) for table in ("outbox", "entry_statuses", "reviews")} == {
        "outbox": 1,
        "entry_statuses": 0,
        "reviews": 0,
    }
    (deleted,) = shelf.rows("SELECT actor, patient, detail FROM audit WHERE event = 'retention_deleted'")
    assert (deleted["actor"], deleted["patient"]) == ("job", f"HOSP|{shelf.ward.infant.value}")
    assert json.loads(deleted["detail"]) == {"class": "entries", "before": "2026-10-05T12:01:00+00:00", "rows": 1}
    assert verify_audit(shelf.url).is_whole


def test_without_settings_nothing_goes(shelf: Shelf) -> None:
    shelf.ward.chart()
    delivered(shelf.tamper)
    shelf.ward.clock.advance(LATER.total_seconds() * 100)

    assert shelf.clean() == ["everything is kept for good: see NEOPAIN_CHARTING_RETENTION_*"]
    assert shelf.count("entries") == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE outbox SET state = 'pending'",
        "UPDATE outbox SET state = 'rejected'",
        "UPDATE entries SET state = 'held', patient_value = NULL",
    ],
)
def test_what_a_person_or_the_ehr_still_waits_for_is_kept(shelf: Shelf, statement: str) -> None:
    shelf.ward.chart()
    delivered(shelf.tamper)
    shelf.tamper(statement)
    shelf.ward.clock.advance(LATER.total_seconds())

    assert shelf.clean(retention_entries_days=30)[0].startswith("entries: 0 deleted")
    assert shelf.count("entries") == 1


def test_a_nurses_own_entry_goes_after_the_one_that_she_reviewed(shelf: Shelf) -> None:
    shelf.ward.chart(2)
    delivered(shelf.tamper)
    shelf.tamper(
        "INSERT INTO reviews (entry_id, number, act, reviewer, issuer, display, moment, reason, seen_version)"
        " SELECT entry_id, 1, 'change', 'n', 'i', 'N', now(), '', 1 FROM entries ORDER BY ends DESC LIMIT 1",
        "UPDATE reviews SET assessment_id = (SELECT entry_id FROM entries ORDER BY ends LIMIT 1)",
    )
    shelf.ward.clock.advance(LATER.total_seconds())

    shelf.clean(retention_entries_days=30)

    assert (shelf.count("entries"), shelf.count("reviews")) == (0, 0)


def test_an_alert_that_goes_on_is_kept_and_an_ended_one_goes(shelf: Shelf) -> None:
    shelf.ward.policy = ChartingPolicy(name="p", lateness=timedelta(seconds=2), alert=AlertPolicy(enabled=True))
    shelf.ward.take(*(shelf.ward.score(second, 8.0) for second in range(0, 21, 5)))
    shelf.ward.clock.advance(LATER.total_seconds())
    shelf.clean(retention_alerts_days=30)
    assert shelf.count("alerts") == 1

    shelf.tamper("UPDATE alert_watches SET alert_id = NULL")
    shelf.clean(retention_alerts_days=30)

    assert (shelf.count("alerts"), shelf.count("alert_events")) == (0, 0)


def test_rows_that_are_only_added_to_are_still_refused_to_everybody_else(
    ward: Any, owner_engine: Engine, tamper: Tamper
) -> None:
    ward.policy = ChartingPolicy(name="p", lateness=timedelta(seconds=2), alert=AlertPolicy(enabled=True))
    ward.take(*(ward.score(second, 8.0) for second in range(0, 21, 5)))
    ward.chart(first=100)
    tamper(
        "INSERT INTO entry_statuses SELECT entry_id, 1, 'final', 'N', now(), 'review', '' FROM entries",
        "INSERT INTO reviews SELECT entry_id, 1, 'accept', 'n', 'i', 'N', now(), '', 1 FROM entries",
    )

    for table in ("reviews", "entry_statuses", "alerts", "alert_events"):
        with pytest.raises(DBAPIError, match="append-only"), owner_engine.begin() as connection:
            connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - the test's own


def test_a_run_that_was_killed_between_two_batches_goes_on(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.ward.chart(3)
    delivered(shelf.tamper)
    shelf.ward.clock.advance(LATER.total_seconds())
    monkeypatch.setattr(rows_of, "MOST", 1)

    def dies(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(rows_of, "_deleted", dies)
        with pytest.raises(KeyboardInterrupt):
            shelf.clean(retention_entries_days=30)
    assert shelf.count("entries") == 3

    assert shelf.clean(retention_entries_days=30)[0] == "entries: 3 deleted, from before 2026-10-15"


# -- holds -------------------------------------------------------------------------------------------------------------


def test_a_held_infants_entries_stay_until_the_hold_is_released(shelf: Shelf) -> None:
    other = another(shelf.ward)
    shelf.ward.chart()
    other.chart()
    delivered(shelf.tamper)
    hold = place_hold(shelf.ward.engine, shelf.ward.clock, shelf.ward.infant.value, None, by="legal", reason="case 12")
    shelf.ward.clock.advance(LATER.total_seconds())
    settings = ChartingSettings(database_url=shelf.url, retention_entries_days=30)
    (entries, *_) = what_is_due(shelf.ward.engine, shelf.ward.clock, settings)
    assert (entries.due, entries.held) == (1, 1)

    shelf.clean(retention_entries_days=30)
    assert [row["patient_value"] for row in shelf.rows("SELECT patient_value FROM entries")] == [
        shelf.ward.infant.value
    ]

    release_hold(shelf.ward.engine, shelf.ward.clock, hold.id, by="legal", reason="closed")
    shelf.clean(retention_entries_days=30)
    assert shelf.rows("SELECT 1 FROM entries") == []
    audited = shelf.rows("SELECT event, actor, patient FROM audit WHERE event LIKE 'legal_hold%' ORDER BY position")
    assert [(row["event"], row["actor"], row["patient"]) for row in audited] == [
        ("legal_hold_placed", "legal", f"HOSP|{shelf.ward.infant.value}"),
        ("legal_hold_released", "legal", f"HOSP|{shelf.ward.infant.value}"),
    ]


def test_a_hold_waits_for_the_batch_that_is_being_deleted_without_it(shelf: Shelf) -> None:
    shelf.ward.chart()
    delivered(shelf.tamper)
    shelf.ward.clock.advance(LATER.total_seconds())
    entries = rows_of.CLASSES[0]
    now = shelf.ward.clock.now()
    with ThreadPoolExecutor(max_workers=1) as pool:
        with unit_of_work(shelf.owner, shelf.ward.clock) as unit:
            assert rows_of.delete_batch(unit, entries, before=now, by="job", now=now) == 1
            number = shelf.ward.infant.value
            placed = pool.submit(
                place_hold, shelf.ward.engine, shelf.ward.clock, number, None, by="legal", reason="case 12"
            )
            while not shelf.rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
                assert not placed.done()
        placed.result()

    events = [row["event"] for row in shelf.rows("SELECT event FROM audit ORDER BY position")]
    assert events[-2:] == ["retention_deleted", "legal_hold_placed"]


def test_a_hold_waits_for_the_days_of_aggregates_that_are_being_dropped_without_it(shelf: Shelf) -> None:
    ward = shelf.ward
    ward.chart()
    with ThreadPoolExecutor(max_workers=1) as pool:
        with unit_of_work(ward.engine, ward.clock) as unit:
            drop_days(unit, now=ward.clock.now() + LATER, kept=timedelta(days=7))
            placed = pool.submit(
                place_hold, ward.engine, ward.clock, ward.infant.value, None, by="legal", reason="case 12"
            )
            while not shelf.rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
                assert not placed.done()
        assert placed.result().numbers == 1


def test_a_number_that_is_merged_after_the_hold_is_held_too(shelf: Shelf) -> None:
    shelf.ward.chart()
    delivered(shelf.tamper)
    place_hold(shelf.ward.engine, shelf.ward.clock, shelf.ward.infant.value, "HOSP", by="legal", reason="case 12")
    shelf.tamper("UPDATE entries SET patient_value = 'M2'")
    with shelf.ward.engine.begin() as connection:
        detail = {"was_entry_of": f"HOSP|{shelf.ward.infant.value}"}
        append(
            connection,
            [AuditEvent("entry_renumbered", "x", patient="HOSP|M2", detail=detail)],
            now=shelf.ward.clock.now(),
        )
    shelf.ward.clock.advance(LATER.total_seconds())

    shelf.clean(retention_entries_days=30)

    assert [row["patient_value"] for row in shelf.rows("SELECT patient_value FROM entries")] == ["M2"]
    assert [row["patient"] for row in shelf.rows("SELECT patient FROM audit WHERE event = 'legal_hold_extended'")] == [
        "HOSP|M2"
    ]


@pytest.mark.usefixtures("own_database")
def test_a_held_infants_aggregates_outlive_their_day(ward: Any, rows: Rows, tamper: Tamper) -> None:
    other = another(ward)
    with ward.engine.begin() as connection:
        ensure_days(connection, now=ward.clock.now())
    ward.chart()
    other.chart()
    hold = place_hold(ward.engine, ward.clock, ward.infant.value, None, by="legal", reason="case 12")
    tamper(
        "INSERT INTO aggregates (bed, kind, begins, ends, patient_authority, patient_value, count, detail, written)"
        " SELECT bed, 'score', begins, ends, patient_authority, patient_value, 1, '{}', now() FROM entries"
    )

    def left_after(days: int) -> list[str]:
        with unit_of_work(ward.engine, ward.clock) as unit:
            drop_days(unit, now=ward.clock.now() + timedelta(days=days), kept=timedelta(days=7))
        return [row["patient_value"] for row in rows("SELECT patient_value FROM aggregates")]

    assert left_after(8) == [ward.infant.value]
    assert rows("SELECT to_regclass('aggregates_2026_10_05') AS day") == [{"day": None}]
    assert left_after(9) == [ward.infant.value]
    release_hold(ward.engine, ward.clock, hold.id, by="legal", reason="closed")
    assert left_after(9) == []


def test_a_hold_is_neither_changed_nor_removed(ward: Any, owner_engine: Engine) -> None:
    ward.chart()
    place_hold(ward.engine, ward.clock, ward.infant.value, None, by="legal", reason="case 12")

    for statement in ("DELETE FROM legal_holds", "UPDATE legal_holds SET reason = 'x'", "TRUNCATE legal_holds"):
        with pytest.raises(DBAPIError, match="append-only"), owner_engine.begin() as connection:
            connection.execute(text(statement))


def test_a_hold_of_nobody_and_a_release_of_none_are_named(ward: Any) -> None:
    with pytest.raises(ConfigurationError, match="no row of the audit trail is about number 0815"):
        place_hold(ward.engine, ward.clock, "0815", None, by="legal", reason="case 12")
    with pytest.raises(ConfigurationError, match="no hold 0815 is in force"):
        release_hold(ward.engine, ward.clock, "0815", by="legal", reason="closed")


# -- months of the audit trail -----------------------------------------------------------------------------------------

BEGIN = datetime(2026, 1, 15, tzinfo=UTC)


@pytest.fixture
def months(own_database: str, engine: Engine) -> Engine:
    """Ten rows of each of two chains in six months; the second is recorded in a later month than the third."""
    with engine.begin() as connection:
        ensure_partitions(connection, now=BEGIN, months=6)
    for number in range(10):
        moment = BEGIN + timedelta(days=16 * number)
        if number == 2:
            moment = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
        if number == 1:
            moment = datetime(2026, 2, 1, tzinfo=UTC)
        for chain in ("charting", "reads"):
            with engine.begin() as connection:
                append(connection, [AuditEvent("x", "test", patient=f"HOSP|{number}")], now=moment, chain=chain)
    return engine


def test_a_month_is_dropped_for_a_signed_checkpoint_and_the_rest_is_verified(
    months: Engine, shelf: Shelf, key_path: Path, tmp_path: Path
) -> None:
    anchors = tmp_path / "anchors.jsonl"
    anchor_heads(months, anchors, now=BEGIN)
    settings: dict[str, Any] = {
        "retention_entries_days": 30,
        "retention_alerts_days": 30,
        "retention_audit_months": 7,
        "audit_anchor_path": anchors,
    }
    with pytest.raises(ConfigurationError, match="2 months of the audit trail are due: NEOPAIN_CHARTING_AUDIT_SIGNING"):
        shelf.clean(**settings)

    said = shelf.clean(**settings, audit_signing_key=key_path)

    assert said[3:] == ["audit: 2026-01 dropped, 4 rows, signed", "audit: 2026-02 dropped, 2 rows, signed"]
    assert shelf.rows("SELECT to_regclass('audit_2026_01') AS january") == [{"january": None}]
    trusted = read_trusted_keys(key_path.with_name("public.pem"))
    found = verify_audit(shelf.url, anchor_path=anchors, trusted=trusted)
    assert (found.reason, found.dropped) == ("", 6)
    assert "and 6 dropped by signed checkpoints" in found.as_text()
    assert shelf.rows("SELECT detail FROM audit WHERE event = 'audit_month_dropped'")[0] == {
        "detail": '{"month":"2026-01","rows":4}'
    }


def test_a_checkpoint_of_an_unknown_key_is_no_whole_trail(months: Engine, shelf: Shelf, key_path: Path) -> None:
    shelf.clean(
        retention_entries_days=30, retention_alerts_days=30, retention_audit_months=7, audit_signing_key=key_path
    )
    other = generate_private_key(SECP384R1()).public_key()

    for trusted in ((), (other,)):
        found = verify_audit(shelf.url, trusted=trusted)
        assert (found.broken, found.is_whole) == ("checkpoint", False)
        assert "not among the trusted ones" in found.reason


def test_a_month_that_names_a_held_infant_stays_and_the_others_go(months: Engine, shelf: Shelf, key_path: Path) -> None:
    with months.begin() as connection:
        event = AuditEvent("fhir_searched", "nurse", infants=("HOSP|0", "HOSP|77"))
        append(connection, [event], now=datetime(2026, 3, 1, tzinfo=UTC), chain="reads")
    place_hold(months, shelf.ward.clock, "77", "HOSP", by="legal", reason="case 12")

    said = shelf.clean(
        retention_entries_days=30, retention_alerts_days=30, retention_audit_months=5, audit_signing_key=key_path
    )

    assert said[3] == "audit: 2026-03 kept for holds"
    assert [line.split()[1:3] for line in said[4:]] == [
        ["2026-01", "dropped,"],
        ["2026-02", "dropped,"],
        ["2026-04", "dropped,"],
    ]
    trusted = read_trusted_keys(None, key_path)
    assert verify_audit(shelf.url, trusted=trusted).reason == ""
    path = key_path.with_name("trail.jsonl")
    export_audit(months, shelf.ward.clock, ExportAsked(path, by="auditor", reason="inspection"))
    assert verify_export(path, trusted=trusted).reason == ""
    assert verify_export(path).reason.endswith("were not looked at, since no keys were given")


def test_an_infant_that_only_rows_about_several_name_is_held_without_its_authority(
    months: Engine, shelf: Shelf
) -> None:
    with months.begin() as connection:
        event = AuditEvent("fhir_searched", "nurse", infants=("LAB|4711", "HOSP|77"))
        append(connection, [event], now=datetime(2026, 3, 1, tzinfo=UTC), chain="reads")

    place_hold(months, shelf.ward.clock, "4711", None, by="legal", reason="case 12")

    assert shelf.rows("SELECT patient FROM legal_holds") == [{"patient": "LAB|4711"}]


def test_after_a_restore_anchors_around_a_dropped_month_still_count(
    months: Engine, shelf: Shelf, key_path: Path, tmp_path: Path
) -> None:
    anchors = tmp_path / "anchors.jsonl"
    rows = shelf.rows("SELECT chain, position, hash FROM audit WHERE chain = 'charting' ORDER BY position")
    lost = {"chain": "charting", "position": 500, "hash": "0" * 64}
    anchors.write_text("".join(json.dumps({**row, "anchored": "2026-06-01"}) + "\n" for row in [*rows, lost]))
    # The infant of the third row: its month stays, and that after it goes.
    place_hold(months, shelf.ward.clock, "2", "HOSP", by="legal", reason="case 12")
    shelf.clean(
        retention_entries_days=30, retention_alerts_days=30, retention_audit_months=5, audit_signing_key=key_path
    )

    accepted = accept_restore(months, shelf.ward.clock, anchors, by="dba", reason="the disk was lost")

    assert [(one.first, one.last) for one in accepted.values()] == [(500, 500)]
    assert len(read_anchors(anchors).anchors) == len(rows)
    assert verify_audit(shelf.url, anchor_path=anchors, trusted=read_trusted_keys(None, key_path)).is_whole


def test_no_month_of_a_broken_trail_is_dropped(months: Engine, shelf: Shelf, key_path: Path) -> None:
    shelf.tamper("UPDATE audit SET actor = 'x' WHERE chain = 'reads' AND position = 2")

    with pytest.raises(ConfigurationError, match="no month is dropped: audit trail BROKEN at reads/2"):
        shelf.clean(
            retention_entries_days=30, retention_alerts_days=30, retention_audit_months=7, audit_signing_key=key_path
        )
    assert shelf.count("audit_checkpoints") == 0


def test_the_audit_trail_is_not_kept_shorter_than_what_it_tells_of() -> None:
    url = "postgresql+psycopg2://nobody@127.0.0.1:1/none"
    for days in ({}, {"retention_entries_days": 400, "retention_alerts_days": 30}):
        with pytest.raises(ValueError, match="kept no shorter than entries and alerts"):
            ChartingSettings(database_url=url, retention_audit_months=12, **days)


# -- the commands ------------------------------------------------------------------------------------------------------


def test_the_commands_show_hold_run_and_release(
    ward: Any, owner_database: str, tamper: Tamper, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ward.chart()
    delivered(tamper)
    monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", owner_database)
    monkeypatch.setenv("NEOPAIN_CHARTING_RETENTION_ENTRIES_DAYS", "1")
    tamper("UPDATE entries SET begins = '2020-01-01', ends = '2020-01-02'")

    def neopain(*arguments: str) -> list[str]:
        assert run(["retention", *arguments]) == 0
        return capsys.readouterr().out.splitlines()

    assert neopain("show") == [
        "entries     kept 1 days  1 rows due",
        "alerts      kept for good",
        "procedures  kept 1 days  0 rows due",
        "audit       kept for good",
        "aggregates  kept 7 days  dropped by the consumer, whole days",
        "no hold is in force",
    ]
    (held,) = neopain("hold", ward.infant.value, "--by", "legal", "--why", "case 12")
    hold_id = held.split()[1]
    assert held.endswith("by legal  1 number  case 12")
    assert ward.infant.value not in held
    assert neopain("run", "--by", "job", "--dry-run")[0] == "entries     kept 1 days  0 rows due  1 rows kept by holds"
    assert neopain("run", "--by", "job")[0].startswith("entries: 0 deleted")
    assert neopain("release", hold_id, "--by", "legal", "--why", "closed") == [f"{hold_id}  released"]
    assert neopain("run", "--by", "job")[0].startswith("entries: 1 deleted")
    (shown,) = neopain("show", "--json")
    assert json.loads(shown)["classes"][0] == {
        "name": "entries",
        "kept": "1 days",
        "unit": "rows",
        "due": 0,
        "held": 0,
        "months": [],
    }


def test_a_role_that_does_not_own_the_tables_is_told_so(
    database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", database)

    assert run(["retention", "run", "--by", "job"]) == 2

    assert (
        "role neopain_writer deletes nothing: run it with the URL of the role that migrates" in capsys.readouterr().err
    )


def test_a_scheduled_run_ends_with_2_where_a_person_is_needed_and_with_1_where_it_is_to_be_run_again(
    own_database: str,
    shelf: Shelf,
    key_path: Path,
    *,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    old = datetime(2020, 1, 15, tzinfo=UTC)
    with shelf.owner.begin() as connection:
        ensure_partitions(connection, now=old, months=1)
        append(connection, [AuditEvent("x", "test", patient="HOSP|1")], now=old)
    for name, value in {"ENTRIES_DAYS": "1", "ALERTS_DAYS": "1", "AUDIT_MONTHS": "2"}.items():
        monkeypatch.setenv(f"NEOPAIN_CHARTING_RETENTION_{name}", value)

    def retention(url: str) -> tuple[int, str]:
        monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", url)
        code = run(["retention", "run", "--by", "job"])
        told = capsys.readouterr()
        return code, (told.err or told.out).splitlines()[-1]

    code, told = retention(shelf.url)
    assert (code, told[:55]) == (2, "neopain: 1 months of the audit trail are due: NEOPAIN_C")
    assert retention("postgresql+psycopg2://nobody@127.0.0.1:1/none")[0] == 1
    hold = place_hold(shelf.owner, shelf.ward.clock, "1", None, by="legal", reason="case 12")
    assert retention(shelf.url) == (0, "audit: no month is due")
    release_hold(shelf.owner, shelf.ward.clock, hold.id, by="legal", reason="closed")
    monkeypatch.setenv("NEOPAIN_CHARTING_AUDIT_SIGNING_KEY", str(key_path))
    shelf.tamper("UPDATE audit SET actor = 'somebody' WHERE position = 1")
    code, told = retention(shelf.url)
    assert (code, told[:48]) == (2, "neopain: no month is dropped: audit trail BROKEN")
    shelf.tamper("UPDATE audit SET actor = 'test' WHERE position = 1")
    assert retention(shelf.url) == (0, "audit: 2020-01 dropped, 1 rows, signed")


def test_infants_of_several_batches_are_told_apart(shelf: Shelf) -> None:
    other = another(shelf.ward)
    shelf.ward.chart()
    other.chart()
    delivered(shelf.tamper)
    shelf.ward.clock.advance(LATER.total_seconds())

    shelf.clean(retention_entries_days=30)

    (deleted,) = shelf.rows("SELECT detail FROM audit WHERE event = 'retention_deleted'")
    both = sorted(f"HOSP|{one.infant.value}" for one in (shelf.ward, other))
    assert json.loads(deleted["detail"])["infants"] == both
