"""What the FHIR API reads by: versions of entries, and indexes for its searches.

Expands only: both columns have a default. Entries whose delivery was cancelled before get the version that the
cancellation gives them from now on. The indexes are made in the transaction: writers wait meanwhile.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

PATIENT_KEY = "(COALESCE(patient_authority, '') || '|') || patient_value"

CANCELLED = """
UPDATE entries SET version = 2, updated = decided.at
FROM (SELECT entry_id, max(recorded) AS at FROM audit WHERE event = 'delivery_cancelled' GROUP BY entry_id) decided
WHERE decided.entry_id = entries.entry_id
"""


def upgrade() -> None:
    op.add_column(
        "entries",
        sa.Column(
            "version",
            sa.Integer,
            nullable=False,
            server_default=sa.text("1"),
            comment="Raised when what it says changes",
        ),
    )
    op.add_column(
        "entries",
        sa.Column("updated", sa.DateTime(timezone=True), comment="When it got a version after the first; null before"),
    )
    op.execute(CANCELLED)
    op.create_index("entries_by_end", "entries", ["ends", "entry_id"])
    op.create_index("entries_by_issue", "entries", ["issued", "entry_id"])
    op.create_index("entries_by_update", "entries", [sa.text("coalesce(updated, issued)"), "entry_id"])
    op.create_index("entries_of_patient_id", "entries", [sa.text(f"md5({PATIENT_KEY})"), "ends"])
    op.create_index("entries_of_encounter_id", "entries", [sa.text(f"md5((({PATIENT_KEY}) || '|') || visit)")])
    op.create_index("census_facts_in_order", "census_facts", ["bed", "place"])
    op.create_index("audit_of_patient_id", "audit", [sa.text("md5(patient)"), "recorded"])
    op.create_index("audit_by_time", "audit", ["recorded", "chain", "position"])


def downgrade() -> None:
    op.drop_index("audit_by_time", "audit")
    op.drop_index("audit_of_patient_id", "audit")
    op.drop_index("census_facts_in_order", "census_facts")
    for name in ("of_encounter_id", "of_patient_id", "by_update", "by_issue", "by_end"):
        op.drop_index(f"entries_{name}", "entries")
    op.drop_column("entries", "updated")
    op.drop_column("entries", "version")
