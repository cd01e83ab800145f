"""Alerts, their events, and what is remembered of each bed between windows.

Expands only: new tables, which a consumer of before does not write. Going down drops the alerts: export them first.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)

REFUSE = """
CREATE FUNCTION alerts_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'alerts and their events are append-only: % on % is refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$
"""
NO_CHANGE = """
CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION alerts_refuse()
"""
NO_TRUNCATE = """
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION alerts_refuse()
"""


def upgrade() -> None:
    _alerts()
    _events()
    _watches()
    op.execute(REFUSE)
    for table in ("alerts", "alert_events"):
        op.execute(NO_CHANGE.format(table=table))
        op.execute(NO_TRUNCATE.format(table=table))


def downgrade() -> None:
    for table in ("alert_watches", "alert_events", "alerts"):
        op.drop_table(table)
    op.execute("DROP FUNCTION alerts_refuse()")


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("alert_id", sa.String(32), primary_key=True),
        sa.Column("bed", sa.Text, nullable=False),
        sa.Column("opened", MOMENT, nullable=False),
        sa.Column("patient_authority", sa.Text, nullable=False),
        sa.Column("patient_value", sa.Text, nullable=False),
        sa.Column("patient_type", sa.Text, nullable=False),
        sa.Column("visit", sa.Text, nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("weights", sa.Text, nullable=False, comment="domain.score.Weights"),
        sa.Column("processing", sa.Text, nullable=False, comment="MSH-11: P, T or D"),
    )
    op.create_index("alerts_of_bed", "alerts", ["bed", "opened"])
    op.create_index("alerts_of_patient", "alerts", ["patient_value", "patient_authority", "opened"])
    op.create_index("alerts_opened", "alerts", ["opened"])


def _events() -> None:
    op.create_table(
        "alert_events",
        sa.Column("alert_id", sa.String(32), sa.ForeignKey("alerts.alert_id"), nullable=False),
        sa.Column("place", sa.Integer, nullable=False, comment="1, 2, 3 ... within the alert"),
        sa.Column("kind", sa.Text, nullable=False, comment="domain.alert.AlertEventKind"),
        sa.Column("moment", MOMENT, nullable=False),
        sa.Column("level", sa.Text, nullable=False, comment="domain.alert.AlertLevel, afterwards"),
        sa.Column("value", sa.Float, comment="Of 10: the newest number at that moment"),
        sa.Column("value_at", MOMENT, comment="End of its window"),
        sa.Column("made_by", sa.Text, nullable=False, comment="A person; empty for what the scores did"),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("until", MOMENT, comment="Of a snooze"),
        sa.Column("escalation", sa.Integer, comment="Which one since the level was reached"),
        sa.Column("reason", sa.Text, nullable=False, comment="Of an end"),
        sa.PrimaryKeyConstraint("alert_id", "place"),
    )


def _watches() -> None:
    op.create_table(
        "alert_watches",
        sa.Column("bed", sa.Text, primary_key=True),
        sa.Column("alert_id", sa.String(32), sa.ForeignKey("alerts.alert_id"), comment="The one that is open"),
        sa.Column("newest", MOMENT, comment="End of the newest window taken"),
        sa.Column("watch", JSONB, comment="domain.alerting.Watch, its alert left out; null before the first window"),
        sa.Column(
            "measured",
            sa.Integer,
            nullable=False,
            server_default=sa.text("0"),
            comment="Events that are in the metrics",
        ),
    )
    op.create_index(
        "alert_watches_open", "alert_watches", ["alert_id"], postgresql_where=sa.text("alert_id IS NOT NULL")
    )
