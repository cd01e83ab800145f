"""Which infants the report shows, and their scores over time: score, interval, and what each rater said."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neopain.features.signature import QUANTILES
from neopain.training.predictions import FUSION, Floats, ModelPredictions, Predictions, RatedWindow
from neopain.training.report.drawing import BLUE, GREY, INK, ORANGE, no_data, svg

SHOWN_INFANTS = 6
COLUMNS = 2
LOW, MEDIAN, HIGH = (QUANTILES.index(level) for level in (0.05, 0.5, 0.95))
LONGEST_GAP = 3.0
"""Windows further apart than this many median steps are not joined by a line."""


@dataclass(frozen=True, slots=True)
class Course:
    """One infant's longest session: its windows' places in the predictions, in order of time, and the error there."""

    subject: str
    session: str
    rows: tuple[int, ...]
    mae: float


def sample_courses(predictions: Predictions, *, count: int = SHOWN_INFANTS) -> tuple[Course, ...]:
    """The infants at even steps from the smallest to the largest error: the best, the worst and what lies between."""
    errors = _errors(predictions)
    courses = sorted((_course(rows, predictions, errors) for rows in _rows_of_infants(predictions)), key=_by_error)
    if len(courses) <= count:
        return tuple(courses)
    places = np.linspace(0, len(courses) - 1, count).round().astype(int)
    return tuple(courses[place] for place in places)


def draw_courses(predictions: Predictions, courses: tuple[Course, ...]) -> str:
    """Small pictures of the courses, two in a row."""
    lines = max(1, -(-len(courses) // COLUMNS))

    def draw(figure: Figure) -> None:
        grid = figure.subplots(lines, COLUMNS, squeeze=False, sharey=True)
        for place, axes in enumerate(grid.flat):
            if place < len(courses):
                _draw_course(axes, predictions, courses[place])
            else:
                axes.set_axis_off()
        if not courses:
            no_data(grid[0, 0])
            return
        for axes in grid[:, 0]:
            axes.set_ylabel("pain 0–10")
        shown = {
            label: handle for axes in grid.flat for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        figure.legend(shown.values(), shown.keys(), loc="outside upper center", ncols=4)

    return svg("courses", "Scores over time for sample infants", draw, inches=(8.2, 0.5 + 1.95 * lines))


def _draw_course(axes: Axes, predictions: Predictions, course: Course) -> None:
    rows = list(course.rows)
    windows, model = predictions.windows, predictions.models[FUSION]
    seconds = np.array([windows[row].end_seconds for row in rows])
    minutes, unit = (seconds / 3600, "h") if np.ptp(seconds) > 7200 else (seconds / 60, "min")
    quantiles = model.quantiles[rows]
    for first, last in _stretches(seconds):
        part = slice(first, last)
        low, high = quantiles[part, LOW], quantiles[part, HIGH]
        if last - first > 1:
            axes.fill_between(minutes[part], low, high, color=BLUE, alpha=0.18, lw=0, label="90 % interval")
        else:
            axes.vlines(minutes[part], low, high, color=BLUE, alpha=0.3, lw=3)
        axes.plot(minutes[part], quantiles[part, MEDIAN], color=BLUE, marker="o", ms=2.5, label="score")
    for row, minute in zip(rows, minutes, strict=True):
        marks = windows[row].ratings
        axes.scatter([minute] * len(marks), marks, marker="_", s=34, color=ORANGE, lw=1.4, label="each rater", zorder=3)
    _mark_abstained(axes, model, rows, minutes)
    axes.set_ylim(-0.5, 10.5)
    axes.set_yticks([0, 2, 4, 6, 8, 10])
    axes.set_xlabel(f"time in the session ({unit})")
    axes.set_title(f"{course.subject} · MAE {course.mae:.2f}", color=INK)
    _one_label_each(axes)


def _mark_abstained(axes: Axes, model: ModelPredictions, rows: list[int], minutes: Floats) -> None:
    silent = [place for place, row in enumerate(rows) if model.abstained[row]]
    if silent:
        axes.scatter(minutes[silent], np.zeros(len(silent)), marker="x", s=18, color=GREY, label="abstained", zorder=4)


def _one_label_each(axes: Axes) -> None:
    seen: set[str] = set()
    for artist in axes.get_children():
        label = str(artist.get_label())
        if label in seen:
            artist.set_label(f"_{label}")
        seen.add(label)


def _stretches(seconds: Floats) -> list[tuple[int, int]]:
    """First and one-past-last places of what one line may join."""
    steps = np.diff(seconds)
    if not len(steps):
        return [(0, len(seconds))]
    cuts = np.flatnonzero(steps > LONGEST_GAP * np.median(steps)) + 1
    ends = [0, *cuts.tolist(), len(seconds)]
    return list(pairwise(ends))


def _rows_of_infants(predictions: Predictions) -> list[list[int]]:
    """Each infant's session with the most windows, as rows in order of time."""
    sessions: dict[tuple[str, str], list[int]] = {}
    for row, window in enumerate(predictions.windows):
        sessions.setdefault((window.subject, window.session), []).append(row)
    longest: dict[str, list[int]] = {}
    for (subject, _), rows in sessions.items():
        if len(rows) > len(longest.get(subject, ())):
            longest[subject] = rows
    return [sorted(rows, key=lambda row: predictions.windows[row].end_seconds) for rows in longest.values()]


def _course(rows: list[int], predictions: Predictions, errors: Floats) -> Course:
    first: RatedWindow = predictions.windows[rows[0]]
    return Course(first.subject, first.session, tuple(rows), float(np.nanmean(errors[rows])))


def _errors(predictions: Predictions) -> Floats:
    labels = np.array([window.label for window in predictions.windows])
    errors: Floats = np.abs(predictions.models[FUSION].quantiles[:, MEDIAN] - labels)
    return errors


def _by_error(course: Course) -> tuple[float, str]:
    return course.mae, course.subject
