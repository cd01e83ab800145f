"""TRIPOD+AI (Collins et al., BMJ 2024;385:e078378): item numbers, and in our own words what this evaluation says.

The wording of the items is the authors' and is not reproduced. What only a study on patients can answer is "open".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from neopain.training.report.templates import render
from neopain.training.report.texts import split_text

Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """One item: its number, its subject in a word or two, and the answer."""

    number: str
    topic: str
    answer: str


def tripod_items(figures: Node) -> list[Item]:
    """The filled checklist."""
    text = render("tripod.txt.j2", **figures, split_text=split_text(figures["about"]))
    return [Item(*line.split(" | ", maxsplit=2)) for line in text.splitlines() if line]


def tripod_markdown(figures: Node) -> str:
    """The filled checklist as Markdown."""
    about = figures["about"]
    rows = "\n".join(
        f"| {item.number} | {item.topic} | {item.answer.replace('|', '/')} |" for item in tripod_items(figures)
    )
    return f"""# TRIPOD+AI checklist

Evaluation of `{about["model"]}` ({about["weights"]}), made by `{about["command"]}`. Item numbers are those of TRIPOD+AI
(Collins et al., BMJ 2024;385:e078378); their wording is the authors' and is not reproduced here.

| item | about | here |
|---|---|---|
{rows}
"""
