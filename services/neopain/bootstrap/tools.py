"""Small commands for the operator: the audit trail's check."""

from __future__ import annotations

import json
from dataclasses import asdict

from neopain.runtime.settings import read_settings


def audit_verify(*, as_json: bool) -> int:
    """Walks the chain of ``NEOPAIN_CHARTING_DATABASE_URL``; 0 when it is whole, 1 when a row is broken."""
    from neopain.charting.audit import verify_audit
    from neopain.charting.settings import ChartingSettings

    settings = read_settings(ChartingSettings)
    result = verify_audit(settings.database_url, anchor_path=settings.audit_anchor_path)
    print(json.dumps(asdict(result), default=str) if as_json else result.as_text())
    return 0 if result.is_whole else 1
