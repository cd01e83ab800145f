"""The commands of who answers for patient data."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from neopain.cli.grammar import Commands, command, said


def add_privacy(commands: Commands[argparse.ArgumentParser]) -> None:
    """Who saw or changed what."""
    text = "Who saw or changed what of an infant, from the audit trail: patient data; asking is audited too"
    told = command(commands, "disclosures", _disclosures, text)
    told.add_argument("number", type=said, metavar="NUMBER", help="the infant's number, as the hospital has it")
    told.add_argument("--authority", help="who assigned the number, where several have; empty for none")
    told.add_argument("--by", type=said, metavar="NAME", required=True, help="who asks")
    told.add_argument("--reason", type=said, metavar="TEXT", required=True, help="why, e.g. the parents' request")
    told.add_argument("--since", type=moment, metavar="TIME", help="ISO 8601, in UTC where it has no offset")
    told.add_argument("--until", type=moment, metavar="TIME", help="likewise; not included")
    told.add_argument("--json", action="store_true", help="print one JSON object per line")


def moment(text: str) -> datetime:
    """A date or a time in ISO 8601."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no ISO 8601 date or time") from error
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)


def _disclosures(options: argparse.Namespace) -> int:
    from neopain.bootstrap.disclosures import print_disclosures
    from neopain.charting.audit.of_infant import AskedOf

    asked = AskedOf(
        number=options.number,
        authority=options.authority,
        by=options.by,
        reason=options.reason,
        since=options.since,
        until=options.until,
    )
    return print_disclosures(asked, as_json=options.json)
