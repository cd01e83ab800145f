"""Who may do what in the database: the owner migrates and deletes, the writer charts, the reader reads.

Owner is whoever migrates. The others are roles that the site has made; ``charting.grants`` gives them what stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Roles:
    """The roles beside the owner, by name; an empty one is not there, and the owner does its work."""

    writer: str = ""
    reader: str = ""

    def __bool__(self) -> bool:
        return bool(self.writer or self.reader)


WRITES: Mapping[str, str] = {
    "census_facts": "INSERT",
    "courses": "INSERT, UPDATE",
    "windows": "INSERT, DELETE",
    "aggregate_slots": "INSERT, UPDATE, DELETE",
    "aggregate_marks": "INSERT, UPDATE",
    "aggregates": "INSERT, UPDATE",
    "live_scores": "INSERT, UPDATE",
    "entries": "INSERT, UPDATE",
    "entry_statuses": "INSERT",
    "outbox": "INSERT, UPDATE",
    "reviews": "INSERT",
    "study_scores": "INSERT",
    "procedures": "INSERT, UPDATE (state, entry_id, reason)",
    "alerts": "INSERT",
    "alert_events": "INSERT",
    "alert_watches": "INSERT, UPDATE",
    "audit": "INSERT",
    # The heads move on with each row. Whoever moves them otherwise is found by the anchors outside the database.
    "audit_heads": "INSERT, UPDATE",
    "audit_checkpoints": "",
    "legal_holds": "INSERT, UPDATE (released, released_by, release_reason)",
    "subscriptions": "INSERT, UPDATE, DELETE",
    "subscription_events": "INSERT, DELETE",
    "subscription_changes": "INSERT, DELETE",
}
"""What the writer may do with each table beside reading it. It drops no day of aggregates and makes no partition
itself: ``BY_THE_OWNER`` does."""
KEPT_FROM_READER = ("subscriptions",)
"""Tables with secrets of others in them: headers of endpoints."""
BY_THE_OWNER = ("audit_add_partition(date)", "aggregates_add_partition(date)", "aggregates_drop_before(date)")
"""Functions that run with the owner's rights (revision 0010), for the writer alone."""
