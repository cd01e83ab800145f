"""Who was rated, what was recorded, and how the labels lie."""

from __future__ import annotations

from collections import Counter

import numpy as np

from neopain.training.figures.sample import Node, number
from neopain.training.predictions import RatedWindow

HALF_POINTS = tuple(round(step * 5 / 7, 4) for step in range(15))
"""Half NIPS points, which a mean of two raters can take, on 0..10."""


def cohort(windows: tuple[RatedWindow, ...], *, without_infant: int) -> Node:
    """Counts of infants, sessions, windows and what was recorded in them, and the distribution of the labels."""
    labels = np.array([window.label for window in windows], dtype=np.float64)
    step = HALF_POINTS[1]
    counts, _ = np.histogram(labels, bins=np.arange(len(HALF_POINTS) + 1) * step - step / 2)
    patterns = Counter(window.pattern for window in windows)
    return {
        "infants": len({window.subject for window in windows}),
        "sessions": len({(window.subject, window.session) for window in windows}),
        "windows": len(windows),
        "windows_without_infant": without_infant,
        "patterns": dict(sorted(patterns.items(), key=lambda one: (-one[1], one[0]))),
        "label": {
            "mean": number(labels.mean()) if len(labels) else None,
            "sd": number(labels.std(ddof=1)) if len(labels) > 1 else None,
            "histogram": {"values": list(HALF_POINTS), "counts": counts.tolist()},
        },
    }
