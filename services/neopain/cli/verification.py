"""The commands of whoever looks at what nurses made of suggestions."""

from __future__ import annotations

import argparse
from pathlib import Path

from neopain.cli.grammar import Commands, command, group, said
from neopain.cli.privacy import moment

TIME = "ISO 8601, in UTC where it has no offset"


def add_verification(commands: Commands[argparse.ArgumentParser]) -> None:
    """What nurses made of suggestions."""
    agreement = group(commands, "agreement", "Suggestions against what nurses made of them")
    text = "By unit and month: reviews, weighted kappa and ICC(2,1) in points of NIPS; no patient data"
    report = command(agreement, "report", _report, text)
    report.add_argument("--unit", default="", metavar="UNIT", help="only this unit, NICU or NICU@FACILITY")
    report.add_argument("--month", default="", metavar="YYYY-MM", help="only reviews of this month, UTC")
    text = "of studies instead, in which nurses scored before they saw the suggestion"
    report.add_argument("--study", action="store_true", help=text)
    report.add_argument("--json", action="store_true", help="print one JSON object")
    study = group(commands, "study", "What is kept of units in study mode")
    text = "Pairs of a nurse's score and ours, and those without the other, under pseudonyms; audited"
    export = command(study, "export", _export, text)
    export.add_argument("--from", dest="since", type=moment, metavar="TIME", required=True, help=TIME)
    export.add_argument("--to", dest="until", type=moment, metavar="TIME", required=True, help="likewise; not included")
    export.add_argument("--unit", default="", metavar="UNIT", help="only this unit, NICU or NICU@FACILITY")
    export.add_argument(
        "--out", type=Path, metavar="FILE", help="a new file, readable by its user only; default: stdout"
    )
    export.add_argument("--format", choices=("csv", "jsonl"), default="csv", help="default csv")
    text = "at least 16 secret bytes: with the same ones pseudonyms are the same in every export; default: new ones"
    export.add_argument("--key", type=Path, metavar="FILE", help=text)
    export.add_argument("--by", type=said, metavar="NAME", help="who exports; default: this machine's user")
    export.add_argument("--reason", type=said, metavar="TEXT", help="why, for the audit trail")


def _report(options: argparse.Namespace) -> int:
    from neopain.bootstrap.agreement import report_agreement

    return report_agreement(unit=options.unit, month=options.month, as_json=options.json, of_study=options.study)


def _export(options: argparse.Namespace) -> int:
    from neopain.bootstrap.study import StudyWish, export_study
    from neopain.runtime.user import user

    wish = StudyWish(
        since=options.since,
        until=options.until,
        unit=options.unit,
        form=options.format,
        out=options.out,
        key=options.key,
        by=options.by or user(),
        reason=options.reason or "",
    )
    return export_study(wish)
