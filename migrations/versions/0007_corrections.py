"""What corrections go by: the windows of an entry, what it stands instead of, what settles a doubt.

Expands, but for one thing: a stretch of a bed may have several entries now, of which one stands. Going down removes
those that were taken back, which the version before does not know; the audit trail keeps what was done.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STRETCH = ["bed", "kind", "begins", "ends"]
APPEND_ONLY = (("reviews", "reviews_no_change"), ("entry_statuses", "entry_statuses_no_change"))
STANDING = sa.text("state IN ('charted', 'held')")


def upgrade() -> None:
    op.add_column(
        "census_facts",
        sa.Column(
            "settles",
            sa.DateTime(timezone=True),
            comment="From when on it says who lay there while the bed was held",
        ),
    )
    op.add_column(
        "entries", sa.Column("runs", JSONB, comment="domain.runs.Run of its windows; null in entries of before")
    )
    op.add_column(
        "entries",
        sa.Column("replaces", sa.String(32), comment="The entry of the same windows that it stands instead of"),
    )
    op.add_column("entries", sa.Column("corrects", sa.String(32), comment="The last charted one of those, if any was"))
    op.drop_constraint("entries_one_per_stretch", "entries")
    op.create_index("entries_one_per_stretch", "entries", STRETCH, unique=True, postgresql_where=STANDING)
    op.create_index("entries_held", "entries", ["ends", "entry_id"], postgresql_where=sa.text("state = 'held'"))
    op.create_index("entries_that_replace", "entries", ["replaces"], postgresql_where=sa.text("replaces IS NOT NULL"))


def downgrade() -> None:
    op.execute(
        "DELETE FROM outbox USING entries WHERE outbox.entry_id = entries.entry_id "
        "AND entries.state NOT IN ('charted', 'held')"
    )
    for table, trigger in APPEND_ONLY:
        op.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
        op.execute(
            f"DELETE FROM {table} USING entries WHERE {table}.entry_id = entries.entry_id "  # noqa: S608 - our own names
            "AND entries.state NOT IN ('charted', 'held')"
        )
        op.execute(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}")
    op.execute("DELETE FROM entries WHERE state NOT IN ('charted', 'held')")
    op.drop_index("entries_that_replace", "entries")
    op.drop_index("entries_held", "entries")
    op.drop_index("entries_one_per_stretch", "entries")
    op.create_unique_constraint("entries_one_per_stretch", "entries", STRETCH)
    for name in ("corrects", "replaces", "runs"):
        op.drop_column("entries", name)
    op.drop_column("census_facts", "settles")
