"""Which scores become entries: the charting policy, as pure functions over the scores of one bed.

Scores flow every second; a nurse's flowsheet does not (DESIGN D6). ``fold`` and ``close`` say *when* something is to be
charted (a span), ``draft`` says *what*, from the windows of that span. Who it is about is decided in ``assignment``.

The windows themselves are not in the course: it stays small, and whoever keeps it keeps the windows beside it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from statistics import median

from neopain.domain.drugs import DrugMark
from neopain.domain.identity import BedId, PatientId
from neopain.domain.score import Estimate, Modality, Outcome, Score, Weights
from neopain.domain.vitals import Processing

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
    lateness: timedelta = timedelta(seconds=20)
    """How long after its end an interval waits for windows that come late: the oldest tick (10 s) and a claim (5 s)."""
    threshold: float = 3.5 * 10 / 7
    hysteresis: float = 10 / 7
    hold: timedelta = timedelta(seconds=10)
    """An episode begins when the score has stayed at or above the threshold for this long, and ends likewise below."""
    gap: timedelta = timedelta(seconds=5)
    """Longer than this without a number, and what was held so far counts no more."""
    forget: timedelta = timedelta(minutes=5)
    """Longer than this without a number, and an episode in progress is no longer known to go on."""


DEMO_POLICY = ChartingPolicy(
    name="demo", interval=timedelta(seconds=10), lateness=timedelta(seconds=3), hold=timedelta(seconds=5)
)
POLICIES = {policy.name: policy for policy in (ChartingPolicy(), DEMO_POLICY)}


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one bed's time that is to be charted: the windows that end after ``begin`` and not after ``end``."""

    kind: EntryKind
    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Course:
    """What the policy remembers of one bed between scores; kept in the same transaction as what it caused."""

    bed: BedId
    charted_until: datetime | None = None
    """Everything that ends up to here is in a closed interval; a window from before is late."""
    newest: datetime | None = None
    """End of the newest window taken."""
    occupant: str = ""
    in_episode: bool = False
    crossing_since: datetime | None = None
    """Since when the score has been on the other side of the threshold."""
    scored_at: datetime | None = None
    """End of the newest window that had a number."""


@dataclass(frozen=True, slots=True)
class Folded:
    """The course after a score, the spans that are now due, and whether the score came too late to count."""

    course: Course
    spans: tuple[Span, ...] = ()
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class DraftEntry:
    """What is to be charted; the infant is not in it. ``value`` is None when no window of the span had a number.

    ``value`` is the median of the windows, ``low`` and ``high`` are the medians of their 5 % and 95 % quantiles.
    """

    bed: BedId
    kind: EntryKind
    begin: datetime
    end: datetime
    observed_from: datetime
    """End of the first window; with ``observed_to`` what was really seen of the span."""
    observed_to: datetime
    value: float | None
    low: float | None
    high: float | None
    peak: float | None
    windows: int
    windows_scored: int
    windows_missed: int
    present: dict[Modality, int]
    """In how many windows each modality was."""
    absences: dict[Modality, str]
    """Why a modality was in none of them."""
    absent_reason: str
    model: str
    weights: Weights
    scale_map: str
    processing: Processing
    policy: str
    drugs: tuple[DrugMark, ...] = ()
    """What hid pain in any of the windows, each class and ingredient since its first begin."""


@dataclass(frozen=True, slots=True)
class ChartedEntry:
    """A draft and the infant it is about, as the EHR is to get it."""

    draft: DraftEntry
    patient: PatientId
    visit: str
    issued: datetime

    @property
    def id(self) -> str:
        """See ``entry_id``."""
        return entry_id(self.draft, self.patient)


def entry_id(draft: DraftEntry, patient: PatientId | None) -> str:
    """The same stretch of the same bed, charted for the same cause and infant, has the same id: a replay adds nothing.

    The infant is in it since two hospitals that share an EHR may both have a bed 1 in a room 1.
    """
    whose = f"{patient.assigning_authority}|{patient.value}" if patient else ""
    text = f"{draft.bed}|{draft.kind.value}|{draft.begin.isoformat()}|{draft.end.isoformat()}|{whose}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def fold(course: Course, score: Score, policy: ChartingPolicy, *, occupant: str = "") -> Folded:
    """Takes a score that was not taken before into the course of its bed.

    Any order of arrival within the lateness closes the same intervals. A score of a closed interval is late and changes
    nothing. Another occupant than before begins without an episode.
    """
    if course.charted_until is None:
        course = replace(course, charted_until=_boundary_before(score.window_end, policy.interval))
    if course.charted_until is not None and score.window_end <= course.charted_until:
        return Folded(course, is_late=True)
    course, spans = _advance(course, score.window_end, policy, taken=score.window_end)
    if course.newest is None or score.window_end > course.newest:
        course = replace(_for_occupant(course, occupant), newest=score.window_end)
        course, crossings = _follow_episode(course, score, policy)
        spans += crossings
    return Folded(course, spans)


def close(course: Course, moment: datetime, policy: ChartingPolicy) -> Folded:
    """Closes what is due at the moment although no score came: a bed that fell silent.

    To be called only when every score that was published before the moment has been folded in.
    """
    if course.newest is None or course.charted_until is None or course.newest <= course.charted_until:
        return Folded(course)
    course, spans = _advance(course, moment, policy)
    return Folded(course, spans)


def draft(span: Span, windows: Sequence[Score], policy: ChartingPolicy) -> DraftEntry:
    """The entry of a span from its windows (at least one).

    A window that two models scored counts once, as the later one has it. Numbers of another scale map than the last
    window's are left out rather than mixed. What the entry says of weights and processing is the least of them all.
    """
    scores = _one_per_window(windows)
    last = scores[-1]
    estimates = [s.estimate for s in scores if s.estimate is not None and s.scale_map == last.scale_map]
    present = Counter(p.modality for score in scores for p in score.presences if p.is_present)
    absent = Counter((p.modality, p.reason) for score in scores for p in score.presences if not present[p.modality])
    return DraftEntry(
        bed=last.bed,
        kind=span.kind,
        begin=span.begin,
        end=span.end,
        observed_from=scores[0].window_end,
        observed_to=last.window_end,
        value=_median(e.value for e in estimates),
        low=_median(e.low for e in estimates),
        high=_median(e.high for e in estimates),
        peak=max((e.value for e in estimates), default=None),
        windows=len(scores),
        windows_scored=len(estimates),
        windows_missed=sum(score.outcome is Outcome.MISSED for score in scores),
        present={modality: present[modality] for modality in Modality if present[modality]},
        absences={modality: reason for (modality, reason), _ in reversed(absent.most_common())},
        absent_reason="" if estimates else Counter(score.reason for score in scores).most_common(1)[0][0],
        model=", ".join(sorted({score.model.name for score in scores})),
        weights=min((score.model.weights for score in scores), key=list(Weights).index),
        scale_map=last.scale_map,
        processing=max((score.processing for score in scores), key=list(Processing).index),
        policy=policy.name,
        drugs=_drugs(scores),
    )


def _drugs(scores: Sequence[Score]) -> tuple[DrugMark, ...]:
    first: dict[tuple[str, str, str], DrugMark] = {}
    for mark in sorted(mark for score in scores for mark in score.drugs):
        first.setdefault((mark.drug_class, mark.ingredient, mark.basis), mark)
    return tuple(first.values())


def _advance(
    course: Course, moment: datetime, policy: ChartingPolicy, *, taken: datetime | None = None
) -> tuple[Course, tuple[Span, ...]]:
    """Closes every interval that ended ``lateness`` before the moment; those without a window have no span."""
    limit = _boundary_at(moment - policy.lateness, policy.interval)
    begin = course.charted_until
    if begin is None or limit <= begin:
        return course, ()
    # Beyond the newest window there is nothing to chart, however long ago it was.
    ends = [course.newest or begin]
    if taken is not None and taken <= limit:
        ends.append(taken)
    spans: list[Span] = []
    while begin < min(limit, max(ends)):
        end = _boundary_after(begin, policy.interval)
        spans.append(Span(EntryKind.INTERVAL_SUMMARY, begin, end))
        begin = end
    return replace(course, charted_until=max(begin, limit)), tuple(spans)


def _for_occupant(course: Course, occupant: str) -> Course:
    if occupant == course.occupant:
        return course
    return replace(course, occupant=occupant, in_episode=False, crossing_since=None, scored_at=None)


def _follow_episode(course: Course, score: Score, policy: ChartingPolicy) -> tuple[Course, tuple[Span, ...]]:
    estimate = score.estimate
    if estimate is None:
        return course, ()
    course = replace(_without_what_is_stale(course, score.window_end, policy), scored_at=score.window_end)
    if not _is_across(course, estimate, policy):
        return replace(course, crossing_since=None), ()
    since = course.crossing_since or score.window_end
    if score.window_end - since < policy.hold:
        return replace(course, crossing_since=since), ()
    kind = EntryKind.EPISODE_END if course.in_episode else EntryKind.EPISODE_ONSET
    # A span holds the windows after its begin, and the first one across belongs to it.
    span = Span(kind, since - timedelta(microseconds=1), score.window_end)
    return replace(course, in_episode=not course.in_episode, crossing_since=None), (span,)


def _without_what_is_stale(course: Course, moment: datetime, policy: ChartingPolicy) -> Course:
    if course.scored_at is None:
        return course
    silence = moment - course.scored_at
    if silence > policy.forget:
        return replace(course, crossing_since=None, in_episode=False)
    if silence > policy.gap:
        return replace(course, crossing_since=None)
    return course


def _is_across(course: Course, estimate: Estimate, policy: ChartingPolicy) -> bool:
    if course.in_episode:
        return estimate.value < policy.threshold - policy.hysteresis
    return estimate.value >= policy.threshold


def _one_per_window(windows: Iterable[Score]) -> list[Score]:
    by_end: dict[datetime, Score] = {}
    for score in sorted(windows, key=lambda score: (score.window_end, score.produced)):
        by_end[score.window_end] = score
    return list(by_end.values())


def _median(values: Iterable[float]) -> float | None:
    listed = list(values)
    return median(listed) if listed else None


def _boundary_at(moment: datetime, interval: timedelta) -> datetime:
    """The last boundary at or before the moment, on a grid from the epoch."""
    return moment - (moment - EPOCH) % interval


def _boundary_after(moment: datetime, interval: timedelta) -> datetime:
    return _boundary_at(moment, interval) + interval


def _boundary_before(moment: datetime, interval: timedelta) -> datetime:
    # A window that ends exactly on a boundary belongs to the interval that it closes.
    at = _boundary_at(moment, interval)
    return at if at < moment else at - interval
