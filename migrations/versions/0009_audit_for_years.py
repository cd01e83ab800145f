"""The audit trail for years: rows about several infants found by each, checkpoints of dropped months, legal holds.

Expands only. The months themselves have been partitions since 0001. Indexes are made partition by partition without
keeping writers waiting; what an interrupted run leaves half made is made anew. A consumer of before goes on: it drops
days of aggregates by the same function, which keeps those of held infants from now on. Going down forgets holds and
checkpoints: rows that were dropped are missing then, without anything that vouches for them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)

INFANT_IDS = """
CREATE OR REPLACE FUNCTION audit_infant_ids(detail text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT array_agg(md5(infant)) FROM jsonb_array_elements_text(
    CASE WHEN detail LIKE '%"infants":[%' THEN detail::jsonb -> 'infants' END) AS infant
$$
"""
INDEXES = {
    "audit_of_infants": "USING gin (audit_infant_ids(detail)) WHERE patient = ''",
    "audit_renumbered": "(patient) WHERE event = 'entry_renumbered'",
}
PARTITIONS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit'::regclass ORDER BY 1"
IS_ATTACHED = """
SELECT EXISTS (SELECT FROM pg_inherits JOIN pg_index ON indexrelid = inhrelid
  WHERE inhparent = CAST(:index AS regclass) AND indrelid = CAST(:partition AS regclass))
"""

# Only what keeps to the rules of retention says so in its transaction; the audit trail has no such way.
REFUSE = """
CREATE OR REPLACE FUNCTION {name}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  {exception}RAISE EXCEPTION '{what} are append-only: % on % is refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$
"""
RETENTION = "IF TG_OP = 'DELETE' AND current_setting('neopain.retention', true) = 'on' THEN RETURN OLD; END IF;\n  "
APPEND_ONLY = {
    "alerts": "alerts and their events",
    "entry_statuses": "statuses of entries",
    "reviews": "reviews",
}
RECORD_REFUSE = """
CREATE FUNCTION retention_records_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'legal_holds' AND OLD.released IS NULL
    AND to_jsonb(NEW) - '{released,released_by,release_reason}'::text[]
      = to_jsonb(OLD) - '{released,released_by,release_reason}'::text[] THEN RETURN NEW; END IF;
  RAISE EXCEPTION 'holds and checkpoints are append-only: % on % is refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$
"""

DROP_BEFORE = """
CREATE OR REPLACE FUNCTION aggregates_drop_before(day date) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  partition record;
  dropped integer := 0;
BEGIN
  FOR partition IN
    SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'aggregates'::regclass AND relname ~ '^aggregates_[0-9]{{4}}_[0-9]{{2}}_[0-9]{{2}}$'
      AND to_date(right(relname, 10), 'YYYY_MM_DD') < day
  LOOP
    {keep}EXECUTE format('DROP TABLE %I', partition.relname);
    dropped := dropped + 1;
  END LOOP;
  DELETE FROM aggregates_other WHERE begins < day::timestamp AT TIME ZONE 'UTC'{held};
  RETURN dropped;
END $$
"""
HELD = """
    EXISTS (SELECT FROM legal_holds WHERE released IS NULL
      AND patient = COALESCE({table}.patient_authority, '') || '|' || {table}.patient_value)"""
KEEP = f"""EXECUTE format('ALTER TABLE aggregates DETACH PARTITION %I', partition.relname);
    EXECUTE format($held$INSERT INTO aggregates SELECT * FROM %I AS old WHERE {HELD.format(table="old")}$held$,
      partition.relname);
    """  # noqa: S608 - our own names


def upgrade() -> None:
    # First, since it is no transaction: all of it can be done again.
    with op.get_context().autocommit_block():
        _make_indexes()
    _holds()
    _checkpoints()
    op.execute(RECORD_REFUSE)
    for table in ("legal_holds", "audit_checkpoints"):
        op.execute(_trigger(table, "no_change", "UPDATE OR DELETE", "ROW"))
        op.execute(_trigger(table, "no_truncate", "TRUNCATE", "STATEMENT"))
    for name, what in APPEND_ONLY.items():
        op.execute(REFUSE.format(name=name, what=what, exception=RETENTION))
    op.execute(DROP_BEFORE.format(keep=KEEP, held=f" AND NOT {HELD.format(table='aggregates_other')}"))


def downgrade() -> None:
    for index in INDEXES:
        op.execute(f"DROP INDEX IF EXISTS {index}")
    op.execute("DROP FUNCTION audit_infant_ids(text)")
    op.execute(DROP_BEFORE.format(keep="", held=""))
    for name, what in APPEND_ONLY.items():
        op.execute(REFUSE.format(name=name, what=what, exception=""))
    for table in ("audit_checkpoints", "legal_holds"):
        op.drop_table(table)
    op.execute("DROP FUNCTION retention_records_refuse()")


def _holds() -> None:
    op.create_table(
        "legal_holds",
        sa.Column("hold_id", sa.String(32), nullable=False),
        sa.Column("patient", sa.Text, nullable=False, comment="Assigning authority|value; a row for each number"),
        sa.Column("placed", MOMENT, nullable=False),
        sa.Column("placed_by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("released", MOMENT, comment="Null while the infant is held"),
        sa.Column("released_by", sa.Text),
        sa.Column("release_reason", sa.Text),
        sa.PrimaryKeyConstraint("hold_id", "patient"),
    )
    op.create_index("legal_holds_in_force", "legal_holds", ["patient"], postgresql_where=sa.text("released IS NULL"))


def _checkpoints() -> None:
    op.create_table(
        "audit_checkpoints",
        sa.Column("month", sa.Text, primary_key=True, comment="YYYY-MM, of the partition that was dropped"),
        sa.Column("made", MOMENT, nullable=False),
        sa.Column("statement", sa.Text, nullable=False, comment="JWS of charting.audit.checkpoint.Checkpoint"),
    )


def _trigger(table: str, name: str, events: str, level: str) -> str:
    return (
        f"CREATE TRIGGER {table}_{name} BEFORE {events} ON {table} "
        f"FOR EACH {level} EXECUTE FUNCTION retention_records_refuse()"
    )


def _make_indexes() -> None:
    bind = op.get_bind()
    limit = bind.execute(sa.text("SHOW statement_timeout")).scalar()
    op.execute("SET statement_timeout = 0")
    op.execute(INFANT_IDS)
    for index, columns in INDEXES.items():
        # Of the parent first: partitions that are made from here on get theirs by it.
        op.execute(f"CREATE INDEX IF NOT EXISTS {index} ON ONLY audit {columns}")
        for partition in bind.execute(sa.text(PARTITIONS)).scalars().all():
            if bind.execute(sa.text(IS_ATTACHED), {"index": index, "partition": partition}).scalar():
                continue
            own = f"{partition}_{index}"
            op.execute(f"DROP INDEX IF EXISTS {own}")
            op.execute(f"CREATE INDEX CONCURRENTLY {own} ON {partition} {columns}")
            op.execute(f"ALTER INDEX {index} ATTACH PARTITION {own}")
    op.execute(f"SET statement_timeout = '{limit}'")
