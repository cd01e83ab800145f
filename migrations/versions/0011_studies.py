"""Study mode: entries that are kept blinded, and nurses' own scores beside them, as rows that are only added to. And
procedures that wait for their entry.

Expands only: a consumer of before writes nothing that is blinded, an API of before serves none of what is. Going down
forgets which scores belong together: export them first. What was blinded is served by no version then.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
MARKED = ("windows", "entries", "aggregates", "live_scores")

# Only what keeps to the rules of retention says so in its transaction.
REFUSE = """
CREATE FUNCTION study_scores_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND current_setting('neopain.retention', true) = 'on' THEN RETURN OLD; END IF;
  RAISE EXCEPTION 'scores of a study are append-only: % on % is refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$
"""


def upgrade() -> None:
    for table in MARKED:
        op.add_column(
            table,
            sa.Column(
                "in_study",
                sa.Boolean,
                nullable=False,
                server_default=sa.text("false"),
                comment="Written while its unit was in study mode",
            ),
        )
    op.add_column("entries", sa.Column("revealed", sa.Text, comment="domain.study.Reveal; null: kept from nurses"))
    op.add_column("entries", sa.Column("ga_band", sa.Text, comment="domain.gestation; of entries of a study"))
    op.create_table(
        "study_scores",
        sa.Column("entry_id", sa.String(32), sa.ForeignKey("entries.entry_id"), primary_key=True, comment="Her entry"),
        sa.Column("suggestion_id", sa.String(32), sa.ForeignKey("entries.entry_id"), comment="Ours of that time"),
        sa.Column("unpaired", sa.Text, nullable=False, comment="Why there is none of ours; empty where there is"),
        sa.Column("bed", sa.Text, nullable=False),
        sa.Column("ga_band", sa.Text, nullable=False, comment="domain.gestation"),
        sa.Column("effective", MOMENT, nullable=False, comment="The time that she scored"),
        sa.Column("moment", MOMENT, nullable=False, comment="When she wrote it"),
        sa.Column("reviewer", sa.Text, nullable=False, comment="The person's id, as the token says"),
        sa.Column("issuer", sa.Text, nullable=False, comment="Who vouches for it"),
        sa.Column("nips", sa.Integer, nullable=False, comment="0 to 7"),
        sa.Column("items", JSONB, nullable=False, comment="domain.review.NipsItems"),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("reveal", sa.Text, nullable=False, comment="domain.study.Reveal, as the policy said"),
        sa.Column("seen_before", sa.Boolean, nullable=False, comment="A number of that time could have been seen"),
    )
    op.create_index("study_scores_by_time", "study_scores", ["effective"])
    op.create_index("study_scores_of_suggestion", "study_scores", ["suggestion_id"])
    op.execute(REFUSE)
    op.execute(
        "CREATE TRIGGER study_scores_no_change BEFORE UPDATE OR DELETE ON study_scores "
        "FOR EACH ROW EXECUTE FUNCTION study_scores_refuse()"
    )
    op.execute(
        "CREATE TRIGGER study_scores_no_truncate BEFORE TRUNCATE ON study_scores "
        "FOR EACH STATEMENT EXECUTE FUNCTION study_scores_refuse()"
    )
    _procedures()
    # Few rows are blinded when this is made: it keeps writers waiting for one look at the table.
    op.create_index(
        "entries_one_blinded_per_stretch",
        "entries",
        ["bed", "kind", "begins", "ends"],
        unique=True,
        postgresql_where=sa.text("state = 'blinded'"),
    )
    op.create_index("entries_of_study", "entries", ["ends", "entry_id"], postgresql_where=sa.text("in_study"))


def downgrade() -> None:
    op.drop_table("procedures")
    op.drop_index("entries_of_study", "entries")
    op.drop_index("entries_one_blinded_per_stretch", "entries")
    op.drop_table("study_scores")
    op.execute("DROP FUNCTION study_scores_refuse()")
    op.drop_column("entries", "ga_band")
    op.drop_column("entries", "revealed")
    for table in MARKED:
        op.drop_column(table, "in_study")


def _procedures() -> None:
    op.create_table(
        "procedures",
        sa.Column("procedure_id", sa.String(32), primary_key=True),
        sa.Column("bed", sa.Text, nullable=False),
        sa.Column("begins", MOMENT, nullable=False),
        sa.Column("ends", MOMENT, nullable=False),
        sa.Column("what", sa.Text, nullable=False, comment="In the words of who documents it"),
        sa.Column("system", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("patient_authority", sa.Text),
        sa.Column("patient_value", sa.Text, comment="Null: of whom was not said"),
        sa.Column("patient_type", sa.Text),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("moment", MOMENT, nullable=False),
        sa.Column("due", MOMENT, nullable=False, comment="When the minutes after it are over"),
        sa.Column("state", sa.Text, nullable=False, comment="charting.procedures.ProcedureState"),
        sa.Column("entry_id", sa.String(32), comment="Its entry, which retention may have deleted"),
        sa.Column("reason", sa.Text, nullable=False, server_default="", comment="Why there is no entry"),
    )
    op.create_index("procedures_due", "procedures", ["due"], postgresql_where=sa.text("state = 'waiting'"))
