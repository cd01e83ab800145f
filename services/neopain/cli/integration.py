"""The commands of who connects a hospital: what came of a message, which sources send, what could not be processed."""

from __future__ import annotations

import argparse
from pathlib import Path

from neopain.cli.grammar import Commands, command, group, natural, positive, said


def add_integration(commands: Commands[argparse.ArgumentParser]) -> None:
    """Messages, sources, dead letters, the outbox, held entries."""
    _add_trace(commands)
    _add_sources(commands)
    _add_dead_letters(commands)
    _add_outbox(commands)
    _add_held(commands)
    _add_flowsheet(commands)


def _add_trace(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "One message's way: received, stored, scored, charted, confirmed by the EHR: patient data; audited"
    trace = command(commands, "trace", _trace, text)
    trace.add_argument("control_id", metavar="CONTROL-ID", help="MSH-10 of the message")
    trace.add_argument("--source", default="", metavar="NAME", help="only of this source, as `sources` names it")
    trace.add_argument("--most", type=natural, default=5, help="the newest so many of each source (default 5)")
    _add_reader(trace)
    trace.add_argument("--json", action="store_true", help="print one JSON object")


def _add_sources(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "Each HL7 sender: last heard, rate, gaps, clock, time to its acknowledgements, rejections by rule"
    sources = command(commands, "sources", _sources, text)
    sources.add_argument("--minutes", type=positive, default=60.0, help="how far back to look (default 60)")
    sources.add_argument("--json", action="store_true", help="print one JSON object per line")


def _add_dead_letters(commands: Commands[argparse.ArgumentParser]) -> None:
    letters = group(commands, "dead-letters", "What could not be processed: kept raw, with a diagnosis")
    listed = command(letters, "list", _list, "One line each: id, received, origin, source, place and rule")
    listed.add_argument("--rule", default="", metavar="TEXT", help="only those with this text in place or rule")
    _add_reader(listed)
    text = "print one JSON object per line, with the raw bytes: patient data; audited"
    listed.add_argument("--json", action="store_true", help=text)
    shown = command(
        letters, "show", _show, "One of them with its raw message, every sign visible: patient data; audited"
    )
    shown.add_argument("id", metavar="ID", help="as listed")
    _add_reader(shown)
    shown.add_argument("--json", action="store_true", help="print one JSON object")
    text = "Put HL7 messages in again, as if they came now; who did it and why is kept and audited"
    replayed = command(letters, "replay", _replay, text)
    replayed.add_argument("ids", metavar="ID", nargs="*", help="as listed")
    replayed.add_argument("--all", action="store_true", help="all that --rule chooses")
    replayed.add_argument("--rule", type=said, metavar="TEXT", help="with --all: text in place or rule")
    replayed.add_argument("--by", type=said, metavar="NAME", required=True, help="who decided it")
    replayed.add_argument("--reason", type=said, metavar="TEXT", required=True, help="why, e.g. what was put right")
    replayed.add_argument("--json", action="store_true", help="print one JSON object per line")


def _add_outbox(commands: Commands[argparse.ArgumentParser]) -> None:
    rows = group(commands, "outbox", "Entries on their way to the EHR; what it refused or holds is for a person")
    text = "One line each, oldest first: entry, state, bed, kind, end, failed attempts, the last reason"
    listed = command(rows, "list", _outbox_list, text)
    states = ("open", "pending", "held", "unverified", "rejected", "cancelled", "confirmed", "accepted")
    listed.add_argument("--state", choices=states, default="open", help="default open: pending, held and rejected")
    listed.add_argument("--most", type=natural, default=100, help="the oldest so many (default 100)")
    listed.add_argument("--json", action="store_true", help="print one JSON object per line")
    shown = command(rows, "show", _outbox_show, "One entry with its value, infant and delivery: patient data; audited")
    shown.add_argument("id", metavar="ENTRY", help="as listed")
    _add_reader(shown)
    shown.add_argument("--json", action="store_true", help="print one JSON object")
    for name, action, text in (
        ("retry", _outbox_retry, "Try entries again now, e.g. when the EHR was put right; audited"),
        ("cancel", _outbox_cancel, "Decide that entries are not sent; audited, and cannot be undone"),
    ):
        decided = command(rows, name, action, text)
        decided.add_argument("ids", metavar="ENTRY", nargs="+", help="as listed")
        decided.add_argument("--by", type=said, metavar="NAME", required=True, help="who decided it")
        decided.add_argument("--reason", type=said, metavar="TEXT", required=True, help="why")
    text = "Say that an older backup was restored: what is to be sent is looked for at the EHR first; audited"
    restored = command(rows, "restored", _outbox_restored, text)
    restored.add_argument("--by", type=said, metavar="NAME", required=True, help="who restored it")
    restored.add_argument("--reason", type=said, metavar="TEXT", required=True, help="why")


def _add_held(commands: Commands[argparse.ArgumentParser]) -> None:
    entries = group(commands, "held", "Entries that are not charted, since it is not known whose they are")
    text = "One line each, oldest first: entry, bed, kind, times, the reason"
    listed = command(entries, "list", _held_list, text)
    listed.add_argument("--bed", default="", metavar="BED", help="only of this bed, unit/room/bed@facility")
    listed.add_argument("--most", type=natural, default=100, help="the oldest so many (default 100)")
    listed.add_argument("--json", action="store_true", help="print one JSON object per line")
    shown = command(
        entries, "show", _held_show, "One entry with its value, and what it stands instead of: patient data; audited"
    )
    shown.add_argument("id", metavar="ENTRY", help="as listed")
    _add_reader(shown)
    shown.add_argument("--json", action="store_true", help="print one JSON object")
    text = "Decide that nothing is charted of held entries; audited, and cannot be undone"
    discarded = command(entries, "discard", _held_discard, text)
    discarded.add_argument("ids", metavar="ENTRY", nargs="+", help="as listed")
    discarded.add_argument("--by", type=said, metavar="NAME", required=True, help="who decided it")
    discarded.add_argument("--reason", type=said, metavar="TEXT", required=True, help="why")


def _add_reader(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--by", type=said, metavar="NAME", help="who reads it (default: the user)")


def _trace(options: argparse.Namespace) -> int:
    from neopain.bootstrap.trace.command import TraceOptions, run_trace

    return run_trace(
        TraceOptions(options.control_id, options.source, options.most, by=options.by or "", as_json=options.json)
    )


def _sources(options: argparse.Namespace) -> int:
    from neopain.bootstrap.sources import list_sources

    return list_sources(minutes=options.minutes, as_json=options.json)


def _list(options: argparse.Namespace) -> int:
    from neopain.bootstrap.dead_letters import list_dead_letters

    return list_dead_letters(rule=options.rule, by=options.by or "", as_json=options.json)


def _show(options: argparse.Namespace) -> int:
    from neopain.bootstrap.dead_letters import show_dead_letter

    return show_dead_letter(options.id, by=options.by or "", as_json=options.json)


def _replay(options: argparse.Namespace) -> int:
    from neopain.bootstrap.replays import ReplayOptions, replay_dead_letters
    from neopain.errors import ConfigurationError

    if bool(options.ids) == options.all or options.all != bool(options.rule):
        raise ConfigurationError("name the letters by their ids, or choose them with --all --rule TEXT")
    return replay_dead_letters(
        ReplayOptions(
            by=options.by,
            reason=options.reason,
            ids=tuple(options.ids),
            rule=options.rule or "",
            as_json=options.json,
        )
    )


def _add_flowsheet(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "The flowsheet interface in force (HL7 v2 ORU^R01); with --file, a file's, which is checked"
    sheet = command(commands, "flowsheet", _flowsheet, text)
    sheet.add_argument("--file", type=Path, metavar="FILE", help="a flowsheet (TOML), before it is put in force")
    chosen = sheet.add_mutually_exclusive_group()
    chosen.add_argument("--example", action="store_true", help="print a file to begin from")
    chosen.add_argument("--values", action="store_true", help="print what a row may tell")
    chosen.add_argument("--message", action="store_true", help="print the message of an invented entry, as a test")
    chosen.add_argument("--message-without-score", action="store_true", help="the same of one that has no number")
    chosen.add_argument("--json", action="store_true", help="print one JSON object")


def _flowsheet(options: argparse.Namespace) -> int:
    from neopain.bootstrap.flowsheet import print_example, print_message, print_values, show_flowsheet

    if options.example:
        return print_example()
    if options.values:
        return print_values()
    if options.message or options.message_without_score:
        return print_message(file=options.file, has_number=options.message)
    return show_flowsheet(file=options.file, as_json=options.json)


def _held_list(options: argparse.Namespace) -> int:
    from neopain.bootstrap.held import list_held

    return list_held(bed=options.bed, most=options.most, as_json=options.json)


def _held_show(options: argparse.Namespace) -> int:
    from neopain.bootstrap.held import show_held

    return show_held(options.id, by=options.by or "", as_json=options.json)


def _held_discard(options: argparse.Namespace) -> int:
    from neopain.bootstrap.held import discard_held

    return discard_held(options.ids, by=options.by, reason=options.reason)


def _outbox_list(options: argparse.Namespace) -> int:
    from neopain.bootstrap.outbox import list_outbox

    return list_outbox(state=options.state, most=options.most, as_json=options.json)


def _outbox_show(options: argparse.Namespace) -> int:
    from neopain.bootstrap.outbox import show_outbox

    return show_outbox(options.id, by=options.by or "", as_json=options.json)


def _outbox_retry(options: argparse.Namespace) -> int:
    from neopain.bootstrap.outbox import decide_on
    from neopain.charting.desk import Decision, Verdict

    return decide_on(options.ids, Decision(Verdict.RETRY, options.by, options.reason))


def _outbox_restored(options: argparse.Namespace) -> int:
    from neopain.bootstrap.outbox import doubt

    return doubt(by=options.by, reason=options.reason)


def _outbox_cancel(options: argparse.Namespace) -> int:
    from neopain.bootstrap.outbox import decide_on
    from neopain.charting.desk import Decision, Verdict

    return decide_on(options.ids, Decision(Verdict.CANCEL, options.by, options.reason))
