"""The audit trail: append-only rows, each hashed over the one before; its head is also kept outside the database."""

from neopain.charting.audit.anchor import anchor_heads
from neopain.charting.audit.chain import AuditEvent, append

__all__ = ["AuditEvent", "anchor_heads", "append"]
