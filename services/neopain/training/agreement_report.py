"""What ``neopain annotate agreement`` tells: the same findings as text for a person and as JSON for a program."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from enum import Enum
from typing import Any

from neopain.domain.annotation import Segment
from neopain.training.agreement import Agreement, IccFigures, OverallAgreement, PairAgreement
from neopain.training.resolution import Resolution
from neopain.training.statistics.sample import Estimated

MOST_LISTED = 200
"""Disagreements printed as text; the sheet and the JSON hold all."""


def as_json(found: Agreement, apart: Sequence[Segment], resolution: Resolution) -> dict[str, Any]:
    """Every figure, null for what is not known; lists of segments are complete."""
    fields: dict[str, Any] = _plain(asdict(found))
    return fields | {
        "disagreements": [_named(segment) | {"scores": segment.scores(found.scale)} for segment in apart],
        "resolution": {
            "n_mean": sum(not one.by_median for one in resolution.resolved),
            "n_median": sum(one.by_median for one in resolution.resolved),
            "n_unrated": len(resolution.unrated),
            "stands_alone": [
                _named(one.segment) | {"scores": one.scores} for one in resolution.resolved if one.stands_alone
            ],
            "unresolved": [
                _named(one.segment) | {"scores": one.scores, "reason": one.reason} for one in resolution.unresolved
            ],
            "third_not_needed": [list(key) for key in resolution.third_not_needed],
        },
    }


def _named(segment: Segment) -> dict[str, Any]:
    return {"subject": segment.subject.id, "session": segment.session, "segment": segment.id}


def _plain(value: Any) -> Any:
    """JSON has no NaN: what is not known is null."""
    match value:
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case Enum():
            return value.value
        case float():
            return value if math.isfinite(value) else None
        case _:
            return value


def as_text(found: Agreement, apart: Sequence[Segment], resolution: Resolution) -> list[str]:
    """The same for a person, in lines; long lists of disagreements are cut."""
    lines = [
        f"{found.scale.value}: {found.n_segments} rated segments of {found.n_infants} infants, "
        f"raters {', '.join(found.raters)}; {found.n_rated_once} segments have one rater only"
    ]
    for pair in found.pairs:
        lines += _pair_lines(pair, found.threshold)
    lines += _overall_lines(found.overall)
    lines += [f"BELOW THE LIMIT: {shortfall}" for shortfall in found.shortfalls]
    lines += _disagreement_lines(found, apart)
    lines += _resolution_lines(resolution)
    return lines


def _pair_lines(pair: PairAgreement, threshold: float) -> list[str]:
    first, second = pair.raters
    limits = pair.limits
    return [
        f"{first} and {second}: {pair.n_segments} segments of {pair.n_infants} infants",
        f"  weighted kappa: quadratic {_told(pair.kappa_quadratic)}, linear {_told(pair.kappa_linear)}",
        f"  ICC(2,1) {_icc(pair.icc_agreement)}; ICC(3,1) {_icc(pair.icc_consistency)}",
        f"  {second} minus {first}: mean {pair.mean_difference:+.2f}, absolute {pair.mean_absolute_difference:.2f}, "
        f"limits of agreement {limits.lower:+.2f} to {limits.upper:+.2f}; "
        f"{pair.share_within_threshold:.0%} within {threshold:g}",
    ]


def _overall_lines(overall: OverallAgreement) -> list[str]:
    return [
        f"all raters: {overall.n_segments} segments of {overall.n_infants} infants with two ratings or more",
        f"  weighted kappa: quadratic {_told(overall.kappa_quadratic)}, linear {_told(overall.kappa_linear)}",
        f"  ICC(1,1) {_told(overall.icc_one_way)}",
        f"  rated by all: {overall.n_rated_by_all} segments; ICC(2,1) {_icc(overall.icc_agreement)}; "
        f"ICC(3,1) {_icc(overall.icc_consistency)}",
        "  (intervals: 95 %, bootstrap of whole infants; F where it says so; nan: too little to tell)",
    ]


def _disagreement_lines(found: Agreement, apart: Sequence[Segment]) -> list[str]:
    lines = [f"for a third rater (scores more than {found.threshold:g} apart): {len(apart)} segments"]
    for segment in apart[:MOST_LISTED]:
        lines.append(f"  {_place(segment)}: {_scores(segment.scores(found.scale))}")
    if len(apart) > MOST_LISTED:
        lines.append(f"  and {len(apart) - MOST_LISTED} more: see --sheet or --json")
    return lines


def _resolution_lines(resolution: Resolution) -> list[str]:
    by_median = sum(one.by_median for one in resolution.resolved)
    lines = [
        f"labels: {len(resolution.resolved) - by_median} by mean, {by_median} by median, "
        f"{len(resolution.unresolved)} left out, {len(resolution.unrated)} segments without a rating kept as they are"
    ]
    lines += [
        f"  left out: {_place(one.segment)}: {_scores(one.scores)}: {one.reason}" for one in resolution.unresolved
    ]
    lines += [
        f"  nobody supports the median of {_place(one.segment)}: {_scores(one.scores)}"
        for one in resolution.resolved
        if one.stands_alone
    ]
    if resolution.third_not_needed:
        lines.append(f"  {len(resolution.third_not_needed)} scores of the third rater not used: the others agree there")
    return lines


def _told(figure: Estimated) -> str:
    return f"{figure.value:.2f} [{figure.low:.2f}, {figure.high:.2f}]"


def _icc(figures: IccFigures) -> str:
    by_f, by_infant = figures.by_f, figures.by_infant
    return f"{_told(by_infant)} (F: {by_f.low:.2f}, {by_f.high:.2f})"


def _place(segment: Segment) -> str:
    return f"{segment.subject.id} / {segment.session} / {segment.id}"


def _scores(scores: dict[str, float]) -> str:
    return ", ".join(f"{rater} {score:g}" for rater, score in sorted(scores.items()))
