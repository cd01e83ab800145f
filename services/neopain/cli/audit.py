"""The commands of who answers for the audit trail, and for how long data are kept."""

from __future__ import annotations

import argparse
from pathlib import Path

from neopain.cli.grammar import Commands, command, group, said
from neopain.cli.privacy import moment
from neopain.errors import ConfigurationError


def add_audit(commands: Commands[argparse.ArgumentParser]) -> None:
    """The audit trail, and retention."""
    _add_trail(group(commands, "audit", "The audit trail"))
    _add_retention(group(commands, "retention", "How long data are kept, and whose are kept in any case"))


def _add_trail(audit: Commands[argparse.ArgumentParser]) -> None:
    verify = command(audit, "verify", _verify, "Check every chain; names the first broken row, exit 1")
    verify.add_argument("--file", type=Path, help="check an exported file instead; no database and no settings needed")
    verify.add_argument("--anchors", type=Path, metavar="FILE", help="of --file: anchors to hold it against")
    verify.add_argument("--keys", type=Path, metavar="FILE", help="of --file: public keys (PEM) of checkpoints")
    verify.add_argument("--json", action="store_true", help="print one JSON object")
    text = "Write rows with their hashes to a file (NDJSON), gzipped where it ends in .gz: patient data; audited"
    export = command(audit, "export", _export, text)
    export.add_argument("file", type=Path, metavar="FILE", help="a new file, readable by its user only")
    export.add_argument("--since", type=moment, metavar="TIME", help="ISO 8601, in UTC where it has no offset")
    export.add_argument("--until", type=moment, metavar="TIME", help="likewise; not included")
    export.add_argument("--fhir", action="store_true", help="as FHIR AuditEvents instead, one for each infant of a row")
    _add_said(export)
    text = "Say that an older backup was restored on purpose: anchors of what was lost count no more; audited"
    restored = command(audit, "restored", _restored, text)
    _add_said(restored)


def _add_retention(retention: Commands[argparse.ArgumentParser]) -> None:
    text = "Each class of data: how long it is kept, what is due, what a hold keeps; then the holds; no patient data"
    show = command(retention, "show", _show, text)
    show.add_argument("--json", action="store_true", help="print one JSON object")
    text = "Delete what is due by the settings (NEOPAIN_CHARTING_RETENTION_*); audited; run again, it goes on"
    run = command(retention, "run", _run, text)
    run.add_argument("--by", type=said, metavar="NAME", required=True, help="who runs it, or which job")
    run.add_argument("--dry-run", action="store_true", help="only say what would be deleted")
    hold = command(retention, "hold", _hold, "Keep everything about an infant until the hold is released; audited")
    hold.add_argument("number", type=said, metavar="NUMBER", help="the infant's number, as the hospital has it")
    hold.add_argument("--authority", help="who assigned the number, where several have; empty for none")
    _add_said(hold)
    release = command(retention, "release", _release, "End a hold; audited")
    release.add_argument("hold", metavar="HOLD", help="as shown")
    _add_said(release)


def _add_said(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--by", type=said, metavar="NAME", required=True, help="who decides it")
    parser.add_argument("--why", type=said, metavar="TEXT", required=True, help="why")


def _verify(options: argparse.Namespace) -> int:
    from neopain.bootstrap.audit import audit_verify, audit_verify_file

    if options.file is None:
        if options.anchors is not None or options.keys is not None:
            raise ConfigurationError("--anchors and --keys are of --file: for the database, settings say them")
        return audit_verify(as_json=options.json)
    return audit_verify_file(options.file, anchors=options.anchors, keys=options.keys, as_json=options.json)


def _export(options: argparse.Namespace) -> int:
    from neopain.bootstrap.audit import audit_export
    from neopain.charting.audit.export import ExportAsked

    return audit_export(
        ExportAsked(
            path=options.file,
            by=options.by,
            reason=options.why,
            since=options.since,
            until=options.until,
            as_fhir=options.fhir,
        )
    )


def _restored(options: argparse.Namespace) -> int:
    from neopain.bootstrap.audit import audit_restored

    return audit_restored(by=options.by, reason=options.why)


def _show(options: argparse.Namespace) -> int:
    from neopain.bootstrap.retention import show_retention

    return show_retention(as_json=options.json)


def _run(options: argparse.Namespace) -> int:
    from neopain.bootstrap.retention import run_retention_now

    return run_retention_now(by=options.by, is_dry=options.dry_run)


def _hold(options: argparse.Namespace) -> int:
    from neopain.bootstrap.retention import hold_infant

    return hold_infant(options.number, options.authority, by=options.by, reason=options.why)


def _release(options: argparse.Namespace) -> int:
    from neopain.bootstrap.retention import release_infant

    return release_infant(options.hold, by=options.by, reason=options.why)
