"""Gives the roles beside the owner what they need and no more, at each migration, so that new tables are covered.

Nothing is granted by default privileges: a new table that may only be added to would be open until somebody thought of
it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping

from sqlalchemy import Connection, text

from neopain.charting.roles import BY_THE_OWNER, KEPT_FROM_READER, WRITES, Roles
from neopain.charting.tables import METADATA
from neopain.errors import ConfigurationError

OF_AN_INDEX = "audit_infant_ids(text)"
"""Called by whoever writes or searches rows of the audit trail."""
TABLES = [*METADATA.tables, "alembic_version"]
CHANGING = ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
"""Privileges by which something is changed: reading partitions one by one, as a backup does, is nobody's harm."""

HELD = """
SELECT c.relname, p.privilege FROM pg_class c CROSS JOIN unnest(CAST(:privileges AS text[])) AS p (privilege)
WHERE c.relnamespace = current_schema()::regnamespace AND has_table_privilege(:role, c.oid, p.privilege)
  AND (c.relname = ANY(:names) AND c.relkind IN ('r', 'p') OR c.oid IN (
    SELECT inhrelid FROM pg_inherits JOIN pg_class parent ON parent.oid = inhparent WHERE parent.relname = ANY(:names)
      AND parent.relkind = 'p' AND parent.relnamespace = c.relnamespace))
ORDER BY 1, 2
"""
"""What a role may do with our tables and their partitions, by itself or by another role."""
IS_SPECIAL = """
SELECT rolsuper, r.oid = relowner AS is_owner, pg_has_role(r.oid, relowner, 'MEMBER') AS is_member
FROM pg_roles r JOIN pg_class c ON c.oid = 'audit'::regclass WHERE r.rolname = :role
"""
MAKES_TABLES = "SELECT has_schema_privilege(:role, current_schema(), 'CREATE')"
SEES_SCHEMA = "SELECT has_schema_privilege(:role, current_schema(), 'USAGE')"


def grant(connection: Connection, roles: Roles) -> None:
    """Gives each role what it needs on all tables as they are now, takes away what it had besides, and looks.

    To be run by the owner. ``ConfigurationError`` when a role does not exist, or may do more than it should: since it
    is a superuser, the owner, a member of another role, or since everybody may.
    """
    if roles.writer and roles.writer == roles.reader:
        raise ConfigurationError(f"role {roles.writer} is named as writer and as reader: they are two roles")
    for role in filter(None, (roles.writer, roles.reader)):
        _require_plain(connection, role)
    if roles.writer:
        _grant(connection, roles.writer, TABLES, WRITES, BY_THE_OWNER)
    if roles.reader:
        _grant(connection, roles.reader, [one for one in TABLES if one not in KEPT_FROM_READER], {}, ())


def _require_plain(connection: Connection, role: str) -> None:
    found = connection.execute(text(IS_SPECIAL), {"role": role}).one_or_none()
    if found is None:
        raise ConfigurationError(f"there is no role {role} in the database: make it first (docs/operations.md)")
    if found.is_owner:
        raise ConfigurationError(f"role {role} is the one that migrates and owns the tables: name another, or none")
    if found.rolsuper or found.is_member:
        what = "a superuser" if found.rolsuper else "a member of the role that owns the tables"
        raise ConfigurationError(f"role {role} is {what}, so nothing can be kept from it: take that away")


def _grant(
    connection: Connection, role: str, reads: Container[str], writes: Mapping[str, str], functions: Iterable[str]
) -> None:
    quoted = _quoted(connection, role)
    # Of partitions nobody needs anything: who may write to the whole table writes to them through it.
    for name in TABLES:
        privileges = ", ".join(filter(None, ("SELECT" if name in reads else "", writes.get(name))))
        connection.execute(text(f"REVOKE ALL ON TABLE {name} FROM {quoted}"))
        if privileges:
            connection.execute(text(f"GRANT {privileges} ON TABLE {name} TO {quoted}"))
    for function in BY_THE_OWNER:
        connection.execute(text(f"REVOKE ALL ON FUNCTION {function} FROM {quoted}"))
    for function in (*functions, OF_AN_INDEX):
        connection.execute(text(f"GRANT EXECUTE ON FUNCTION {function} TO {quoted}"))
    if not connection.scalar(text(SEES_SCHEMA), {"role": role}):
        schema = _quoted(connection, str(connection.scalar(text("SELECT current_schema()"))))
        connection.execute(text(f"GRANT USAGE ON SCHEMA {schema} TO {quoted}"))
    if too_much := ", ".join(_too_much(connection, role, writes)):
        raise ConfigurationError(
            f"role {role} may do more than it should: {too_much}. A role that it is a member of may, or PUBLIC: "
            "take that away (docs/operations.md)"
        )


def _too_much(connection: Connection, role: str, writes: Mapping[str, str]) -> Iterator[str]:
    if connection.scalar(text(MAKES_TABLES), {"role": role}):
        yield "CREATE in the tables' schema"
    # A privilege for some columns alone is none of the table.
    allowed = {name: writes.get(name, "").split(", ") for name in TABLES}
    named = {"names": TABLES, "role": role, "privileges": list(CHANGING)}
    for table, privilege in connection.execute(text(HELD), named):
        if privilege not in allowed.get(table, ()):
            yield f"{privilege} on {table}"


def _quoted(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name)
