"""The ``neopain`` command: reads arguments, hands over to ``bootstrap``, turns errors into one line and an exit code.

Exit codes: 0 done; 1 it ran and what it was to show does not hold, or its output could not be written; 2 arguments,
input or settings that cannot be used; 141 whoever read its output has gone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import cache, partial

from neopain import __version__
from neopain.cli.grammar import Action, Commands, Wide
from neopain.cli.output import with_output
from neopain.cli.services import SERVICES, add_service
from neopain.errors import ConfigurationError, NeopainError, UnreadableRecording

NOTICE = (
    "Investigational software: a score is a suggestion that a nurse verifies. "
    "Not a medical device, not for clinical use."
)


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point; ends the process with the exit code."""
    sys.exit(with_output(partial(run, arguments)))


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = build_service_parser(given[0]) if given and given[0] in SERVICES else build_parser()
    options = parser.parse_args(given)
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


@cache
def build_parser() -> argparse.ArgumentParser:
    """Every command in one tree, made once: whoever runs several commands in one process waits 70 ms once."""
    from neopain.cli.alerts import add_alerts
    from neopain.cli.audit import add_audit
    from neopain.cli.fhir import add_fhir
    from neopain.cli.integration import add_integration
    from neopain.cli.line import add_line
    from neopain.cli.model import add_model
    from neopain.cli.privacy import add_privacy
    from neopain.cli.training import add_training
    from neopain.cli.verification import add_verification

    parser, commands = _root()
    add_line(commands)
    add_alerts(commands)
    add_verification(commands)
    add_privacy(commands)
    add_audit(commands)
    add_integration(commands)
    add_fhir(commands)
    add_training(commands)
    add_model(commands)
    return parser


@cache
def build_service_parser(service: str) -> argparse.ArgumentParser:
    """The same for the commands of one service alone, whose process is not to wait for all the others."""
    parser, commands = _root()
    add_service(commands, service)
    return parser


def _root() -> tuple[argparse.ArgumentParser, Commands[argparse.ArgumentParser]]:
    parser = argparse.ArgumentParser(prog="neopain", description=__doc__, epilog=NOTICE, formatter_class=Wide)
    parser.description = "Continuous pain scores for newborns from what is already at the bedside."
    parser.add_argument("--version", action="version", version=f"neopain {__version__}")
    return parser, parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
