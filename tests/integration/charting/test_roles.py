"""The database's roles: what the writer and the reader may not do, and migrations that see to it.

That the writer may do what charting does is shown by the other tests here: they run as the writer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from psycopg2.errors import InsufficientPrivilege
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from neopain.charting.audit import AuditEvent
from neopain.charting.audit.verify import verify_audit
from neopain.charting.database import connect
from neopain.charting.grants import grant
from neopain.charting.migrate import migrate
from neopain.charting.reading import count_entries
from neopain.charting.roles import BY_THE_OWNER, KEPT_FROM_READER, WRITES, Roles
from neopain.charting.tables import METADATA
from neopain.charting.unit_of_work import unit_of_work
from neopain.embedded.postgres import OWNER, READER, WRITER
from neopain.errors import ConfigurationError, DatabaseUnavailable

AsRole = Callable[[str, str], str]
BOTH = Roles(WRITER, READER)
AUDIT = ("audit", "audit_other", "audit_heads", "audit_checkpoints")
CHANGES = ("DELETE FROM {}", "TRUNCATE {}", "DROP TABLE {}", "ALTER TABLE {} DISABLE TRIGGER ALL", "LOCK TABLE {}")
DDL = (
    "CREATE TABLE mine (id int)",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE TRIGGER mine BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    "CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "ALTER FUNCTION aggregates_drop_before(date) SECURITY INVOKER",
    "SET session_replication_role = replica",
    "SET ROLE neopain_owner",
    "DELETE FROM entries",
    "DELETE FROM alerts",
    "UPDATE reviews SET reason = 'x'",
    "UPDATE entry_statuses SET reason = 'x'",
    "UPDATE legal_holds SET reason = 'x'",
    "INSERT INTO audit_other SELECT * FROM audit",
    "UPDATE alembic_version SET version_num = '9999'",
)


@pytest.fixture
def reader_engine(superuser_database: str, as_role: AsRole) -> Iterator[Engine]:
    engine = connect(as_role(superuser_database, READER))
    yield engine
    engine.dispose()


@contextmanager
def refused(engine: Engine) -> Iterator[Callable[[str], None]]:
    """Statements that are each refused for want of a right, not by a trigger; nothing is left of them."""
    with engine.connect() as connection:

        def run(statement: str) -> None:
            with pytest.raises(DBAPIError) as found:
                connection.execute(text(statement))
            assert isinstance(found.value.orig, InsufficientPrivilege), statement
            connection.rollback()

        yield run


@pytest.mark.usefixtures("ward")
def test_the_writer_only_adds_to_the_audit_trail_and_makes_no_table(engine: Engine) -> None:
    with refused(engine) as run:
        for table in AUDIT:
            for statement in CHANGES:
                # Whoever moves the heads may lock them.
                if (table, statement) != ("audit_heads", "LOCK TABLE {}"):
                    run(statement.format(table))
        for table in ("audit", "audit_other"):
            run(f"UPDATE {table} SET recorded = now()")  # noqa: S608 - our own names
        for statement in DDL:
            run(statement)


def test_the_reader_reads_every_table_without_secrets_and_changes_none(reader_engine: Engine) -> None:
    with reader_engine.connect() as connection:
        for table in METADATA.tables.keys() - {*KEPT_FROM_READER}:
            connection.execute(text(f"SELECT count(*) FROM {table}"))  # noqa: S608 - our own names
    with refused(reader_engine) as run:
        for name in KEPT_FROM_READER:
            run(f"SELECT count(*) FROM {name}")  # noqa: S608 - our own names
        for table in METADATA.tables.values():
            run(f"INSERT INTO {table.name} DEFAULT VALUES")
            run(f"UPDATE {table.name} SET {next(iter(table.columns)).name} = DEFAULT")  # noqa: S608
            run(f"DELETE FROM {table.name}")  # noqa: S608
            run(f"TRUNCATE {table.name}")
        for function in BY_THE_OWNER:
            run(f"SELECT {function.replace('date', 'current_date')}")
        for statement in DDL:
            run(statement)


def test_the_reader_verifies_the_trail_and_counts(ward: Any, superuser_database: str, as_role: AsRole) -> None:
    ward.chart()
    url = as_role(superuser_database, READER)

    assert verify_audit(url).is_whole
    assert count_entries(url)[ward.bed].entries == 1


def test_what_a_role_may_not_do_waits_for_the_right(reader_engine: Engine, clock: Any) -> None:
    with (
        pytest.raises(
            DatabaseUnavailable, match=r"permission denied for table audit_heads .*the database's role may not"
        ),
        unit_of_work(reader_engine, clock) as unit,
    ):
        unit.audit(AuditEvent("x", "test"))


def test_every_table_says_what_the_writer_may_do_with_it() -> None:
    assert set(WRITES) == set(METADATA.tables)


def test_functions_with_the_owners_rights_look_nowhere_but_in_the_tables_schema(owner_engine: Engine) -> None:
    query = """
        SELECT oid::regprocedure::text, proconfig, has_function_privilege('public', oid, 'EXECUTE')
        FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace ORDER BY 1
    """
    with owner_engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(query))]

    assert found == [(name, ["search_path=public, pg_temp"], False) for name in sorted(BY_THE_OWNER)]


def test_a_temporary_table_of_the_callers_is_not_what_the_owner_deletes_from(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("CREATE TEMP TABLE aggregates_other AS SELECT now() - interval '9 days' AS begins"))
        connection.execute(text("SELECT aggregates_drop_before(current_date)"))
        assert connection.scalar(text("SELECT count(*) FROM aggregates_other")) == 1


# -- migrations --------------------------------------------------------------------------------------------------------


def test_a_site_with_one_role_gets_others_and_what_they_had_before_is_set_right(
    empty_database: str, as_role: AsRole
) -> None:
    owner = connect(as_role(empty_database, OWNER))
    migrate(as_role(empty_database, OWNER))
    with owner.begin() as connection:
        connection.execute(text(f"GRANT ALL ON audit, entries TO {WRITER}, {READER}"))

    migrate(as_role(empty_database, OWNER), roles=BOTH)

    may = "SELECT has_table_privilege(:role, :table, 'UPDATE')"
    with owner.connect() as connection:
        found = {
            (role, table): connection.scalar(text(may), {"role": role, "table": table})
            for role in (WRITER, READER)
            for table in ("audit", "entries")
        }
    owner.dispose()
    assert [key for key, is_allowed in found.items() if is_allowed] == [(WRITER, "entries")]


@pytest.mark.parametrize(
    ("given", "roles", "reason"),
    [
        ("SELECT 1", Roles("nobody_here"), "there is no role nobody_here in the database: make it first"),
        ("SELECT 1", Roles(OWNER), "role neopain_owner is the one that migrates"),
        ("SELECT 1", Roles(WRITER, WRITER), "is named as writer and as reader"),
        ("SELECT 1", Roles("neopain"), "role neopain is a superuser"),
        (f"GRANT {OWNER} TO {WRITER}", BOTH, "role neopain_writer is a member of the role that owns the tables"),
        (f"GRANT pg_read_all_data, pg_write_all_data TO {READER}", BOTH, "neopain_reader may .*: DELETE on aggregate"),
        ("GRANT UPDATE ON audit TO PUBLIC", BOTH, "role neopain_writer may do more than it should: UPDATE on audit"),
        ("GRANT DELETE ON audit_other TO PUBLIC", BOTH, "more than it should: DELETE on audit_other"),
        ("GRANT CREATE ON SCHEMA public TO PUBLIC", BOTH, "more than it should: CREATE in the tables' schema"),
    ],
)
def test_a_role_that_is_missing_or_may_more_than_it_should_is_named(
    superuser_engine: Engine, given: str, roles: Roles, reason: str
) -> None:
    # Rolled back, as a migration would be: what was given to a role would outlive the database.
    with superuser_engine.connect() as connection:
        connection.execute(text(given))
        with pytest.raises(ConfigurationError, match=reason):
            grant(connection, roles)
