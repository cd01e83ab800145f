"""The report's pictures from the figures: agreement, calibration, decisions, groups. Each returns an SVG element."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from neopain.features.signature import QUANTILES
from neopain.training.predictions import FUSION, Predictions
from neopain.training.report.drawing import BLUE, GREEN, GREY, INK, ORANGE, no_data, svg

MEDIAN = QUANTILES.index(0.5)
RASTER_ABOVE = 3000
"""More points than this are drawn as one picture: each would be an element of the page."""
MODALITY_COLOURS = {"face": BLUE, "cry": ORANGE, "vitals": GREEN}

LABEL_BOX = {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.8}

Node = dict[str, Any]


def draw_labels(figures: Node) -> str:
    """How often each label occurs."""
    histogram = figures["cohort"]["label"]["histogram"]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.bar(histogram["values"], histogram["counts"], width=0.62, color=BLUE)
        axes.axvline(figures["decision"]["cutoff"], color=ORANGE, ls="--", label="cut-off")
        axes.set_xlabel("label: mean of the raters, 0–10")
        axes.set_ylabel("windows")
        axes.legend(loc="upper right")

    return svg("labels", "Distribution of the labels", draw, inches=(4.6, 2.7))


def draw_bland_altman(predictions: Predictions, figures: Node) -> str:
    """Difference against mean of model and raters, with bias and limits of agreement."""
    labels = np.array([window.label for window in predictions.windows])
    scores = predictions.models[FUSION].quantiles[:, MEDIAN]
    agreement = figures["bland_altman"]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        raster = len(labels) > RASTER_ABOVE
        axes.scatter((labels + scores) / 2, scores - labels, s=7, color=BLUE, alpha=0.35, lw=0, rasterized=raster)
        _level(axes, agreement["bias"], "bias", INK, "-")
        _level(axes, agreement["low"], "lower limit", ORANGE, "--")
        _level(axes, agreement["high"], "upper limit", ORANGE, "--")
        axes.set_xlim(0, 10)
        axes.set_xlabel("mean of model and raters, 0–10")
        axes.set_ylabel("model − raters")

    return svg("bland-altman", "Bland-Altman plot of model against raters", draw, inches=(5.6, 3.5))


def _level(axes: Axes, estimate: Node, name: str, colour: str, line: str) -> None:
    value = estimate["value"]
    if value is None:
        return
    axes.axhline(value, color=colour, ls=line, lw=1.2)
    if estimate["low"] is not None:
        axes.axhspan(estimate["low"], estimate["high"], color=colour, alpha=0.12, lw=0)
    text = f"{name} {value:+.2f}".replace("-", "−")
    axes.text(10, value, text, ha="right", va="bottom", fontsize=8, bbox=LABEL_BOX)


def draw_reliability(figures: Node) -> str:
    """Left: where each quantile lies among the labels. Right: mean label of windows with about the same score."""
    reliability = figures["reliability"]

    def draw(figure: Figure) -> None:
        quantiles, means = figure.subplots(1, 2)
        for axes, end in ((quantiles, 1), (means, 10)):
            axes.plot([0, end], [0, end], color=GREY, lw=1, ls=":")
            axes.set_aspect("equal")
            axes.set_xlim(-0.02 * end, 1.02 * end)
            axes.set_ylim(-0.02 * end, 1.02 * end)
        levels, below, at_or_below = (reliability[key] for key in ("levels", "below", "at_or_below"))
        quantiles.vlines(levels, below, at_or_below, color=BLUE, lw=5, alpha=0.55)
        quantiles.scatter([*levels, *levels], [*below, *at_or_below], color=BLUE, marker="_", s=40)
        quantiles.set(xlabel="level of the quantile", ylabel="share of labels below … at or below", title="Quantiles")
        bins = reliability["bins"]
        _with_intervals(means, [one["score"] for one in bins], [one["label"] for one in bins])
        means.set(xlabel="mean score of the bin", ylabel="mean label of the bin", title="Scores")

    return svg("reliability", "Reliability of quantiles and of scores", draw, inches=(7.2, 3.5))


def _with_intervals(axes: Axes, places: list[float], estimates: list[Node]) -> None:
    shown = [(place, one) for place, one in zip(places, estimates, strict=True) if one["value"] is not None]
    if not shown:
        no_data(axes)
        return
    for place, one in shown:
        if one["low"] is not None:
            axes.plot([place, place], [one["low"], one["high"]], color=BLUE, lw=1.2, alpha=0.7)
    axes.plot([place for place, _ in shown], [one["value"] for _, one in shown], color=BLUE, marker="o", ms=4)


def draw_roc(figures: Node) -> str:
    """Sensitivity against false alarms over all cut-offs of the score, and the site's own cut-off."""
    decision = figures["decision"]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":")
        axes.set(xlabel="1 − specificity", ylabel="sensitivity", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.set_aspect("equal")
        if not decision["roc"]["sensitivity"]:
            no_data(axes, "one class only")
            return
        axes.plot(decision["roc"]["false_alarms"], decision["roc"]["sensitivity"], color=BLUE)
        here = decision["sensitivity"]["value"], decision["specificity"]["value"]
        if None not in here:
            axes.scatter([1 - here[1]], [here[0]], color=ORANGE, s=34, zorder=3, label="the site's cut-off")
            axes.legend(loc="lower right")
        axes.set_title(f"AUC {_text(decision['auc'])}")

    return svg("roc", "Receiver operating characteristic", draw, inches=(3.7, 3.6))


def draw_forest(figures: Node) -> str:
    """Mean absolute error with its interval in every group, around that of all windows."""
    rows = [(key, value, node) for key, values in figures["groups"].items() for value, node in values.items()]
    return _forest("groups", "Error in each group", rows, figures["accuracy"]["mae"]["value"])


def draw_patterns(figures: Node) -> str:
    """Mean absolute error with its interval for every presence pattern."""
    rows = [("", pattern, node) for pattern, node in figures["patterns"].items() if node["windows"]]
    return _forest("patterns", "Error with each presence pattern", rows, figures["accuracy"]["mae"]["value"])


def _forest(
    name: str, title: str, rows: list[tuple[str, str, Node]], overall: float | None, *, line: str = "all windows"
) -> str:
    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        if not rows:
            no_data(axes)
            return
        places, labels = _places(rows)
        if overall is not None:
            axes.axvline(overall, color=GREY, lw=1, ls="--", label=f"{line} {overall:.2f}")
            axes.legend(loc="lower right", bbox_to_anchor=(1, 1.0), borderaxespad=0.1)
        for place, (_, _, node) in zip(places, rows, strict=True):
            _forest_row(axes, place, node)
        axes.set_yticks(places, labels)
        axes.set_ylim(max(places) + 0.7, min(places) - 0.7)
        axes.set_xlim(left=0)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("mean absolute error, 0–10 (95 % interval)")

    groups = len({key for key, _, _ in rows})
    return svg(name, title, draw, inches=(6.4, 0.9 + 0.2 * len(rows) + 0.12 * groups))


def _places(rows: list[tuple[str, str, Node]]) -> tuple[list[float], list[str]]:
    places, place, before = [], 0.0, rows[0][0]
    for key, _, _ in rows:
        place += 1.6 if key != before else 1.0
        places.append(place)
        before = key
    return places, [f"{_named(key, value)}  ({node['infants']})" for key, value, node in rows]


def _named(key: str, value: str) -> str:
    """A group in a few words; a value that says its kind itself needs no more."""
    kind = {"ga_band": "weeks"}.get(key, _words(key))
    return value if value.startswith(kind) else f"{kind} {value}"


def _forest_row(axes: Axes, place: float, node: Node) -> None:
    mae = node["mae"]
    if mae["value"] is None:
        return
    if mae["low"] is not None:
        axes.plot([mae["low"], mae["high"]], [place, place], color=BLUE, lw=1.4)
    axes.plot([mae["value"]], [place], color=BLUE, marker="s", ms=4.5)


def draw_comparisons(figures: Node) -> str:
    """Mean absolute error of the served model and of every baseline."""
    rows = [("", FUSION, figures["comparisons"]["fusion"])]
    rows += [("", name, node) for name, node in figures["comparisons"]["baselines"].items()]
    return _forest(
        "comparisons", "Error of fusion and of the baselines", rows, rows[0][2]["mae"]["value"], line="fusion"
    )


def draw_attention(figures: Node) -> str:
    """Where the fusion looks at low, middle and high pain, and how much worse each modality alone is."""
    shares, alone = figures["modalities"]["attention"], figures["modalities"]["alone"]

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        _stacked(left, shares)
        names = [name for name in MODALITY_COLOURS if alone[name]["value"] is not None]
        values = [alone[name]["value"] for name in names]
        right.barh(range(len(names)), values, color=[MODALITY_COLOURS[name] for name in names], height=0.6)
        right.set_yticks(range(len(names)), names)
        right.invert_yaxis()
        right.grid(axis="y", visible=False)
        right.set(title="Each encoder's own score", xlabel="mean absolute error")

    return svg("attention", "Attention and the encoders' own scores", draw, inches=(7.2, 2.6))


def _stacked(axes: Axes, shares: dict[str, Node]) -> None:
    levels = [level for level, node in shares.items() if node["windows"]]
    if not levels:
        no_data(axes, "no window with all modalities")
        return
    start = np.zeros(len(levels))
    for name, colour in MODALITY_COLOURS.items():
        part = np.array([shares[level][name] for level in levels])
        axes.barh(range(len(levels)), part, left=start, color=colour, height=0.6, label=name)
        for row, (share, begin) in enumerate(zip(part, start, strict=True)):
            axes.text(
                begin + share / 2, row, f"{100 * share:.0f} %", ha="center", va="center", color="white", fontsize=8
            )
        start += part
    axes.set_yticks(range(len(levels)), [f"{_words(level)} ({shares[level]['windows']})" for level in levels])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    axes.grid(visible=False)
    axes.set_title("Attention, all modalities present", pad=18)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 0.99), ncols=3, borderaxespad=0)


def draw_coverage(figures: Node) -> str:
    """Coverage of the intervals at each level."""
    levels = figures["intervals"]["levels"]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        nominal = [float(level) for level in levels]
        _with_intervals(axes, nominal, [node["coverage"] for node in levels.values()])
        axes.plot([0.4, 1], [0.4, 1], color=GREY, lw=1, ls=":")
        axes.set(xlim=(0.4, 1.02), ylim=(0.4, 1.02), xlabel="level of the interval", ylabel="share of labels inside")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))

    return svg("coverage", "Coverage of the intervals", draw, inches=(4.6, 3.3))


def _text(estimate: Node) -> str:
    value, low, high = (estimate[key] for key in ("value", "low", "high"))
    if value is None:
        return "–"
    return f"{value:.3f}" + (f" ({low:.3f} to {high:.3f})" if low is not None else "")


def _words(name: str) -> str:
    return name.replace("_", " ")
