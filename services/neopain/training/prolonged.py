"""Fits and judges the aggregator of prolonged pain on courses of hours (``domain.prolonged``).

The target is what raters call it: the mean of their N-PASS pain over the last hour. Like everything here it is known of
behaviour, not of the latent pain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from neopain.domain.annotation import Scale, Segment
from neopain.domain.prolonged import PROLONGED_MAX, Moment, ProlongedPain, means
from neopain.errors import ConfigurationError
from neopain.features.signature import QUANTILES
from neopain.training.conformal import margin
from neopain.training.predictions import Floats, ModelPredictions
from neopain.training.statistics.deviation import mae
from neopain.training.statistics.icc import IccForm, icc_value

HALF_LIVES: Final = (300.0, 600.0, 1200.0, 2400.0, 4800.0)
LEAST_COURSES: Final = 5
SPAN_SECONDS: Final = 3600.0
NPASS_MAX: Final = 10.0
SHORTEST_SECONDS: Final = 3600.0
"""A session of less is no course."""
_UNFITTED: Final = ProlongedPain(HALF_LIVES[0], 0.0, 0.0, 0.0, margin=0.0)
"""Whether anything is estimated does not depend on the fit."""

MEDIAN, LOW, HIGH = (QUANTILES.index(level) for level in (0.5, 0.05, 0.95))


@dataclass(frozen=True, slots=True)
class Look:
    """One rated moment of a course, with the moments of the hour before it, and the raters' mean over that hour."""

    subject: str
    moments: tuple[Moment, ...]
    target: float
    is_sedated: bool


def looks_of(segments: Sequence[Segment], answers: ModelPredictions) -> list[Look]:
    """The looks of all sessions that last for hours; windows on which the model abstained are not among the moments."""
    found: list[Look] = []
    for rows in _courses(segments):
        for row in rows:
            end = segments[row].end_seconds
            hour = [other for other in rows if 0.0 <= end - segments[other].end_seconds <= SPAN_SECONDS]
            target = _npass(segments[other] for other in hour)
            moments = tuple(_moment(segments[n], answers, n, end) for n in hour if not answers.abstained[n])
            if target is not None:
                found.append(
                    Look(segments[row].subject.id, moments, target, segments[row].sedation not in {"", "none"})
                )
    return found


def fit(looks: Sequence[Look]) -> ProlongedPain:
    """The aggregator with the least squared error over the half-lives; its margin holds 90 % of new infants' looks
    (the whole scale with fewer than nine of them), since it is that of errors on infants who were left out of a fit.

    ``ConfigurationError`` when there are too few courses.
    """
    usable = [look for look in looks if _UNFITTED.estimate(look.moments) is not None]
    names, infants = np.unique([look.subject for look in usable], return_inverse=True)
    if len(names) < LEAST_COURSES:
        raise ConfigurationError(f"{len(names)} infants have a course of hours, fitting needs {LEAST_COURSES}")
    targets = _targets(usable)
    rows = {half_life: _rows(usable, half_life) for half_life in HALF_LIVES}
    errors = np.empty(len(usable))
    for number in range(len(names)):
        is_own = infants == number
        others = _best({half_life: table[~is_own] for half_life, table in rows.items()}, targets[~is_own])
        errors[is_own] = np.abs(_values(others, rows[others.half_life_seconds][is_own]) - targets[is_own])
    return replace(_best(rows, targets), margin=margin(errors, infants, level=0.9))


def prolonged_figures(aggregator: ProlongedPain, looks: Sequence[Look]) -> dict[str, Any]:
    """MAE, ICC(2,1) and coverage against the raters' hour, of all and of sedated infants, beside what is simpler:
    the newest score alone, and the plain mean of the hour. None where there is nothing to tell it from."""
    told = [(look, aggregator.estimate(look.moments)) for look in looks]
    known = [(look, estimate) for look, estimate in told if estimate is not None]
    if not known:
        return {"n_looks": len(looks), "n_told": 0}
    asked = [look for look, _ in known]
    values = np.array([estimate.value for _, estimate in known])
    inside = [estimate.low <= look.target <= estimate.high for look, estimate in known]
    sedated = np.array([look.is_sedated for look in asked])
    targets = _targets(asked)
    simpler: dict[str, Callable[[Look], float]] = {
        "newest_score": lambda look: min(look.moments, key=lambda one: one.age_seconds).value,
        "mean_of_hour": lambda look: float(np.mean([one.value for one in look.moments])),
    }
    found: dict[str, Any] = {
        "n_infants": len({look.subject for look in asked}),
        "n_looks": len(looks),
        "n_told": len(known),
        "mae": mae(values, targets),
        "icc21": icc_value(np.stack([values, targets], axis=1), IccForm.AGREEMENT),
        "coverage90": float(np.mean(inside)),
        "mae_sedated": mae(values[sedated], targets[sedated]),
        "mae_awake": mae(values[~sedated], targets[~sedated]),
        "half_life_seconds": aggregator.half_life_seconds,
        **{f"mae_{name}": mae(np.array([of(look) for look in asked]), targets) for name, of in simpler.items()},
    }
    return {name: value if np.isfinite(value) else None for name, value in found.items()}


def _courses(segments: Sequence[Segment]) -> list[list[int]]:
    """Rows of each session that lasts for hours, in the order of time."""
    sessions: dict[tuple[str, str], list[int]] = {}
    for row, segment in enumerate(segments):
        if segment.has_infant:
            sessions.setdefault((segment.subject.id, segment.session), []).append(row)
    ordered = [sorted(rows, key=lambda row: segments[row].end_seconds) for rows in sessions.values()]
    return [
        rows for rows in ordered if segments[rows[-1]].end_seconds - segments[rows[0]].end_seconds >= SHORTEST_SECONDS
    ]


def _npass(segments: Iterable[Segment]) -> float | None:
    """Mean N-PASS pain of all raters, 0..10; None where nobody rated it."""
    scores = [score for one in segments for score in one.scores(Scale.NPASS_PAIN).values()]
    return float(np.mean(np.minimum(scores, NPASS_MAX))) if scores else None


def _moment(segment: Segment, answers: ModelPredictions, row: int, now: float) -> Moment:
    quantiles = answers.quantiles[row]
    return Moment(
        age_seconds=now - segment.end_seconds,
        value=float(quantiles[MEDIAN]),
        width=float(quantiles[HIGH] - quantiles[LOW]),
        sedation=float(answers.sedation[row]),
    )


def _best(rows: Mapping[float, Floats], targets: Floats) -> ProlongedPain:
    """Of the fits with each half-life, to its rows [n, 3], the one with the least squared error."""
    fitted = [_fitted(half_life, table, targets) for half_life, table in rows.items()]
    return min(fitted, key=lambda one: float(np.mean((_values(one, rows[one.half_life_seconds]) - targets) ** 2)))


def _fitted(half_life: float, table: Floats, targets: Floats) -> ProlongedPain:
    offset, gain, sedation_gain = np.linalg.lstsq(table, targets, rcond=None)[0]
    return ProlongedPain(half_life, float(offset), float(gain), float(sedation_gain), margin=0.0)


def _rows(looks: Sequence[Look], half_life: float) -> Floats:
    return np.array([(1.0, *means(look.moments, half_life)) for look in looks])


def _values(aggregator: ProlongedPain, table: Floats) -> Floats:
    """What it estimates of each row."""
    gains = np.array([aggregator.offset, aggregator.gain, aggregator.sedation_gain])
    return np.asarray(np.clip(table @ gains, 0.0, PROLONGED_MAX))


def _targets(looks: Sequence[Look]) -> Floats:
    return np.array([look.target for look in looks])
