"""What dashboards read: 10 s aggregates by day, the slots that wait to be summed up, the newest score of each bed.

Expands only. Aggregates begin with the first score that is taken after this; what was charted before has none.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
PATIENT_ID = "md5((COALESCE(patient_authority, '') || '|') || patient_value)"

ADD_PARTITION = """
CREATE FUNCTION aggregates_add_partition(day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  name text := 'aggregates_' || to_char(day, 'YYYY_MM_DD');
  first timestamptz := day::timestamp AT TIME ZONE 'UTC';
  next timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';
BEGIN
  IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
  -- Rows that came before their partition stay in the default one, and go from there.
  IF EXISTS (SELECT FROM aggregates_other WHERE begins >= first AND begins < next) THEN RETURN; END IF;
  EXECUTE format('CREATE TABLE %I PARTITION OF aggregates FOR VALUES FROM (%L) TO (%L)', name, first, next);
END $$
"""

DROP_BEFORE = """
CREATE FUNCTION aggregates_drop_before(day date) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  partition record;
  dropped integer := 0;
BEGIN
  FOR partition IN
    SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'aggregates'::regclass AND relname ~ '^aggregates_[0-9]{4}_[0-9]{2}_[0-9]{2}$'
      AND to_date(right(relname, 10), 'YYYY_MM_DD') < day
  LOOP
    EXECUTE format('DROP TABLE %I', partition.relname);
    dropped := dropped + 1;
  END LOOP;
  DELETE FROM aggregates_other WHERE begins < day::timestamp AT TIME ZONE 'UTC';
  RETURN dropped;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "aggregate_slots",
        sa.Column("bed", sa.Text, nullable=False),
        sa.Column("begins", MOMENT, nullable=False),
        sa.Column("windows", sa.Integer, nullable=False, comment="Taken since the slot was last summed up"),
        sa.PrimaryKeyConstraint("bed", "begins"),
    )
    op.create_index("aggregate_slots_by_begin", "aggregate_slots", ["begins"])
    op.create_table(
        "aggregate_marks",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("until", MOMENT, nullable=False, comment="Slots that ended up to here have been summed up"),
    )
    op.create_table(
        "aggregates",
        sa.Column("bed", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False, comment="charting.aggregates.Kind"),
        sa.Column("begins", MOMENT, nullable=False),
        sa.Column("ends", MOMENT, nullable=False),
        *_whose(),
        sa.Column("value", sa.Float, comment="Median; null where there is none"),
        sa.Column("low", sa.Float),
        sa.Column("high", sa.Float),
        sa.Column("count", sa.Integer, nullable=False, comment="Values, or windows that had a number"),
        sa.Column("detail", JSONB, nullable=False, comment="charting.aggregates.Detail"),
        sa.Column(
            "version",
            sa.Integer,
            nullable=False,
            server_default=sa.text("1"),
            comment="Raised when what it says changes",
        ),
        sa.Column("written", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("bed", "kind", "begins"),
        postgresql_partition_by="RANGE (begins)",
    )
    op.create_index("aggregates_of_patient_id", "aggregates", [sa.text(PATIENT_ID), "begins"])
    op.create_index("aggregates_by_write", "aggregates", ["written"])
    op.execute("CREATE TABLE aggregates_other PARTITION OF aggregates DEFAULT")
    op.execute(ADD_PARTITION)
    op.execute(DROP_BEFORE)
    op.create_table(
        "live_scores",
        sa.Column("bed", sa.Text, primary_key=True),
        sa.Column("window_end", MOMENT, nullable=False),
        *_whose(),
        sa.Column("draft", JSONB, nullable=False, comment="domain.charting.DraftEntry of the one window"),
        sa.Column("taken", MOMENT, nullable=False),
    )


def downgrade() -> None:
    for table in ("live_scores", "aggregates", "aggregate_marks", "aggregate_slots"):
        op.drop_table(table)
    op.execute("DROP FUNCTION aggregates_add_partition(date)")
    op.execute("DROP FUNCTION aggregates_drop_before(date)")


def _whose() -> list[sa.Column]:
    return [
        sa.Column("patient_authority", sa.Text),
        sa.Column("patient_value", sa.Text, comment="Null: nobody knows whose it is; never served"),
        sa.Column("patient_type", sa.Text),
        sa.Column("visit", sa.Text, nullable=False, server_default=""),
        sa.Column("held_reason", sa.Text, nullable=False, server_default=""),
    ]
