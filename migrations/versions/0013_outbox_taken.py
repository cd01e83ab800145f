"""When an EHR said that it took an entry which it does not show yet: until it does, nothing is sent a second time.

Expands only: a worker of before leaves the column empty, and sends again after the time of doubt, as it did.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "outbox",
        sa.Column("taken", sa.DateTime(timezone=True), comment="When the EHR said that it took what it does not show"),
    )


def downgrade() -> None:
    op.drop_column("outbox", "taken")
