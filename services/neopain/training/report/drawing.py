"""How the report draws: colours, type and lines, and a matplotlib figure as SVG text that can stand in an HTML page.

The same figure always gives the same text: no dates, no random ids. Text stays text, so that it can be searched and
read aloud; its font is the reader's own.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE: Final = "#0072B2"
ORANGE: Final = "#D55E00"
GREEN: Final = "#009E73"
PINK: Final = "#CC79A7"
SKY: Final = "#56B4E9"
INK: Final = "#1f2933"
GREY: Final = "#8a94a0"
FAINT: Final = "#dfe4e8"
"""Okabe & Ito's colours, told apart by most colour-blind readers, and greys. No fact is told by colour alone."""

STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}

LEAST_SHRUNK: Final = 0.6
"""A wide picture shrinks about so far on a narrow screen, then it scrolls."""

READERS_FONTS: Final = "system-ui, 'Segoe UI', Helvetica, Arial, sans-serif"

Draw = Callable[[Figure], None]


def svg(name: str, title: str, draw: Draw, *, inches: tuple[float, float]) -> str:
    """Draws on a fresh figure of that size and returns its ``<svg>`` element.

    ``name`` is unique on the page: ids begin with it. ``title`` is what a screen reader says instead of the picture.
    """
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=inches, layout="constrained")
        draw(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    return _inline(buffer.getvalue(), name, title)


def no_data(axes: Axes, text: str = "nothing to show") -> None:
    """Says in the middle of empty axes that there is nothing."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", color=GREY, transform=axes.transAxes)


def _inline(document: str, name: str, title: str) -> str:
    element = document[document.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>\s*", "", element, flags=re.DOTALL)
    element = re.sub(r' id="[a-zA-Z0-9.]+_[0-9_]+"', "", element)  # matplotlib counts anew on every figure
    element = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", element)
    element = re.sub(r"'DejaVu Sans'(, [^;\"]*)?", READERS_FONTS, element)
    width = re.search(r'width="([0-9.]+)pt"', element)
    pixels = float(width.group(1)) * 4 / 3 if width else 0.0
    style = f"max-width:{pixels:.0f}px;min-width:{min(pixels, LEAST_SHRUNK * pixels + 80):.0f}px"
    element = re.sub(r' (width|height)="[0-9.]+pt"', "", element, count=2)
    label = title.replace("&", "and").replace('"', "").replace("<", "under ").replace(">", "over ")
    return element.replace("<svg", f'<svg role="img" aria-label="{label}" style="{style}"', 1)
