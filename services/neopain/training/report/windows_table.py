"""``predictions.csv``: every judged window with its label and what each model said, for whoever wants to recompute."""

from __future__ import annotations

import csv
import io

from neopain.features.signature import QUANTILES
from neopain.training.predictions import FUSION, Predictions

MEDIAN = QUANTILES.index(0.5)
DIGITS = 4


def windows_table(predictions: Predictions) -> str:
    """CSV with a header, a row for each window; all quantiles of the served model, the medians of the others."""
    others = [name for name in predictions.models if name != FUSION]
    served = predictions.models[FUSION]
    raters = max((len(window.ratings) for window in predictions.windows), default=0)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_head(raters, others))
    for row, window in enumerate(predictions.windows):
        ratings = [_number(rating) for rating in window.ratings]
        rows.writerow(
            [
                window.subject,
                window.session,
                window.segment,
                _number(window.end_seconds),
                window.pattern,
                _number(window.label),
                *ratings,
                *[""] * (raters - len(ratings)),
                *[_number(value) for value in served.quantiles[row]],
                served.abstained[row],
                _number(served.distance[row]),
                _number(served.sedation[row]),
                "" if window.sedation_label is None else _number(window.sedation_label),
                *[_number(predictions.models[name].quantiles[row, MEDIAN]) for name in others],
            ]
        )
    return text.getvalue()


def _head(raters: int, others: list[str]) -> list[str]:
    return [
        "subject", "session", "segment", "end_s", "pattern", "label",
        *[f"rating_{number}" for number in range(1, raters + 1)],
        *[f"q{level:g}" for level in QUANTILES],
        "abstained", "distance", "sedation", "sedation_label", *others,
    ]  # fmt: skip


def _number(value: float) -> str:
    return f"{value:.{DIGITS}f}"
