"""How figures are written for people: rounded, with their intervals, and a dash for what is not known."""

from __future__ import annotations

from typing import Any, Final

UNKNOWN: Final = "–"

Node = dict[str, Any]


def number(value: float | None, digits: int = 2) -> str:
    """A number with so many digits after the point."""
    return UNKNOWN if value is None else _signed(f"{value:.{digits}f}")


def short(value: float) -> str:
    """A number with no more digits than it has."""
    return f"{value:g}"


def percent(value: float | str | None, digits: int = 1) -> str:
    """A share as per cent."""
    return UNKNOWN if value is None else _signed(f"{100 * float(value):.{digits}f}\u00a0%")


def signed_percent(value: float | None) -> str:
    """A change as per cent, always with its sign."""
    return UNKNOWN if value is None else _signed(f"{100 * value:+.0f}\u00a0%")


def p_value(value: float | None) -> str:
    """A p value; very small ones only as such."""
    if value is None:
        return UNKNOWN
    if value < 0.0001:
        return "< 0.0001"
    return f"{value:.4f}" if value < 0.01 else f"{value:.3f}"


def value_of(node: Node, digits: int = 2) -> str:
    """An estimate without its interval."""
    return number(node["value"], digits)


def range_of(node: Node, digits: int = 2) -> str:
    """The interval of an estimate alone."""
    if node["low"] is None:
        return "no interval"
    return f"{number(node['low'], digits)} to {number(node['high'], digits)}"


def estimate(node: Node, digits: int = 2) -> str:
    """An estimate with its interval in brackets."""
    if node["low"] is None:
        return value_of(node, digits)
    return f"{value_of(node, digits)} ({range_of(node, digits)})"


def share_of(node: Node) -> str:
    """An estimated share without its interval."""
    return percent(node["value"])


def share_range(node: Node) -> str:
    """The interval of an estimated share alone."""
    return "no interval" if node["low"] is None else f"{100 * node['low']:.0f} to {100 * node['high']:.0f}\u00a0%"


def share_estimate(node: Node) -> str:
    """An estimated share with its interval in brackets."""
    return share_of(node) if node["low"] is None else f"{share_of(node)} ({share_range(node)})"


def unbroken(text: str) -> str:
    """The text with its per cent signs held to their numbers."""
    return text.replace(" %", "\u00a0%")


def _signed(text: str) -> str:
    return text.replace("-", "−")


FILTERS: Final = {
    "number": number,
    "short": short,
    "percent": percent,
    "signed_percent": signed_percent,
    "p": p_value,
    "value": value_of,
    "range": range_of,
    "estimate": estimate,
    "share": share_of,
    "share_range": share_range,
    "share_estimate": share_estimate,
    "unbroken": unbroken,
}
"""The names under which templates use them."""
