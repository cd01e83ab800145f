"""Subscriptions of other readers: what they want to be told, what they are to be told, and what has changed.

Expands only. What changed is written down by triggers: whoever writes entries and events of alerts need not know of it,
and a consumer of before is told on too. Nothing is written down while nobody is subscribed.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)

# By the moments of what is told of, so that nothing piles up where nobody takes it out any more.
IS_ANYBODY_THERE = "EXISTS (SELECT FROM subscriptions WHERE status <> 'off' AND ends > {moment})"
TELL_OF_ENTRY = f"""
CREATE FUNCTION subscriptions_tell_of_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- What is held or nobody's is served to nobody.
  IF NEW.patient_value IS NULL OR NEW.state NOT IN ('charted', 'withdrawn') THEN RETURN NULL; END IF;
  IF TG_OP = 'UPDATE' AND (NEW.version, NEW.state, NEW.patient_authority, NEW.patient_value)
    IS NOT DISTINCT FROM (OLD.version, OLD.state, OLD.patient_authority, OLD.patient_value) THEN RETURN NULL; END IF;
  IF {IS_ANYBODY_THERE.format(moment="coalesce(NEW.updated, NEW.issued)")} THEN
    INSERT INTO subscription_changes
      (resource_type, resource_id, version, kind, status, moment, bed, patient_authority, patient_value)
    VALUES ('Observation', NEW.entry_id, NEW.version, NEW.kind, NEW.status, coalesce(NEW.updated, NEW.issued), NEW.bed,
      coalesce(NEW.patient_authority, ''), NEW.patient_value);
  END IF;
  RETURN NULL;
END $$
"""  # noqa: S608 - our own words
TELL_OF_ALERT = f"""
CREATE FUNCTION subscriptions_tell_of_alert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF {IS_ANYBODY_THERE.format(moment="NEW.moment")} THEN
    INSERT INTO subscription_changes
      (resource_type, resource_id, version, kind, status, moment, bed, patient_authority, patient_value)
    SELECT 'Flag', NEW.alert_id, NEW.place, NEW.kind, CASE WHEN NEW.kind = 'ended' THEN 'inactive' ELSE 'active' END,
      NEW.moment, bed, patient_authority, patient_value FROM alerts WHERE alert_id = NEW.alert_id;
  END IF;
  RETURN NULL;
END $$
"""  # noqa: S608 - our own words


def upgrade() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("subscription_id", sa.String(32), primary_key=True),
        sa.Column("issuer", sa.Text, nullable=False, comment="Who vouches for the client"),
        sa.Column("client", sa.Text, nullable=False, comment="The client that made it: nobody else sees it"),
        sa.Column("topic", sa.Text, nullable=False, comment="codecs.fhir.topics.Topic, its name"),
        sa.Column("filters", JSONB, nullable=False, comment="Filter criteria, as they were told"),
        sa.Column("limits", JSONB, nullable=False, comment="charting.api.access.Limits of the token that wrote it"),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("headers", JSONB, nullable=False, comment="Names and values; secret"),
        sa.Column("content", sa.Text, nullable=False, comment="empty, id-only or full-resource"),
        sa.Column("heartbeat_seconds", sa.Integer, comment="Null: none"),
        sa.Column("timeout_seconds", sa.Integer, nullable=False),
        sa.Column("most_events", sa.Integer, nullable=False, comment="Of one notification"),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("ends", MOMENT, nullable=False),
        sa.Column("status", sa.Text, nullable=False, comment="requested, active, error or off"),
        sa.Column("error", sa.Text, nullable=False, server_default="", comment="Of the last failure; empty: none"),
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
        sa.Column("updated", MOMENT, nullable=False),
        sa.Column("events", sa.BigInteger, nullable=False, server_default=sa.text("0"), comment="Number of the last"),
        sa.Column("told", sa.BigInteger, nullable=False, server_default=sa.text("0"), comment="All up to it are"),
        sa.Column("failures", sa.Integer, nullable=False, server_default=sa.text("0"), comment="In a row"),
        sa.Column("due", MOMENT, nullable=False, comment="Nothing is sent before"),
        sa.Column("answered", MOMENT, comment="When the endpoint last took something"),
    )
    op.create_index("subscriptions_of_client", "subscriptions", ["issuer", "client", "subscription_id"])
    op.create_table(
        "subscription_events",
        sa.Column(
            "subscription_id",
            sa.String(32),
            sa.ForeignKey("subscriptions.subscription_id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("number", sa.BigInteger, nullable=False, comment="1, 2, 3 ... of the subscription, without a gap"),
        sa.Column("moment", MOMENT, nullable=False),
        sa.Column("written", MOMENT, nullable=False),
        sa.Column("resource_type", sa.Text, nullable=False),
        sa.Column("resource_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("subscription_id", "number"),
    )
    op.create_index("subscription_events_by_age", "subscription_events", ["written"])
    op.create_table(
        "subscription_changes",
        sa.Column("place", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("resource_type", sa.Text, nullable=False),
        sa.Column("resource_id", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False, comment="Of the entry, or of the alert's event"),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("moment", MOMENT, nullable=False),
        sa.Column("bed", sa.Text, nullable=False),
        sa.Column("patient_authority", sa.Text, nullable=False),
        sa.Column("patient_value", sa.Text, nullable=False),
    )
    op.execute(TELL_OF_ENTRY)
    op.execute(TELL_OF_ALERT)
    op.execute(
        "CREATE TRIGGER entries_tell AFTER INSERT OR UPDATE ON entries "
        "FOR EACH ROW EXECUTE FUNCTION subscriptions_tell_of_entry()"
    )
    op.execute(
        "CREATE TRIGGER alert_events_tell AFTER INSERT ON alert_events "
        "FOR EACH ROW EXECUTE FUNCTION subscriptions_tell_of_alert()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER entries_tell ON entries")
    op.execute("DROP TRIGGER alert_events_tell ON alert_events")
    op.execute("DROP FUNCTION subscriptions_tell_of_entry()")
    op.execute("DROP FUNCTION subscriptions_tell_of_alert()")
    for table in ("subscription_changes", "subscription_events", "subscriptions"):
        op.drop_table(table)
