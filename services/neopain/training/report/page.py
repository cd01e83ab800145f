"""The report's HTML: one file with its style and pictures in it, which needs no script and no network."""

from __future__ import annotations

from typing import Any, Final

from markupsafe import Markup

from neopain.training.predictions import Predictions
from neopain.training.report import plots
from neopain.training.report.courses import draw_courses, sample_courses
from neopain.training.report.templates import render
from neopain.training.report.texts import GROUP_TITLES, limits, method, split_text
from neopain.training.report.tripod import tripod_items

Node = dict[str, Any]

CONTENTS: Final = (
    ("headline", "Headline"),
    ("agreement", "Agreement"),
    ("calibration", "Calibration"),
    ("decision", "Pain or not"),
    ("patterns", "What is present"),
    ("groups", "Groups"),
    ("comparisons", "Comparisons"),
    ("abstention", "Abstention"),
    ("sedation", "Sedation"),
    ("prolonged", "Prolonged pain"),
    ("data", "Data"),
    ("method", "Method"),
    ("limits", "Limits"),
    ("tripod", "TRIPOD+AI"),
)

NO_ESTIMATE: Final = {"value": None, "low": None, "high": None}


def report_page(figures: Node, predictions: Predictions) -> str:
    """The whole page, from ``evaluate.figures`` and the predictions they were made of."""
    return render(
        "page.html.j2",
        **({"prolonged": None} | figures),
        contents=CONTENTS,
        level90=figures["intervals"]["levels"]["0.9"],
        agreement_rows=_agreement_rows(figures),
        plots=_pictures(figures, predictions),
        group_titles=GROUP_TITLES,
        method=method(figures),
        split_text=split_text(figures["about"]),
        limits=limits(figures["about"]),
        tripod=tripod_items(figures),
    )


def _pictures(figures: Node, predictions: Predictions) -> dict[str, Markup]:
    pictures = {
        "labels": plots.draw_labels(figures),
        "courses": draw_courses(predictions, sample_courses(predictions)),
        "bland_altman": plots.draw_bland_altman(predictions, figures),
        "reliability": plots.draw_reliability(figures),
        "coverage": plots.draw_coverage(figures),
        "roc": plots.draw_roc(figures),
        "patterns": plots.draw_patterns(figures),
        "attention": plots.draw_attention(figures),
        "groups": plots.draw_forest(figures),
        "comparisons": plots.draw_comparisons(figures),
    }
    return {name: Markup(picture) for name, picture in pictures.items()}  # noqa: S704 -- drawn here


def _agreement_rows(figures: Node) -> list[Node]:
    accuracy, raters = figures["accuracy"], figures["raters"]
    names = (
        ("MAE (of 10)", "mae", 2), ("RMSE (of 10)", "rmse", 2), ("correlation (Pearson)", "pcc", 3),
        ("ICC(2,1)", "icc21", 3), ("ICC(3,1)", "icc31", 3), ("weighted kappa, whole NIPS points", "kappa", 3),
    )  # fmt: skip
    return [
        {
            "name": name,
            "digits": digits,
            "model": accuracy[key],
            "single": raters["model_to_one"].get(key, NO_ESTIMATE),
            "raters": raters["between"].get(key, NO_ESTIMATE),
        }
        for name, key, digits in names
    ]
