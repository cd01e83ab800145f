"""The commands of whoever looks at what nurses made of suggestions."""

from __future__ import annotations

import argparse

from neopain.cli.grammar import Commands, command, group


def add_verification(commands: Commands[argparse.ArgumentParser]) -> None:
    """What nurses made of suggestions."""
    agreement = group(commands, "agreement", "Suggestions against what nurses made of them")
    text = "By unit and month: reviews, weighted kappa and ICC(2,1) in points of NIPS; no patient data"
    report = command(agreement, "report", _report, text)
    report.add_argument("--unit", default="", metavar="UNIT", help="only this unit, NICU or NICU@FACILITY")
    report.add_argument("--month", default="", metavar="YYYY-MM", help="only reviews of this month, UTC")
    report.add_argument("--json", action="store_true", help="print one JSON object")


def _report(options: argparse.Namespace) -> int:
    from neopain.bootstrap.agreement import report_agreement

    return report_agreement(unit=options.unit, month=options.month, as_json=options.json)
