"""The audit trail in the hands of its operator: ``neopain audit``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from neopain.charting.audit.checkpoint import read_trusted_keys
from neopain.charting.audit.export import ExportAsked, export_audit
from neopain.charting.audit.exported import verify_export
from neopain.charting.audit.restored import accept_restore
from neopain.charting.audit.verify import AuditVerification, verify_audit
from neopain.charting.desk import at_desk
from neopain.charting.settings import ChartingSettings
from neopain.errors import ConfigurationError
from neopain.runtime.clock import SystemClock
from neopain.runtime.settings import read_settings


def audit_verify(*, as_json: bool) -> int:
    """Walks the chains of ``NEOPAIN_CHARTING_DATABASE_URL``; 0 when they are whole, 1 when a row is broken."""
    settings = read_settings(ChartingSettings)
    trusted = read_trusted_keys(settings.audit_public_keys, settings.audit_signing_key)
    found = verify_audit(settings.database_url, anchor_path=settings.audit_anchor_path, trusted=trusted)
    return _print(found, as_json=as_json)


def audit_verify_file(path: Path, *, anchors: Path | None, keys: Path | None, as_json: bool) -> int:
    """Walks the chains of an exported file; 0 when they are whole, 1 when a row is broken."""
    return _print(verify_export(path, anchor_path=anchors, trusted=read_trusted_keys(keys)), as_json=as_json)


def audit_export(asked: ExportAsked) -> int:
    """Writes the file and says how many rows are in it: patient data, and itself in the audit trail."""
    with at_desk(read_settings(ChartingSettings).database_url) as engine:
        count = export_audit(engine, SystemClock(), asked)
    print(f"{asked.path}: {count} {'AuditEvents' if asked.as_fhir else 'rows'}")
    return 0


def audit_restored(*, by: str, reason: str) -> int:
    """Writes down that an older backup was restored, and from where on anchors count no more."""
    settings = read_settings(ChartingSettings)
    if settings.audit_anchor_path is None:
        raise ConfigurationError("there are no anchors: NEOPAIN_CHARTING_AUDIT_ANCHOR_PATH names their file")
    with at_desk(settings.database_url) as engine:
        lost = accept_restore(engine, SystemClock(), settings.audit_anchor_path, by=by, reason=reason)
    for chain, stretch in lost.items():
        print(f"{chain}: rows {stretch.first} to {stretch.last} are lost")
    return 0


def _print(found: AuditVerification, *, as_json: bool) -> int:
    print(json.dumps(asdict(found), default=str) if as_json else found.as_text())
    return 0 if found.is_whole else 1
