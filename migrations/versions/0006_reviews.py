"""Reviews of entries by nurses: rows that are only added to.

Expands only. Going down forgets them: export them first.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

REFUSE = """
CREATE FUNCTION reviews_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'reviews are append-only: % on % is refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$
"""
NO_CHANGE = """
CREATE TRIGGER reviews_no_change BEFORE UPDATE OR DELETE ON reviews FOR EACH ROW EXECUTE FUNCTION reviews_refuse()
"""
NO_TRUNCATE = """
CREATE TRIGGER reviews_no_truncate BEFORE TRUNCATE ON reviews FOR EACH STATEMENT EXECUTE FUNCTION reviews_refuse()
"""


def upgrade() -> None:
    op.create_table(
        "reviews",
        sa.Column("entry_id", sa.String(32), sa.ForeignKey("entries.entry_id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, comment="1, 2, 3 ... within the entry"),
        sa.Column("act", sa.Text, nullable=False, comment="domain.review.ReviewAct"),
        sa.Column("reviewer", sa.Text, nullable=False, comment="The person's id, as the token says"),
        sa.Column("issuer", sa.Text, nullable=False, comment="Who vouches for it"),
        sa.Column("display", sa.Text, nullable=False, comment="How the person is called"),
        sa.Column("moment", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("seen_version", sa.Integer, nullable=False, comment="Of the entry that was looked at"),
        sa.Column("suggested", sa.Float, comment="Of 10, what she saw; null when there was no number"),
        sa.Column("nips", sa.Integer, comment="What she scored, 0 to 7; null when she scored nothing"),
        sa.Column("items", JSONB, comment="domain.review.NipsItems"),
        sa.Column("assessment_id", sa.String(32), sa.ForeignKey("entries.entry_id"), comment="Her own entry"),
        sa.PrimaryKeyConstraint("entry_id", "number"),
    )
    op.create_index("reviews_by_moment", "reviews", ["moment"])
    for statement in (REFUSE, NO_CHANGE, NO_TRUNCATE):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("reviews")
    op.execute("DROP FUNCTION reviews_refuse()")
