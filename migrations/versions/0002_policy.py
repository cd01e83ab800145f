"""What is put off on each bed, since its last entry was written too short a time ago.

Expands only: both columns have a default, and a consumer of before does not write them.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "courses",
        sa.Column(
            "waiting", JSONB, nullable=False, server_default=sa.text("'[]'"), comment="domain.pacing.Waiting, put off"
        ),
    )
    op.add_column("courses", sa.Column("entry_at", sa.DateTime(timezone=True), comment="Moment of the last entry"))


def downgrade() -> None:
    op.drop_column("courses", "entry_at")
    op.drop_column("courses", "waiting")
