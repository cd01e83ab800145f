"""The ``neopain`` command: reads arguments, hands over to ``bootstrap``, turns errors into one line and an exit code.

Exit codes: 0 done; 1 it ran and what it was to show does not hold; 2 arguments, input or settings that cannot be used.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from neopain import __version__
from neopain.errors import ConfigurationError, NeopainError, UnreadableRecording

Action = Callable[[argparse.Namespace], int]

NOTICE = (
    "Investigational software: a score is a suggestion that a nurse verifies. "
    "Not a medical device, not for clinical use."
)


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point; ends the process with the exit code."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        action: Action = options.action
        return action(options)
    except (ConfigurationError, UnreadableRecording) as error:
        print(f"neopain: {error}", file=sys.stderr)
        return 2
    except NeopainError as error:
        print(f"neopain: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def build_parser() -> argparse.ArgumentParser:
    """Every command in one tree."""
    parser = argparse.ArgumentParser(prog="neopain", description=__doc__, epilog=NOTICE, formatter_class=_Wide)
    parser.description = "Continuous pain scores for newborns from what is already at the bedside."
    parser.add_argument("--version", action="version", version=f"neopain {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_demo(commands)
    _add_score(commands)
    _add_services(commands)
    _add_tools(commands)
    return parser


class _Wide(argparse.HelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=110)


Commands = argparse._SubParsersAction  # argparse has no public name for it


def _command(
    commands: Commands[argparse.ArgumentParser], name: str, action: Action, text: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text, formatter_class=_Wide)
    parser.set_defaults(action=action)
    return parser


def _group(commands: Commands[argparse.ArgumentParser], name: str, text: str) -> Commands[argparse.ArgumentParser]:
    parser = commands.add_parser(name, help=text, description=text, formatter_class=_Wide)
    return parser.add_subparsers(title="commands", metavar="COMMAND", required=True)


def _add_demo(commands: Commands[argparse.ArgumentParser]) -> None:
    demo = _command(commands, "demo", _demo, "The whole line on this machine, with a ward of simulated infants")
    demo.add_argument("--seconds", type=_positive, help="stop after this long; without it, at Ctrl-C")
    demo.add_argument("--json", action="store_true", help="print one JSON summary as the last line instead of a table")
    demo.add_argument("--beds", type=_count, default=2, help="number of beds (default 2)")
    demo.add_argument("--seed", type=int, default=1, help="seed of the simulated infants (default 1)")
    demo.add_argument("--state", type=Path, help="folder for data and logs (default var/demo in the checkout)")


def _add_score(commands: Commands[argparse.ArgumentParser]) -> None:
    score = _command(commands, "score", _score, "Score your own recordings; never charted")
    score.add_argument("--video", type=Path, metavar="FILE", help="mp4, webm or mov; the face needs --face-box")
    score.add_argument("--audio", type=Path, metavar="FILE", help="wav, mp3 or m4a")
    score.add_argument("--hl7", type=Path, metavar="FILE", nargs="+", default=[], help="HL7 v2 text: CR, LF or CRLF")
    score.add_argument("--face-box", type=_box, metavar="X,Y,W,H", help="where the face is, in pixels of the video")
    for way in ("video", "audio", "hl7"):
        text = f"seconds by which the {way} begins later than the others (default: aligned at first samples)"
        score.add_argument(f"--{way}-offset", type=float, default=0.0, metavar="S", help=text)
    score.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    score.add_argument("--state", type=Path, help="folder for data and logs (default var/score in the checkout)")


def _add_services(commands: Commands[argparse.ArgumentParser]) -> None:
    for service, parts in SERVICES.items():
        group = _group(commands, service, f"The {service} service's processes; settings NEOPAIN_{service.upper()}_*")
        for part, (text, action) in parts.items():
            _command(group, part, action, text)


def _add_tools(commands: Commands[argparse.ArgumentParser]) -> None:
    audit = _group(commands, "audit", "The audit trail")
    verify = _command(audit, "verify", _audit_verify, "Check the chain; names the first broken row, exit 1")
    verify.add_argument("--json", action="store_true", help="print one JSON object")
    bench = _group(commands, "bench", "Measurements that print JSON")
    latency = _command(bench, "latency", _bench_latency, "Window complete to score on the bus, with its parts")
    latency.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    latency.add_argument("--seconds", type=_positive, default=60.0, help="how long to measure (default 60)")
    latency.add_argument("--beds", type=_count, default=1, help="beds at one window a second (default 1)")
    latency.add_argument("--state", type=Path, help="folder for data and logs (default var/bench in the checkout)")
    letters = _group(commands, "dead-letters", "What could not be processed")
    listed = _command(letters, "list", _dead_letters, "One line each: id, origin, source, place, reason")
    listed.add_argument("--json", action="store_true", help="print one JSON object per line")
    model = _group(commands, "model", "The nets")
    export = _command(model, "export", _model_export, "Export the nets and print the model repository's folder")
    export.add_argument("--state", type=Path, help="folder that keeps exported nets (default var in the checkout)")


def _demo(options: argparse.Namespace) -> int:
    from neopain.bootstrap.demo import DemoOptions, run_demo

    return run_demo(
        DemoOptions(
            seconds=options.seconds,
            as_json=options.json,
            beds=options.beds,
            seed=options.seed,
            state_dir=options.state,
        )
    )


def _score(options: argparse.Namespace) -> int:
    from neopain.bootstrap.score import ScoreOptions, run_score

    return run_score(
        ScoreOptions(
            video=options.video,
            audio=options.audio,
            hl7=tuple(options.hl7),
            face_box=options.face_box,
            video_offset_seconds=options.video_offset,
            audio_offset_seconds=options.audio_offset,
            hl7_offset_seconds=options.hl7_offset,
            as_json=options.json,
            state_dir=options.state,
        )
    )


def _service(service: str, part: str) -> Action:
    def action(_: argparse.Namespace) -> int:
        from neopain.bootstrap import services

        services.run(service, part)
        return 0

    return action


def _audit_verify(options: argparse.Namespace) -> int:
    from neopain.bootstrap.tools import audit_verify

    return audit_verify(as_json=options.json)


def _bench_latency(options: argparse.Namespace) -> int:
    from neopain.bootstrap.latency import LatencyOptions, run_latency

    return run_latency(
        LatencyOptions(seconds=options.seconds, beds=options.beds, as_json=options.json, state_dir=options.state)
    )


def _dead_letters(options: argparse.Namespace) -> int:
    from neopain.bootstrap.tools import list_dead_letters

    return list_dead_letters(as_json=options.json)


def _model_export(options: argparse.Namespace) -> int:
    from neopain.bootstrap.places import state_folder
    from neopain.bootstrap.weights import ensure_weights

    print(ensure_weights(state_folder(options.state, "")))
    return 0


SERVICES: dict[str, dict[str, tuple[str, Action]]] = {
    "ingest": {
        "hl7": ("MLLP listener: vitals and census", _service("ingest", "hl7")),
        "device": ("gRPC device API: frames, sound, vitals", _service("ingest", "device")),
    },
    "scoring": {
        "ticker": ("Says once a second which windows are complete", _service("scoring", "ticker")),
        "worker": ("Scores windows with Triton", _service("scoring", "worker")),
    },
    "charting": {
        "migrate": ("Bring the database's schema up to date", _service("charting", "migrate")),
        "consumer": ("Turns scores into entries", _service("charting", "consumer")),
        "delivery": ("Celery worker: brings entries to the EHR", _service("charting", "delivery")),
        "beat": ("Celery beat: looks for due entries", _service("charting", "beat")),
    },
    "simulator": {
        "ward": ("Simulated infants at the doors of ingest", _service("simulator", "ward")),
    },
}


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 64:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 64")
    return value


def _box(text: str) -> tuple[int, int, int, int]:
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not X,Y,W,H in whole pixels") from error
    if x < 0 or y < 0 or width <= 0 or height <= 0:
        raise argparse.ArgumentTypeError(f"{text!r}: left and top must be 0 or more, width and height above 0")
    return x, y, width, height
