"""Statuses of entries after the first, and outbox rows that tell the EHR of them.

The outbox may have several rows of one entry from now on. A delivery worker of before takes each for a creation:
upgrade the workers before anything that changes a status. Entries whose delivery was cancelled before get the status
that the cancellation gives them from now on. Going down forgets every status and what was to be told of it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

REFUSE = """
CREATE FUNCTION entry_statuses_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'statuses of entries are append-only: % on % is refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$
"""
NO_CHANGE = """
CREATE TRIGGER entry_statuses_no_change BEFORE UPDATE OR DELETE ON entry_statuses
  FOR EACH ROW EXECUTE FUNCTION entry_statuses_refuse()
"""
NO_TRUNCATE = """
CREATE TRIGGER entry_statuses_no_truncate BEFORE TRUNCATE ON entry_statuses
  FOR EACH STATEMENT EXECUTE FUNCTION entry_statuses_refuse()
"""
CANCELLED = """
INSERT INTO entry_statuses (entry_id, number, status, made_by, moment, cause, reason)
SELECT DISTINCT ON (outbox.entry_id)
  outbox.entry_id, 1, 'cancelled', coalesce(audit.actor, 'not known'),
  coalesce(audit.recorded, entries.updated, entries.issued), 'not-sent',
  coalesce(audit.detail::json ->> 'why', '')
FROM outbox JOIN entries ON entries.entry_id = outbox.entry_id
  LEFT JOIN audit ON audit.entry_id = outbox.entry_id AND audit.event = 'delivery_cancelled'
WHERE outbox.state = 'cancelled'
ORDER BY outbox.entry_id, audit.recorded DESC
"""
TOLD = "UPDATE entries SET status = 'cancelled' WHERE entry_id IN (SELECT entry_id FROM entry_statuses)"


def upgrade() -> None:
    op.create_table(
        "entry_statuses",
        sa.Column("entry_id", sa.String(32), sa.ForeignKey("entries.entry_id"), nullable=False),
        sa.Column(
            "number", sa.Integer, nullable=False, comment="1, 2, 3 ... within the entry; before the first: preliminary"
        ),
        sa.Column("status", sa.Text, nullable=False, comment="domain.entry_status.EntryStatus"),
        sa.Column("made_by", sa.Text, nullable=False, comment="A person, or one of our own processes"),
        sa.Column("moment", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cause", sa.Text, nullable=False, comment="One of our own words"),
        sa.Column("reason", sa.Text, nullable=False, comment="What the person said; empty for nothing"),
        sa.PrimaryKeyConstraint("entry_id", "number"),
    )
    op.add_column(
        "entries",
        sa.Column(
            "status",
            sa.Text,
            nullable=False,
            server_default="preliminary",
            comment="domain.entry_status.EntryStatus: that of its last row in entry_statuses",
        ),
    )
    op.create_index("entries_by_status", "entries", ["status", "ends", "entry_id"])
    op.execute(CANCELLED)
    op.execute(TOLD)
    for statement in (REFUSE, NO_CHANGE, NO_TRUNCATE):
        op.execute(statement)
    _several_rows_of_an_entry()


def _several_rows_of_an_entry() -> None:
    op.add_column(
        "outbox",
        sa.Column(
            "change",
            sa.Integer,
            nullable=False,
            server_default=sa.text("0"),
            comment="0: creates the entry at the EHR; else the number of the status that the EHR is to be told",
        ),
    )
    op.drop_constraint("outbox_pkey", "outbox")
    op.drop_constraint("outbox_place_key", "outbox")
    op.create_primary_key("outbox_pkey", "outbox", ["place"])
    op.create_unique_constraint("outbox_one_per_change", "outbox", ["entry_id", "change"])


def downgrade() -> None:
    op.execute("DELETE FROM outbox WHERE change > 0")
    op.drop_constraint("outbox_one_per_change", "outbox")
    op.drop_constraint("outbox_pkey", "outbox")
    op.create_primary_key("outbox_pkey", "outbox", ["entry_id"])
    op.create_unique_constraint("outbox_place_key", "outbox", ["place"])
    op.drop_column("outbox", "change")
    op.drop_index("entries_by_status", "entries")
    op.drop_column("entries", "status")
    op.drop_table("entry_statuses")
    op.execute("DROP FUNCTION entry_statuses_refuse()")
