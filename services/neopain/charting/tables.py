"""The tables, as SQLAlchemy sees them. ``migrations/`` makes them; a test compares the two.

Lifetimes: windows go soon after their interval is charted; aggregates with their day's partition; entries with their
outbox, alerts and months of the audit as long as the site's retention says; events of subscriptions for days; census
facts stay. Rows of alerts, of their events, of entries' statuses, of reviews and of the audit never change.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

METADATA = MetaData()
MOMENT = DateTime(timezone=True)

PATIENT_KEY = "(COALESCE(patient_authority, '') || '|') || patient_value"
PATIENT_ID = f"md5({PATIENT_KEY})"
"""Of an entry, the id of its Patient (``codecs.fhir.ids``), as PostgreSQL writes it back: an index is over it."""
ENCOUNTER_ID = f"md5((({PATIENT_KEY}) || '|') || visit)"
STANDING = text("state IN ('charted', 'held')")
"""Entries that nothing was written instead of."""

CENSUS_FACTS = Table(
    "census_facts",
    METADATA,
    Column("place", BigInteger, Identity(always=True), primary_key=True, comment="Order in which facts were told"),
    Column("fact_id", String(40), nullable=False, unique=True, comment="Id in the census stream"),
    Column("bed", Text, nullable=False),
    Column("effective", MOMENT, nullable=False, comment="When it became true"),
    Column("arrived", MOMENT, nullable=False, comment="When it was told"),
    Column("settles", MOMENT, comment="From when on it says who lay there while the bed was held"),
    Column("held_reason", Text, nullable=False),
    Column("state", JSONB, nullable=False, comment="domain.census.BedState"),
    Index("census_facts_of_bed", "bed", "effective"),
    Index("census_facts_in_order", "bed", "place"),
)

COURSES = Table(
    "courses",
    METADATA,
    Column("bed", Text, primary_key=True),
    Column("charted_until", MOMENT),
    Column("newest", MOMENT),
    Column("occupant", Text, nullable=False, server_default=""),
    Column("in_episode", Boolean, nullable=False, server_default=text("false")),
    Column("crossing_since", MOMENT),
    Column("scored_at", MOMENT),
    Column("waiting", JSONB, nullable=False, server_default=text("'[]'"), comment="domain.pacing.Waiting, put off"),
    Column("entry_at", MOMENT, comment="Moment of the last entry"),
)

WINDOWS = Table(
    "windows",
    METADATA,
    Column("score_id", String(32), primary_key=True, comment="A score is taken once"),
    Column("bed", Text, nullable=False),
    Column("window_end", MOMENT, nullable=False),
    Column("score", LargeBinary, nullable=False, comment="neopain.wire.v1.Score"),
    Column(
        "in_study",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="Written while its unit was in study mode",
    ),
    Index("windows_of_bed", "bed", "window_end"),
)

AGGREGATE_SLOTS = Table(
    "aggregate_slots",
    METADATA,
    Column("bed", Text, nullable=False),
    Column("begins", MOMENT, nullable=False),
    Column("windows", Integer, nullable=False, comment="Taken since the slot was last summed up"),
    PrimaryKeyConstraint("bed", "begins"),
    Index("aggregate_slots_by_begin", "begins"),
)
"""Slots of which a score was taken that is not in their aggregate yet."""

AGGREGATE_MARKS = Table(
    "aggregate_marks",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("until", MOMENT, nullable=False, comment="Slots that ended up to here have been summed up"),
)

AGGREGATES = Table(
    "aggregates",
    METADATA,
    Column("bed", Text, nullable=False),
    Column("kind", Text, nullable=False, comment="charting.aggregates.Kind"),
    Column("begins", MOMENT, nullable=False),
    Column("ends", MOMENT, nullable=False),
    Column("patient_authority", Text),
    Column("patient_value", Text, comment="Null: nobody knows whose it is; never served"),
    Column("patient_type", Text),
    Column("visit", Text, nullable=False, server_default=""),
    Column("held_reason", Text, nullable=False, server_default=""),
    Column("value", Float, comment="Median; null where there is none"),
    Column("low", Float),
    Column("high", Float),
    Column("count", Integer, nullable=False, comment="Values, or windows that had a number"),
    Column("detail", JSONB, nullable=False, comment="charting.aggregates.Detail"),
    Column("version", Integer, nullable=False, server_default=text("1"), comment="Raised when what it says changes"),
    Column("written", MOMENT, nullable=False),
    Column(
        "in_study",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="Written while its unit was in study mode",
    ),
    PrimaryKeyConstraint("bed", "kind", "begins"),
    Index("aggregates_of_patient_id", text(PATIENT_ID), "begins"),
    Index("aggregates_by_write", "written"),
    postgresql_partition_by="RANGE (begins)",
)

LIVE_SCORES = Table(
    "live_scores",
    METADATA,
    Column("bed", Text, primary_key=True),
    Column("window_end", MOMENT, nullable=False),
    Column("patient_authority", Text),
    Column("patient_value", Text, comment="Null: nobody knows whose it is; never served"),
    Column("patient_type", Text),
    Column("visit", Text, nullable=False, server_default=""),
    Column("held_reason", Text, nullable=False, server_default=""),
    Column("draft", JSONB, nullable=False, comment="domain.charting.DraftEntry of the one window"),
    Column("taken", MOMENT, nullable=False),
    Column(
        "in_study",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="Written while its unit was in study mode",
    ),
)
"""The newest window of each bed."""

ENTRIES = Table(
    "entries",
    METADATA,
    Column("entry_id", String(32), primary_key=True),
    Column("bed", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("begins", MOMENT, nullable=False),
    Column("ends", MOMENT, nullable=False),
    Column("issued", MOMENT, nullable=False),
    Column("state", Text, nullable=False, comment="charting.entries.EntryState"),
    Column("held_reason", Text, nullable=False, server_default=""),
    Column("patient_authority", Text),
    Column("patient_value", Text),
    Column("patient_type", Text),
    Column("visit", Text, nullable=False, server_default=""),
    Column("value", Float, comment="Of 10; null when no window was scored"),
    Column("draft", JSONB, nullable=False, comment="domain.charting.DraftEntry"),
    Column("version", Integer, nullable=False, server_default=text("1"), comment="Raised when what it says changes"),
    Column("updated", MOMENT, comment="When it got a version after the first; null before"),
    Column(
        "status",
        Text,
        nullable=False,
        server_default="preliminary",
        comment="domain.entry_status.EntryStatus: that of its last row in entry_statuses",
    ),
    Column("runs", JSONB, comment="domain.runs.Run of its windows; null in entries of before"),
    Column("replaces", String(32), comment="The entry of the same windows that it stands instead of"),
    Column("corrects", String(32), comment="The last charted one of those, if any was"),
    Column(
        "in_study",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="Written while its unit was in study mode",
    ),
    Column("revealed", Text, comment="domain.study.Reveal; null: kept from nurses"),
    Column("ga_band", Text, comment="domain.gestation; of entries of a study"),
    Index("entries_one_per_stretch", "bed", "kind", "begins", "ends", unique=True, postgresql_where=STANDING),
    Index(
        "entries_one_blinded_per_stretch",
        "bed",
        "kind",
        "begins",
        "ends",
        unique=True,
        postgresql_where=text("state = 'blinded'"),
    ),
    Index("entries_of_study", "ends", "entry_id", postgresql_where=text("in_study")),
    Index("entries_held", "ends", "entry_id", postgresql_where=text("state = 'held'")),
    Index("entries_that_replace", "replaces", postgresql_where=text("replaces IS NOT NULL")),
    Index("entries_of_bed", "bed", "ends"),
    Index("entries_of_patient", "patient_value", "patient_authority", "ends"),
    Index("entries_by_end", "ends", "entry_id"),
    Index("entries_by_issue", "issued", "entry_id"),
    Index("entries_by_update", text("coalesce(updated, issued)"), "entry_id"),
    Index("entries_of_patient_id", text(PATIENT_ID), "ends"),
    Index("entries_of_encounter_id", text(ENCOUNTER_ID)),
    Index("entries_by_status", "status", "ends", "entry_id"),
)

ENTRY_STATUSES = Table(
    "entry_statuses",
    METADATA,
    Column("entry_id", String(32), ForeignKey("entries.entry_id"), nullable=False),
    Column("number", Integer, nullable=False, comment="1, 2, 3 ... within the entry; before the first: preliminary"),
    Column("status", Text, nullable=False, comment="domain.entry_status.EntryStatus"),
    Column("made_by", Text, nullable=False, comment="A person, or one of our own processes"),
    Column("moment", MOMENT, nullable=False),
    Column("cause", Text, nullable=False, comment="One of our own words"),
    Column("reason", Text, nullable=False, comment="What the person said; empty for nothing"),
    PrimaryKeyConstraint("entry_id", "number"),
)

OUTBOX = Table(
    "outbox",
    METADATA,
    Column("place", BigInteger, Identity(always=True), primary_key=True, comment="Order of delivery"),
    Column("entry_id", String(32), ForeignKey("entries.entry_id"), nullable=False),
    Column(
        "change",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="0: creates the entry at the EHR; else the number of the status that the EHR is to be told",
    ),
    Column("infant", Text, nullable=False, comment="Assigning authority|value: order is kept per infant"),
    Column("state", Text, nullable=False, comment="charting.outbox.RowState"),
    Column("attempts", Integer, nullable=False, server_default=text("0"), comment="Failed ones"),
    Column("due", MOMENT, nullable=False),
    Column("handed_out", MOMENT, comment="When the sweep last gave it to a worker"),
    Column("attempted", MOMENT, comment="When it was last sent: since then it may be in the EHR"),
    Column("taken", MOMENT, comment="When the EHR said that it took what it does not show"),
    # First line: what is told of it. Further lines: the EHR's own words, which may name a patient.
    Column("last_error", Text, nullable=False, server_default=""),
    Column("ehr_reference", Text, comment="Observation/<id> at the EHR"),
    Column("confirmed", MOMENT),
    UniqueConstraint("entry_id", "change", name="outbox_one_per_change"),
    Index("outbox_open_of_infant", "infant", "place", postgresql_where=text("state = 'pending'")),
    Index("outbox_due", "due", postgresql_where=text("state IN ('pending', 'held')")),
)

REVIEWS = Table(
    "reviews",
    METADATA,
    Column("entry_id", String(32), ForeignKey("entries.entry_id"), nullable=False),
    Column("number", Integer, nullable=False, comment="1, 2, 3 ... within the entry"),
    Column("act", Text, nullable=False, comment="domain.review.ReviewAct"),
    Column("reviewer", Text, nullable=False, comment="The person's id, as the token says"),
    Column("issuer", Text, nullable=False, comment="Who vouches for it"),
    Column("display", Text, nullable=False, comment="How the person is called"),
    Column("moment", MOMENT, nullable=False),
    Column("reason", Text, nullable=False),
    Column("seen_version", Integer, nullable=False, comment="Of the entry that was looked at"),
    Column("suggested", Float, comment="Of 10, what she saw; null when there was no number"),
    Column("nips", Integer, comment="What she scored, 0 to 7; null when she scored nothing"),
    Column("items", JSONB, comment="domain.review.NipsItems"),
    Column("assessment_id", String(32), ForeignKey("entries.entry_id"), comment="Her own entry"),
    PrimaryKeyConstraint("entry_id", "number"),
    Index("reviews_by_moment", "moment"),
)

STUDY_SCORES = Table(
    "study_scores",
    METADATA,
    Column("entry_id", String(32), ForeignKey("entries.entry_id"), primary_key=True, comment="Her entry"),
    Column("suggestion_id", String(32), ForeignKey("entries.entry_id"), comment="Ours of that time"),
    Column("unpaired", Text, nullable=False, comment="Why there is none of ours; empty where there is"),
    Column("bed", Text, nullable=False),
    Column("ga_band", Text, nullable=False, comment="domain.gestation"),
    Column("effective", MOMENT, nullable=False, comment="The time that she scored"),
    Column("moment", MOMENT, nullable=False, comment="When she wrote it"),
    Column("reviewer", Text, nullable=False, comment="The person's id, as the token says"),
    Column("issuer", Text, nullable=False, comment="Who vouches for it"),
    Column("nips", Integer, nullable=False, comment="0 to 7"),
    Column("items", JSONB, nullable=False, comment="domain.review.NipsItems"),
    Column("policy", Text, nullable=False),
    Column("reveal", Text, nullable=False, comment="domain.study.Reveal, as the policy said"),
    Column("seen_before", Boolean, nullable=False, comment="A number of that time could have been seen"),
    Index("study_scores_by_time", "effective"),
    Index("study_scores_of_suggestion", "suggestion_id"),
)

PROCEDURES = Table(
    "procedures",
    METADATA,
    Column("procedure_id", String(32), primary_key=True),
    Column("bed", Text, nullable=False),
    Column("begins", MOMENT, nullable=False),
    Column("ends", MOMENT, nullable=False),
    Column("what", Text, nullable=False, comment="In the words of who documents it"),
    Column("system", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("patient_authority", Text),
    Column("patient_value", Text, comment="Null: of whom was not said"),
    Column("patient_type", Text),
    Column("made_by", Text, nullable=False),
    Column("moment", MOMENT, nullable=False),
    Column("due", MOMENT, nullable=False, comment="When the minutes after it are over"),
    Column("state", Text, nullable=False, comment="charting.procedures.ProcedureState"),
    Column("entry_id", String(32), comment="Its entry, which retention may have deleted"),
    Column("reason", Text, nullable=False, server_default="", comment="Why there is no entry"),
    Index("procedures_due", "due", postgresql_where=text("state = 'waiting'")),
)

ALERTS = Table(
    "alerts",
    METADATA,
    Column("alert_id", String(32), primary_key=True),
    Column("bed", Text, nullable=False),
    Column("opened", MOMENT, nullable=False),
    Column("patient_authority", Text, nullable=False),
    Column("patient_value", Text, nullable=False),
    Column("patient_type", Text, nullable=False),
    Column("visit", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("weights", Text, nullable=False, comment="domain.score.Weights"),
    Column("processing", Text, nullable=False, comment="MSH-11: P, T or D"),
    Index("alerts_of_bed", "bed", "opened"),
    Index("alerts_of_patient", "patient_value", "patient_authority", "opened"),
    Index("alerts_opened", "opened"),
)

ALERT_EVENTS = Table(
    "alert_events",
    METADATA,
    Column("alert_id", String(32), ForeignKey("alerts.alert_id"), nullable=False),
    Column("place", Integer, nullable=False, comment="1, 2, 3 ... within the alert"),
    Column("kind", Text, nullable=False, comment="domain.alert.AlertEventKind"),
    Column("moment", MOMENT, nullable=False),
    Column("level", Text, nullable=False, comment="domain.alert.AlertLevel, afterwards"),
    Column("value", Float, comment="Of 10: the newest number at that moment"),
    Column("value_at", MOMENT, comment="End of its window"),
    Column("made_by", Text, nullable=False, comment="A person; empty for what the scores did"),
    Column("note", Text, nullable=False),
    Column("until", MOMENT, comment="Of a snooze"),
    Column("escalation", Integer, comment="Which one since the level was reached"),
    Column("reason", Text, nullable=False, comment="Of an end"),
    PrimaryKeyConstraint("alert_id", "place"),
)

ALERT_WATCHES = Table(
    "alert_watches",
    METADATA,
    Column("bed", Text, primary_key=True),
    Column("alert_id", String(32), ForeignKey("alerts.alert_id"), comment="The one that is open"),
    Column("newest", MOMENT, comment="End of the newest window taken"),
    Column("watch", JSONB, comment="domain.alerting.Watch, its alert left out; null before the first window"),
    Column("measured", Integer, nullable=False, server_default=text("0"), comment="Events that are in the metrics"),
    Index("alert_watches_open", "alert_id", postgresql_where=text("alert_id IS NOT NULL")),
)

AUDIT = Table(
    "audit",
    METADATA,
    Column("chain", Text, nullable=False),
    Column("position", BigInteger, nullable=False, comment="1, 2, 3 ... without a gap"),
    Column("recorded", MOMENT, nullable=False),
    Column("event", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("entry_id", Text, nullable=False, comment="Empty when it is about no entry"),
    Column("patient", Text, nullable=False, comment="Assigning authority|value; empty when it is about no infant"),
    Column("detail", Text, nullable=False, comment="Canonical JSON"),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False, comment="SHA-256 of the previous hash and the row's content"),
    PrimaryKeyConstraint("chain", "position", "recorded"),
    Index("audit_of_entry", "entry_id"),
    Index("audit_of_patient", "patient", "recorded"),
    Index("audit_of_patient_id", text("md5(patient)"), "recorded"),
    Index("audit_by_time", "recorded", "chain", "position"),
    Index(
        "audit_of_infants",
        text("audit_infant_ids(detail)"),
        postgresql_using="gin",
        postgresql_where=text("patient = ''"),
    ),
    Index("audit_renumbered", "patient", postgresql_where=text("event = 'entry_renumbered'")),
    postgresql_partition_by="RANGE (recorded)",
)

AUDIT_HEADS = Table(
    "audit_heads",
    METADATA,
    Column("chain", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)

AUDIT_CHECKPOINTS = Table(
    "audit_checkpoints",
    METADATA,
    Column("month", Text, primary_key=True, comment="YYYY-MM, of the partition that was dropped"),
    Column("made", MOMENT, nullable=False),
    Column("statement", Text, nullable=False, comment="JWS of charting.audit.checkpoint.Checkpoint"),
)

LEGAL_HOLDS = Table(
    "legal_holds",
    METADATA,
    Column("hold_id", String(32), nullable=False),
    Column("patient", Text, nullable=False, comment="Assigning authority|value; a row for each number"),
    Column("placed", MOMENT, nullable=False),
    Column("placed_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("released", MOMENT, comment="Null while the infant is held"),
    Column("released_by", Text),
    Column("release_reason", Text),
    PrimaryKeyConstraint("hold_id", "patient"),
    Index("legal_holds_in_force", "patient", postgresql_where=text("released IS NULL")),
)

SUBSCRIPTIONS = Table(
    "subscriptions",
    METADATA,
    Column("subscription_id", String(32), primary_key=True),
    Column("issuer", Text, nullable=False, comment="Who vouches for the client"),
    Column("client", Text, nullable=False, comment="The client that made it: nobody else sees it"),
    Column("topic", Text, nullable=False, comment="codecs.fhir.topics.Topic, its name"),
    Column("filters", JSONB, nullable=False, comment="Filter criteria, as they were told"),
    Column("limits", JSONB, nullable=False, comment="charting.api.access.Limits of the token that wrote it"),
    Column("endpoint", Text, nullable=False),
    Column("headers", JSONB, nullable=False, comment="Names and values; secret"),
    Column("content", Text, nullable=False, comment="empty, id-only or full-resource"),
    Column("heartbeat_seconds", Integer, comment="Null: none"),
    Column("timeout_seconds", Integer, nullable=False),
    Column("most_events", Integer, nullable=False, comment="Of one notification"),
    Column("reason", Text, nullable=False),
    Column("ends", MOMENT, nullable=False),
    Column("status", Text, nullable=False, comment="requested, active, error or off"),
    Column("error", Text, nullable=False, server_default="", comment="Of the last failure; empty: none"),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("updated", MOMENT, nullable=False),
    Column("events", BigInteger, nullable=False, server_default=text("0"), comment="Number of the last"),
    Column("told", BigInteger, nullable=False, server_default=text("0"), comment="All up to it are"),
    Column("failures", Integer, nullable=False, server_default=text("0"), comment="In a row"),
    Column("due", MOMENT, nullable=False, comment="Nothing is sent before"),
    Column("answered", MOMENT, comment="When the endpoint last took something"),
    Index("subscriptions_of_client", "issuer", "client", "subscription_id"),
)

SUBSCRIPTION_EVENTS = Table(
    "subscription_events",
    METADATA,
    Column(
        "subscription_id",
        String(32),
        ForeignKey("subscriptions.subscription_id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("number", BigInteger, nullable=False, comment="1, 2, 3 ... of the subscription, without a gap"),
    Column("moment", MOMENT, nullable=False),
    Column("written", MOMENT, nullable=False),
    Column("resource_type", Text, nullable=False),
    Column("resource_id", Text, nullable=False),
    PrimaryKeyConstraint("subscription_id", "number"),
    Index("subscription_events_by_age", "written"),
)

SUBSCRIPTION_CHANGES = Table(
    "subscription_changes",
    METADATA,
    Column("place", BigInteger, Identity(always=True), primary_key=True),
    Column("resource_type", Text, nullable=False),
    Column("resource_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("kind", Text, nullable=False, comment="Of the entry, or of the alert's event"),
    Column("status", Text, nullable=False),
    Column("moment", MOMENT, nullable=False),
    Column("bed", Text, nullable=False),
    Column("patient_authority", Text, nullable=False),
    Column("patient_value", Text, nullable=False),
)
"""What changed and was not looked at yet, written by triggers; taken out when it has become events."""
