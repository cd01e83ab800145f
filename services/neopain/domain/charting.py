"""Which scores become entries: the charting policy, as a pure fold over the scores of one bed.

Scores flow every second; a nurse's flowsheet does not (DESIGN D6). A policy turns them into an interval summary and
into the onset and the end of an episode. Who the entry is about is decided elsewhere, from the census.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from statistics import median

from neopain.domain.identity import BedId
from neopain.domain.score import Modality, Outcome, Score


class EntryKind(Enum):
    """Why an entry is written."""

    INTERVAL_SUMMARY = "interval-summary"
    EPISODE_ONSET = "episode-onset"
    EPISODE_END = "episode-end"


@dataclass(frozen=True, slots=True)
class ChartingPolicy:
    """When to chart. ``threshold`` is on the reported scale 0..10; a NIPS above 3 is pain (interop.md 1.1)."""

    name: str = "default"
    interval: timedelta = timedelta(minutes=15)
    threshold: float = 3.5 * 10 / 7
    hysteresis: float = 10 / 7
    hold: timedelta = timedelta(seconds=10)
    """An episode begins when the score has stayed at or above the threshold for this long, and ends likewise below."""


DEMO_POLICY = ChartingPolicy(name="demo", interval=timedelta(seconds=10), hold=timedelta(seconds=5))


@dataclass(frozen=True, slots=True)
class DraftEntry:
    """What the policy wants charted; the infant is not in it. ``value`` is None when every window abstained."""

    bed: BedId
    kind: EntryKind
    begin: datetime
    end: datetime
    value: float | None
    low: float | None
    high: float | None
    peak: float | None
    windows: int
    windows_scored: int
    modalities: tuple[Modality, ...]
    absences: dict[Modality, str]
    absent_reason: str
    model: str
    weights: str
    scale_map: str
    score_ids: tuple[str, ...]
    policy: str

    @property
    def id(self) -> str:
        """The same draft of the same windows has the same id, so that a replay charts nothing twice."""
        text = (
            f"{self.bed}|{self.kind.value}|{self.begin.isoformat()}|{self.end.isoformat()}|{self.model}|{self.policy}"
        )
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Course:
    """What the fold remembers of one bed between scores; stored beside the entries, in the same transaction."""

    bed: BedId
    interval_begin: datetime | None = None
    interval_scores: tuple[Score, ...] = ()
    in_episode: bool = False
    crossing_since: datetime | None = None
    """Since when the score has been on the other side of the threshold."""
    last_window_end: datetime | None = None


@dataclass(slots=True)
class Folded:
    """The course after a score and the entries that it caused."""

    course: Course
    entries: list[DraftEntry] = field(default_factory=list)


def fold(course: Course, score: Score, policy: ChartingPolicy) -> Folded:
    """Takes one score into the course of its bed.

    A score at or before the last one taken changes nothing but the interval it belongs to if that is still open; a
    repeat of a score already taken changes nothing.
    """
    if any(score.id == seen.id for seen in course.interval_scores):
        return Folded(course)
    entries: list[DraftEntry] = []
    begin = _interval_begin(score.window_end, policy.interval)
    if course.interval_begin is not None and begin > course.interval_begin:
        entries.append(_summary(course, policy))
        course = replace(course, interval_scores=())
    if course.interval_begin is not None and begin < course.interval_begin:
        return Folded(course, entries)
    course = replace(course, interval_begin=begin, interval_scores=(*course.interval_scores, score))
    if course.last_window_end is None or score.window_end > course.last_window_end:
        course = replace(course, last_window_end=score.window_end)
        course, crossing = _episode(course, score, policy)
        entries.extend(crossing)
    return Folded(course, entries)


def _interval_begin(moment: datetime, interval: timedelta) -> datetime:
    step = interval.total_seconds()
    # A window that ends exactly on a boundary belongs to the interval that it closes.
    index = -(-moment.timestamp() // step) - 1
    return datetime.fromtimestamp(index * step, tz=moment.tzinfo)


def _summary(course: Course, policy: ChartingPolicy) -> DraftEntry:
    begin = course.interval_begin
    if begin is None:
        raise ValueError("a course without an interval has no summary")
    return _draft(course.interval_scores, EntryKind.INTERVAL_SUMMARY, begin, begin + policy.interval, policy)


def _episode(course: Course, score: Score, policy: ChartingPolicy) -> tuple[Course, list[DraftEntry]]:
    if score.estimate is None:
        return replace(course, crossing_since=None), []
    limit = policy.threshold - policy.hysteresis if course.in_episode else policy.threshold
    is_across = score.estimate.value < limit if course.in_episode else score.estimate.value >= limit
    if not is_across:
        return replace(course, crossing_since=None), []
    since = course.crossing_since or score.window_end
    if score.window_end - since < policy.hold:
        return replace(course, crossing_since=since), []
    kind = EntryKind.EPISODE_END if course.in_episode else EntryKind.EPISODE_ONSET
    entry = _draft((score,), kind, since, score.window_end, policy)
    return replace(course, in_episode=not course.in_episode, crossing_since=None), [entry]


def _draft(
    scores: Sequence[Score], kind: EntryKind, begin: datetime, end: datetime, policy: ChartingPolicy
) -> DraftEntry:
    last = scores[-1]
    estimates = [score.estimate for score in scores if score.outcome is Outcome.SCORED and score.estimate]
    present = {p.modality for score in scores for p in score.presences if p.is_present}
    absences = {p.modality: p.reason for score in scores for p in score.presences if p.modality not in present}
    return DraftEntry(
        bed=last.bed,
        kind=kind,
        begin=begin,
        end=end,
        value=median(e.value for e in estimates) if estimates else None,
        low=median(e.low for e in estimates) if estimates else None,
        high=median(e.high for e in estimates) if estimates else None,
        peak=max(e.value for e in estimates) if estimates else None,
        windows=len(scores),
        windows_scored=len(estimates),
        modalities=tuple(sorted(present, key=lambda modality: modality.value)),
        absences=absences,
        absent_reason="" if estimates else last.reason,
        model=last.model.name,
        weights=last.model.weights.value,
        scale_map=last.scale_map,
        score_ids=tuple(score.id for score in scores),
        policy=policy.name,
    )
