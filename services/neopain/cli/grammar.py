"""What commands are made of: groups, and the types of their arguments, each naming what it refuses."""

from __future__ import annotations

import argparse
from collections.abc import Callable

Action = Callable[[argparse.Namespace], int]

Commands = argparse._SubParsersAction  # argparse has no public name for it


class Wide(argparse.HelpFormatter):
    """Help with room for long options."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=110)


def command(
    commands: Commands[argparse.ArgumentParser], name: str, action: Action, text: str
) -> argparse.ArgumentParser:
    """One command of a group, with what it does; its text is what --help says."""
    parser = commands.add_parser(name, help=text, description=text, formatter_class=Wide)
    parser.set_defaults(action=action)
    return parser


def group(commands: Commands[argparse.ArgumentParser], name: str, text: str) -> Commands[argparse.ArgumentParser]:
    """A command that only has commands."""
    parser = commands.add_parser(name, help=text, description=text, formatter_class=Wide)
    return parser.add_subparsers(title="commands", metavar="COMMAND", required=True)


def said(text: str) -> str:
    """A text that says something, on one line, of up to 200 signs."""
    words = " ".join(text.split())
    if not words or len(words) > 200 or not words.isprintable():
        raise argparse.ArgumentTypeError("must say something, in up to 200 signs")
    return words


def positive(text: str) -> float:
    """A number above 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def natural(text: str) -> int:
    """A whole number from 1 to a million."""
    value = int(text)
    if not 1 <= value <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 1000000")
    return value


def seed(text: str) -> int:
    """A seed: a whole number from 0 below 2**31."""
    value = int(text)
    if not 0 <= value < 2**31:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 to {2**31 - 1}")
    return value


def cutoff(text: str) -> float:
    """A cut-off in NIPS points."""
    value = float(text)
    if not 0 <= value < 7:
        raise argparse.ArgumentTypeError(f"{text} is not a number of NIPS points from 0 to below 7")
    return value


def count(text: str) -> int:
    """A whole number from 1 to 64."""
    value = int(text)
    if not 1 <= value <= 64:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 64")
    return value


def box(text: str) -> tuple[int, int, int, int]:
    """Left, top, width and height in whole pixels."""
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not X,Y,W,H in whole pixels") from error
    if x < 0 or y < 0 or width <= 0 or height <= 0:
        raise argparse.ArgumentTypeError(f"{text!r}: left and top must be 0 or more, width and height above 0")
    return x, y, width, height
