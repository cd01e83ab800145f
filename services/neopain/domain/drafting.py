"""What an entry says: the windows of a span summed up, and what was withheld."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from statistics import median

from neopain.domain.charting import DraftEntry
from neopain.domain.drugs import DrugMark
from neopain.domain.gestation import GA_UNKNOWN
from neopain.domain.policy import ChartingPolicy
from neopain.domain.score import Estimate, Modality, Outcome, Score, Weights
from neopain.domain.span import Span
from neopain.domain.vitals import Processing
from neopain.domain.withholding import NEUROMUSCULAR_BLOCK

EDGE = 1.0
"""Above this distance a window is unlike the training data (``Estimate.distance``)."""


def draft(span: Span, windows: Sequence[Score], policy: ChartingPolicy, *, band: str = GA_UNKNOWN) -> DraftEntry:
    """The entry of a span from its windows (at least one) of an infant of that band of gestational age.

    A window that two models scored counts once, as the later one has it. Numbers of another scale map than the last
    window's are left out rather than mixed. What the entry says of weights and processing is the least of them all.
    Where a number is withheld, none of the windows' numbers is told, and how many had one still is.
    """
    scores = _one_per_window(windows)
    last = scores[-1]
    estimates = [s.estimate for s in scores if s.estimate is not None and s.scale_map == last.scale_map]
    present = Counter(p.modality for score in scores for p in score.presences if p.is_present)
    absent = Counter((p.modality, p.reason) for score in scores for p in score.presences if not present[p.modality])
    withheld = _withheld(scores, estimates, policy)
    told = [] if withheld else estimates
    return DraftEntry(
        bed=last.bed,
        kind=span.kind,
        begin=span.begin,
        end=span.end,
        observed_from=scores[0].window_end,
        observed_to=last.window_end,
        value=_median(e.value for e in told),
        low=_median(e.low for e in told),
        high=_median(e.high for e in told),
        peak=max((e.value for e in told), default=None),
        windows=len(scores),
        windows_scored=len(estimates),
        windows_missed=sum(score.outcome is Outcome.MISSED for score in scores),
        present={modality: present[modality] for modality in Modality if present[modality]},
        absences={modality: reason for (modality, reason), _ in reversed(absent.most_common())},
        absent_reason=withheld or _absent_reason(scores, estimates),
        model=", ".join(sorted({score.model.name for score in scores})),
        weights=min((score.model.weights for score in scores), key=list(Weights).index),
        scale_map=last.scale_map,
        processing=max((score.processing for score in scores), key=list(Processing).index),
        policy=policy.name,
        drugs=_drugs(scores),
        sedation=_median(e.sedation for e in estimates),
        windows_unlike=sum(e.distance > EDGE for e in estimates),
        threshold=policy.threshold.of(band),
        above=_time_above(span.begin, scores, policy, band=band) if told else None,
        late_after=policy.late_after,
    )


def _withheld(scores: Sequence[Score], estimates: Sequence[Estimate], policy: ChartingPolicy) -> str:
    """One window under a drug that withholds is enough; of the sedation axis the median counts, since it is noisy."""
    if any(score.reason == NEUROMUSCULAR_BLOCK for score in scores):
        return NEUROMUSCULAR_BLOCK
    sedation = _median(estimate.sedation for estimate in estimates)
    return policy.withholding.reason_for(_drugs(scores), sedation=sedation)


def _absent_reason(scores: Sequence[Score], estimates: Sequence[Estimate]) -> str:
    return "" if estimates else Counter(score.reason for score in scores).most_common(1)[0][0]


def _time_above(begin: datetime, scores: Sequence[Score], policy: ChartingPolicy, *, band: str) -> timedelta:
    """For how long the score was at or above the threshold: a window stands for the time since the one before it, the
    span's begin before the first, and for no more than the gap; one of another scale map stands for none."""
    threshold, scale_map = policy.threshold.of(band), scores[-1].scale_map
    before = [begin, *(score.window_end for score in scores[:-1])]
    stretches = (
        min(score.window_end - since, policy.gap)
        for since, score in zip(before, scores, strict=True)
        if score.estimate is not None and score.scale_map == scale_map and score.estimate.value >= threshold
    )
    return sum(stretches, timedelta(0))


def _drugs(scores: Sequence[Score]) -> tuple[DrugMark, ...]:
    first: dict[tuple[str, str, str], DrugMark] = {}
    for mark in sorted(mark for score in scores for mark in score.drugs):
        first.setdefault((mark.drug_class, mark.ingredient, mark.basis), mark)
    return tuple(first.values())


def _one_per_window(windows: Iterable[Score]) -> list[Score]:
    by_end: dict[datetime, Score] = {}
    for score in sorted(windows, key=lambda score: (score.window_end, score.produced)):
        by_end[score.window_end] = score
    return list(by_end.values())


def _median(values: Iterable[float]) -> float | None:
    listed = list(values)
    return median(listed) if listed else None
