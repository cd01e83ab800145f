"""The commands of who answers alerts: notices of investigational software, no medical alarms."""

from __future__ import annotations

import argparse

from neopain.cli.grammar import Commands, command, group, natural, said

LEVELS = ("mild", "moderate", "severe")


def add_alerts(commands: Commands[argparse.ArgumentParser]) -> None:
    """Looking at alerts, and answering them."""
    alerts = group(commands, "alerts", "Alerts: notices of investigational software, not medical alarms")
    text = "One line each, the newest first: alert, level, bed, since when, newest number, answer"
    listed = command(alerts, "list", _list, text)
    listed.add_argument("--bed", default="", metavar="BED", help="only of this bed, unit/room/bed@facility")
    listed.add_argument("--all", action="store_true", help="also those that ended")
    listed.add_argument("--most", type=natural, default=100, help="the newest so many (default 100)")
    listed.add_argument("--json", action="store_true", help="print one JSON object per line")
    shown = command(
        alerts, "show", _show, "One of them with the infant and everything that happened: patient data; audited"
    )
    shown.add_argument("id", metavar="ALERT", help="as listed")
    shown.add_argument("--by", type=said, metavar="NAME", help="who reads it (default: the user)")
    forms = shown.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_true", help="print one JSON object")
    forms.add_argument("--fhir", action="store_true", help="print it as a FHIR R4 Flag")
    text = "Take notice of an alert at its level: it is escalated no more unless it rises; audited"
    _add_act(command(alerts, "acknowledge", _acknowledge, text))
    text = "Put an alert off for a while, at most as long as the policy allows and until it rises; audited"
    snoozed = command(alerts, "snooze", _snooze, text)
    snoozed.add_argument("--minutes", type=natural, required=True, metavar="N", help="for how long")
    _add_act(snoozed)


def _add_act(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ALERT", help="as listed")
    parser.add_argument("--by", type=said, metavar="NAME", required=True, help="who answers it")
    parser.add_argument("--note", type=said, metavar="TEXT", help="what is to be said with it")
    parser.add_argument("--seen", choices=LEVELS, help="the level that was looked at: refused if it has risen since")


def _list(options: argparse.Namespace) -> int:
    from neopain.bootstrap.alerts import list_alerts

    return list_alerts(bed=options.bed, with_ended=options.all, most=options.most, as_json=options.json)


def _show(options: argparse.Namespace) -> int:
    from neopain.bootstrap.alerts import show_alert

    return show_alert(options.id, by=options.by or "", as_json=options.json, as_fhir=options.fhir)


def _acknowledge(options: argparse.Namespace) -> int:
    return _answer(options, minutes=None)


def _snooze(options: argparse.Namespace) -> int:
    return _answer(options, minutes=options.minutes)


def _answer(options: argparse.Namespace, *, minutes: int | None) -> int:
    from datetime import timedelta

    from neopain.bootstrap.alerts import answer_alert
    from neopain.domain.alert import AlertLevel
    from neopain.domain.alert_acts import Act

    snooze = timedelta(minutes=minutes) if minutes is not None else None
    seen = AlertLevel(options.seen) if options.seen else None
    return answer_alert(options.id, Act(options.by, options.note or "", snooze, seen))
