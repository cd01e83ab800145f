"""The schema: up, down and up again; by one process at a time; what the tables in the code say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text

from neopain.charting.audit import AuditEvent, append
from neopain.charting.audit.months import ensure_partitions
from neopain.charting.audit.verify import verify_audit
from neopain.charting.database import connect
from neopain.charting.migrate import migrate, migrate_down
from neopain.charting.schema import FOLDER, known_revisions, require_schema
from neopain.charting.tables import METADATA
from neopain.errors import ConfigurationError, DatabaseUnavailable


def tables(url: str) -> set[str]:
    engine = create_engine(url)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_down_and_up_again_gives_the_same_tables(empty_database: str) -> None:
    migrate(empty_database)
    first = tables(empty_database)
    migrate_down(empty_database, target="base")
    between = tables(empty_database)
    migrate(empty_database)

    assert {"entries", "outbox", "audit", "audit_other"} <= first
    assert between == {"alembic_version"}
    assert tables(empty_database) == first


def test_the_policy_revision_goes_down_and_up_with_the_rows_of_before(empty_database: str) -> None:
    migrate(empty_database, target="0001")
    engine = create_engine(empty_database)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO courses (bed, in_episode) VALUES ('NICU/1/A', true)"))
    migrate(empty_database)
    migrate_down(empty_database, target="0001")
    migrate(empty_database)

    with engine.connect() as connection:
        found = connection.execute(text("SELECT in_episode, waiting, entry_at FROM courses")).one()
    engine.dispose()
    assert tuple(found) == (True, [], None)


def test_the_alert_revision_goes_down_and_up_with_the_rows_of_before(empty_database: str) -> None:
    migrate(empty_database, target="0002")
    before = tables(empty_database)
    engine = create_engine(empty_database)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO courses (bed, in_episode) VALUES ('NICU/1/A', true)"))
    migrate(empty_database, target="0003")
    migrate_down(empty_database, target="0002")
    between = tables(empty_database)
    migrate(empty_database, target="0003")

    with engine.connect() as connection:
        found = connection.execute(text("SELECT bed, in_episode FROM courses")).one()
    engine.dispose()
    assert between == before
    assert tables(empty_database) - before == {"alerts", "alert_events", "alert_watches"}
    assert tuple(found) == ("NICU/1/A", True)


def test_an_entry_that_was_cancelled_before_the_api_gets_its_second_version(empty_database: str) -> None:
    migrate(empty_database, target="0002")
    engine = create_engine(empty_database)
    with engine.begin() as connection:
        for name in ("sent", "cancelled"):
            connection.execute(
                text(
                    "INSERT INTO entries (entry_id, bed, kind, begins, ends, issued, state, draft)"
                    " VALUES (:name, :name, 'x', now(), now(), now(), 'charted', '{}')"
                ),
                {"name": name},
            )
        connection.execute(
            text(
                "INSERT INTO audit VALUES"
                " ('charting', 1, '2026-10-05T12:00:00Z', 'delivery_cancelled', 'N', 'cancelled', '', '{}', '', '')"
            )
        )
    migrate(empty_database)

    with engine.connect() as connection:
        query = "SELECT entry_id, version, updated FROM entries ORDER BY entry_id"
        found = [tuple(row) for row in connection.execute(text(query))]
    engine.dispose()
    assert found == [("cancelled", 2, datetime(2026, 10, 5, 12, 0, tzinfo=UTC)), ("sent", 1, None)]


def test_the_migrated_tables_are_those_of_the_code(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": without_partitions})
        assert compare_metadata(context, METADATA) == []


def without_partitions(found: object, name: str, kind: str, *_: object) -> bool:
    return not (kind == "table" and name.startswith(("audit_", "aggregates_")) and name not in METADATA.tables)


def test_migrating_again_changes_nothing(owner_database: str) -> None:
    before = tables(owner_database)

    migrate(owner_database)

    assert tables(owner_database) == before


def test_two_processes_that_migrate_at_the_same_time_do_not_disturb_each_other(empty_database: str) -> None:
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(migrate, [empty_database] * 4))

    assert "entries" in tables(empty_database)


def test_a_database_without_the_schema_is_refused(empty_database: str) -> None:
    engine = connect(empty_database)
    with pytest.raises(ConfigurationError, match="run neopain charting migrate"):
        require_schema(engine)
    engine.dispose()


def test_the_revisions_by_their_files_are_those_that_alembic_finds() -> None:
    found = ScriptDirectory(str(FOLDER)).walk_revisions()
    assert known_revisions() == [script.revision for script in found][::-1]


@pytest.mark.usefixtures("own_database")
def test_a_database_that_is_behind_is_refused(engine: Engine, superuser_engine: Engine) -> None:
    with superuser_engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :one"), {"one": known_revisions()[-2]})

    with pytest.raises(ConfigurationError, match=f"this version needs {known_revisions()[-1]}"):
        require_schema(engine)


@pytest.mark.usefixtures("own_database")
def test_a_database_that_is_ahead_of_this_version_is_welcome(engine: Engine, superuser_engine: Engine) -> None:
    with superuser_engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    require_schema(engine)


def test_a_database_that_does_not_answer_is_unavailable() -> None:
    engine = connect("postgresql+psycopg2://nobody@127.0.0.1:1/none")
    with pytest.raises(DatabaseUnavailable):
        require_schema(engine)
    engine.dispose()


def test_an_entry_that_was_cancelled_before_statuses_has_one(empty_database: str) -> None:
    migrate(empty_database, target="0004")
    engine = create_engine(empty_database)
    with engine.begin() as connection:
        for name, state in (("sent", "confirmed"), ("cancelled", "cancelled"), ("forgotten", "cancelled")):
            for statement in (
                "INSERT INTO entries (entry_id, bed, kind, begins, ends, issued, state, draft)"
                " VALUES (:name, :name, 'x', now(), now(), '2026-10-05T12:00Z', 'charted', '{}')",
                "INSERT INTO outbox (entry_id, infant, state, due) VALUES (:name, 'i', :state, now())",
            ):
                connection.execute(text(statement), {"name": name, "state": state})
        connection.execute(
            text(
                "INSERT INTO audit VALUES ('charting', 1, '2026-10-05T13:00Z', 'delivery_cancelled', 'N. Nurse',"
                """ 'cancelled', '', '{"why":"charted by hand"}', '', '')"""
            )
        )
    migrate(empty_database)
    migrate_down(empty_database, target="0004")
    migrate(empty_database)

    with engine.connect() as connection:
        query = "SELECT entry_id, number, status, made_by, moment, reason FROM entry_statuses ORDER BY entry_id"
        found = [tuple(row) for row in connection.execute(text(query))]
        entries = connection.execute(text("SELECT status FROM entries ORDER BY entry_id")).scalars().all()
    engine.dispose()
    assert found == [
        ("cancelled", 1, "cancelled", "N. Nurse", datetime(2026, 10, 5, 13, 0, tzinfo=UTC), "charted by hand"),
        ("forgotten", 1, "cancelled", "not known", datetime(2026, 10, 5, 12, 0, tzinfo=UTC), ""),
    ]
    assert entries == ["cancelled", "cancelled", "preliminary"]


def test_going_back_before_corrections_keeps_the_entry_of_a_stretch_that_stands(empty_database: str) -> None:
    migrate(empty_database)
    engine = create_engine(empty_database)
    with engine.begin() as connection:
        for name, state in (("wrong", "withdrawn"), ("right", "charted")):
            for statement in (
                "INSERT INTO entries (entry_id, bed, kind, begins, ends, issued, state, draft)"
                " VALUES (:name, 'b', 'x', '2026-10-05', '2026-10-06', now(), :state, '{}')",
                "INSERT INTO outbox (entry_id, infant, state, due) VALUES (:name, 'i', 'confirmed', now())",
                "INSERT INTO entry_statuses VALUES (:name, 1, 'final', 'N. Nurse', now(), 'review', '')",
            ):
                connection.execute(text(statement), {"name": name, "state": state})
    migrate_down(empty_database, target="0005")
    migrate(empty_database)

    with engine.connect() as connection:
        found = [
            connection.execute(text(f"SELECT entry_id FROM {table}")).scalars().all()  # noqa: S608 - the test's own
            for table in ("entries", "outbox", "entry_statuses")
        ]
    engine.dispose()
    assert found == [["right"], ["right"], ["right"]]


def test_the_revision_of_the_audit_trail_keeps_its_rows_and_makes_anew_what_was_left_half_made(
    empty_database: str,
) -> None:
    migrate(empty_database, target="0008")
    engine = create_engine(empty_database)
    moment = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
    with engine.begin() as connection:
        ensure_partitions(connection, now=moment, months=2)
        for month in (10, 11, 12):
            append(connection, [AuditEvent("x", "test", patient="HOSP|1")], now=moment.replace(month=month))
        connection.execute(text("CREATE INDEX audit_2026_10_audit_of_infants ON audit_2026_10 (actor)"))

    migrate(empty_database)
    migrate_down(empty_database, target="0008")
    migrate(empty_database)

    query = """
        SELECT count(*) FROM pg_inherits JOIN pg_index ON indexrelid = inhrelid
        WHERE inhparent = CAST(:index AS regclass) AND indisvalid AND indrelid IN
          (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'audit'::regclass)
    """
    with engine.connect() as connection:
        partitions = connection.scalar(text("SELECT count(*) FROM pg_inherits WHERE inhparent = 'audit'::regclass"))
        indexed = [
            connection.scalar(text(query), {"index": index}) for index in ("audit_of_infants", "audit_renumbered")
        ]
    engine.dispose()
    assert indexed == [partitions, partitions]
    assert verify_audit(empty_database).rows == 3
