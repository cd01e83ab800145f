"""The model card (after Mitchell et al. 2019, FAT* '19): what the weights are, for whom, how good, where not."""

from __future__ import annotations

from typing import Any

from neopain.training.report.templates import render
from neopain.training.report.texts import GROUP_TITLES, limits, method, split_text


def model_card(figures: dict[str, Any]) -> str:
    """The card as Markdown; every figure is of ``figures`` and nothing is typed in by hand."""
    return render(
        "card.md.j2",
        **figures,
        group_titles=GROUP_TITLES,
        limits=limits(figures["about"]),
        method=method(figures),
        split_text=split_text(figures["about"]),
    )
