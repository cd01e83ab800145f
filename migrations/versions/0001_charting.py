"""Census history, course of each bed, windows, entries, outbox, audit.

The first revision: there is no deployed code beside it. Going down drops everything, the audit trail included: export
it first.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)

REFUSE = """
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit rows are append-only: % on % is refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$
"""

# Row triggers of a partitioned table are cloned to its partitions; TRUNCATE triggers are not.
ADD_PARTITION = """
CREATE FUNCTION audit_add_partition(month date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  name text := 'audit_' || to_char(month, 'YYYY_MM');
  first timestamptz := date_trunc('month', month::timestamp) AT TIME ZONE 'UTC';
  next timestamptz := (date_trunc('month', month::timestamp) + interval '1 month') AT TIME ZONE 'UTC';
BEGIN
  IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
  -- Rows that came before their partition stay in the default one: they cannot be moved, since nothing here may.
  IF EXISTS (SELECT FROM audit_other WHERE recorded >= first AND recorded < next) THEN RETURN; END IF;
  EXECUTE format('CREATE TABLE %I PARTITION OF audit FOR VALUES FROM (%L) TO (%L)', name, first, next);
  EXECUTE format(
    'CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()', name);
END $$
"""

NO_CHANGE = """
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_refuse()
"""
NO_TRUNCATE = """
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()
"""
NO_HEAD_LOSS = """
CREATE TRIGGER audit_heads_no_delete BEFORE DELETE ON audit_heads FOR EACH ROW EXECUTE FUNCTION audit_refuse()
"""


def upgrade() -> None:
    _census()
    _courses()
    _entries()
    _audit()


def downgrade() -> None:
    for table in ("audit_heads", "audit", "outbox", "entries", "windows", "courses", "census_facts"):
        op.drop_table(table)
    op.execute("DROP FUNCTION audit_add_partition(date)")
    op.execute("DROP FUNCTION audit_refuse()")


def _census() -> None:
    op.create_table(
        "census_facts",
        sa.Column(
            "place", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Order in which facts were told"
        ),
        sa.Column("fact_id", sa.String(40), nullable=False, unique=True, comment="Id in the census stream"),
        sa.Column("bed", sa.Text, nullable=False),
        sa.Column("effective", MOMENT, nullable=False, comment="When it became true"),
        sa.Column("arrived", MOMENT, nullable=False, comment="When it was told"),
        sa.Column("held_reason", sa.Text, nullable=False),
        sa.Column("state", JSONB, nullable=False, comment="domain.census.BedState"),
    )
    op.create_index("census_facts_of_bed", "census_facts", ["bed", "effective"])


def _courses() -> None:
    op.create_table(
        "courses",
        sa.Column("bed", sa.Text, primary_key=True),
        sa.Column("charted_until", MOMENT),
        sa.Column("newest", MOMENT),
        sa.Column("occupant", sa.Text, nullable=False, server_default=""),
        sa.Column("in_episode", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("crossing_since", MOMENT),
        sa.Column("scored_at", MOMENT),
    )
    op.create_table(
        "windows",
        sa.Column("score_id", sa.String(32), primary_key=True, comment="A score is taken once"),
        sa.Column("bed", sa.Text, nullable=False),
        sa.Column("window_end", MOMENT, nullable=False),
        sa.Column("score", sa.LargeBinary, nullable=False, comment="neopain.wire.v1.Score"),
    )
    op.create_index("windows_of_bed", "windows", ["bed", "window_end"])


def _entries() -> None:
    op.create_table(
        "entries",
        sa.Column("entry_id", sa.String(32), primary_key=True),
        sa.Column("bed", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("begins", MOMENT, nullable=False),
        sa.Column("ends", MOMENT, nullable=False),
        sa.Column("issued", MOMENT, nullable=False),
        sa.Column("state", sa.Text, nullable=False, comment="charting.entries.EntryState"),
        sa.Column("held_reason", sa.Text, nullable=False, server_default=""),
        sa.Column("patient_authority", sa.Text),
        sa.Column("patient_value", sa.Text),
        sa.Column("patient_type", sa.Text),
        sa.Column("visit", sa.Text, nullable=False, server_default=""),
        sa.Column("value", sa.Float, comment="Of 10; null when no window was scored"),
        sa.Column("draft", JSONB, nullable=False, comment="domain.charting.DraftEntry"),
        sa.UniqueConstraint("bed", "kind", "begins", "ends", name="entries_one_per_stretch"),
    )
    op.create_index("entries_of_bed", "entries", ["bed", "ends"])
    op.create_index("entries_of_patient", "entries", ["patient_value", "patient_authority", "ends"])
    op.create_table(
        "outbox",
        sa.Column("entry_id", sa.String(32), sa.ForeignKey("entries.entry_id"), primary_key=True),
        sa.Column(
            "place", sa.BigInteger, sa.Identity(always=True), nullable=False, unique=True, comment="Order of delivery"
        ),
        sa.Column("infant", sa.Text, nullable=False, comment="Assigning authority|value: order is kept per infant"),
        sa.Column("state", sa.Text, nullable=False, comment="charting.outbox.RowState"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0"), comment="Failed ones"),
        sa.Column("due", MOMENT, nullable=False),
        sa.Column("handed_out", MOMENT, comment="When the sweep last gave it to a worker"),
        sa.Column("attempted", MOMENT, comment="When it was last sent: since then it may be in the EHR"),
        sa.Column("last_error", sa.Text, nullable=False, server_default=""),
        sa.Column("ehr_reference", sa.Text, comment="Observation/<id> at the EHR"),
        sa.Column("confirmed", MOMENT),
    )
    op.create_index(
        "outbox_open_of_infant", "outbox", ["infant", "place"], postgresql_where=sa.text("state = 'pending'")
    )
    op.create_index("outbox_due", "outbox", ["due"], postgresql_where=sa.text("state IN ('pending', 'held')"))


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("chain", sa.Text, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False, comment="1, 2, 3 ... without a gap"),
        sa.Column("recorded", MOMENT, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("entry_id", sa.Text, nullable=False, comment="Empty when it is about no entry"),
        sa.Column(
            "patient", sa.Text, nullable=False, comment="Assigning authority|value; empty when it is about no infant"
        ),
        sa.Column("detail", sa.Text, nullable=False, comment="Canonical JSON"),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False, comment="SHA-256 of the previous hash and the row's content"),
        sa.PrimaryKeyConstraint("chain", "position", "recorded"),
        postgresql_partition_by="RANGE (recorded)",
    )
    op.create_index("audit_of_entry", "audit", ["entry_id"])
    op.create_index("audit_of_patient", "audit", ["patient", "recorded"])
    op.create_table(
        "audit_heads",
        sa.Column("chain", sa.Text, primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.execute(REFUSE)
    op.execute(NO_CHANGE)
    op.execute(NO_HEAD_LOSS)
    # The default partition takes what no month was made for: a write is never refused for want of one.
    op.execute("CREATE TABLE audit_other PARTITION OF audit DEFAULT")
    for table in ("audit", "audit_other", "audit_heads"):
        op.execute(NO_TRUNCATE.format(table=table))
    op.execute(ADD_PARTITION)
