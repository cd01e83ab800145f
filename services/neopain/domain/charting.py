"""Which scores become entries: the charting policy, as pure functions over the scores of one bed.

Scores flow every second; a nurse's flowsheet does not (DESIGN D6). ``fold`` and ``close`` say *when* something is to be
charted (a span); ``drafting`` says *what*, from the windows of that span. Who it is about is decided in ``assignment``.

The windows themselves are not in the course: it stays small, and whoever keeps it keeps the windows beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from neopain.domain.drugs import DrugMark
from neopain.domain.gestation import GA_UNKNOWN
from neopain.domain.identity import BedId, PatientId
from neopain.domain.pacing import Queue, is_ahead, pace, without_what_is_ahead
from neopain.domain.policy import ChartingPolicy
from neopain.domain.procedure import ProcedureCourse
from neopain.domain.reviewer import Reviewer
from neopain.domain.score import Estimate, Modality, Score, Weights
from neopain.domain.span import EntryKind, Span
from neopain.domain.vitals import Processing

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
    queue: Queue = field(default_factory=Queue)
    """What is put off, since the last entry was written too short a time ago."""


@dataclass(frozen=True, slots=True)
class Folded:
    """The course after a score, the spans to be written now, and whether the score came too late to count."""

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
    sedation: float | None = None
    """The median of the sedation axis, 0 to -10; told also where the number is withheld."""
    windows_unlike: int | None = None
    """How many of the scored windows are unlike the training data; None: not counted, in entries of before."""
    threshold: float | None = None
    """From which score on the policy counts pain in this infant."""
    above: timedelta | None = None
    """For how long the score was at or above it."""
    late_after: timedelta | None = None
    """How long after its end it is charted late; None: not known."""
    procedure: ProcedureCourse | None = None
    """Of an entry around a procedure."""


@dataclass(frozen=True, slots=True)
class ChartedEntry:
    """A draft and the infant it is about, as the EHR is to get it."""

    draft: DraftEntry
    patient: PatientId
    visit: str
    issued: datetime
    sent: datetime | None = None
    """When it is sent to the EHR; None while it is not."""
    known_as: str = ""
    """Its id, where it has one by now: a correction or a merge of numbers changes whose it is, and no id."""
    corrects: str = ""
    """Id of the entry that it was charted instead of, since that was another infant's."""
    verified_by: Reviewer | None = None
    """The nurse who accepted it; None while none has."""

    @property
    def late_by(self) -> timedelta | None:
        """How long after its end it is charted, if that is late by its policy; an EHR that was down counts too."""
        late_after = self.draft.late_after
        took = (self.sent or self.issued) - self.draft.end
        return took if late_after is not None and took > late_after else None

    @property
    def id(self) -> str:
        """See ``entry_id``."""
        return self.known_as or entry_id(self.draft, self.patient)


def entry_id(draft: DraftEntry, patient: PatientId | None, *, correction: int = 0) -> str:
    """The same stretch of the same bed, charted for the same cause and infant, has the same id: a replay adds nothing.

    The infant is in it since two hospitals that share an EHR may both have a bed 1 in a room 1. ``correction`` is how
    many entries of the stretch were taken back before: one that is the first infant's again is another entry.
    """
    whose = f"{patient.assigning_authority}|{patient.value}" if patient else ""
    text = f"{draft.bed}|{draft.kind.value}|{draft.begin.isoformat()}|{draft.end.isoformat()}|{whose}"
    text += f"|{correction}" if correction else ""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def fold(course: Course, score: Score, policy: ChartingPolicy, *, occupant: str = "", band: str = GA_UNKNOWN) -> Folded:
    """Takes a score that was not taken before into the course of its bed; ``band`` is that of gestational age.

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
        course, crossings = _follow_episode(course, score, policy, band=band)
        spans += crossings
    return _paced(course, spans, score.window_end, policy)


def taken_back(course: Course, now: datetime) -> Course:
    """The course without what windows of a clock that was ahead moved on, as if the bed's first window were to come.

    Else every window would be late until their time has come.
    """
    if not (is_ahead(course.charted_until, now) or is_ahead(course.newest, now)):
        return course
    waiting = tuple(one for one in course.queue.waiting if not is_ahead(one.span.end, now))
    return Course(course.bed, queue=without_what_is_ahead(replace(course.queue, waiting=waiting), now))


def close(course: Course, moment: datetime, policy: ChartingPolicy) -> Folded:
    """Closes what is due at the moment although no score came: a bed that fell silent; and writes what was put off.

    To be called only when every score that was published before the moment has been folded in.
    """
    spans: tuple[Span, ...] = ()
    if course.newest is not None and course.charted_until is not None and course.newest > course.charted_until:
        course, spans = _advance(course, moment, policy)
    course = replace(course, queue=without_what_is_ahead(course.queue, moment))
    return _paced(course, spans, moment, policy)


def _paced(course: Course, spans: Iterable[Span], moment: datetime, policy: ChartingPolicy) -> Folded:
    paced = pace(course.queue, spans, moment=moment, distance=policy.distance, occupant=course.occupant)
    return Folded(replace(course, queue=paced.queue), paced.spans)


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
    # The clock closes what has windows, and no more: one that was ahead would make every score late until then.
    return replace(course, charted_until=begin if taken is None else max(begin, limit)), tuple(spans)


def _for_occupant(course: Course, occupant: str) -> Course:
    if occupant == course.occupant:
        return course
    return replace(course, occupant=occupant, in_episode=False, crossing_since=None, scored_at=None)


def _follow_episode(
    course: Course, score: Score, policy: ChartingPolicy, *, band: str
) -> tuple[Course, tuple[Span, ...]]:
    estimate = number_of(score, policy)
    if estimate is None:
        return course, ()
    course = replace(_without_what_is_stale(course, score.window_end, policy), scored_at=score.window_end)
    if not _is_across(course, estimate, policy, band=band):
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


def _is_across(course: Course, estimate: Estimate, policy: ChartingPolicy, *, band: str) -> bool:
    threshold = policy.threshold.of(band)
    if course.in_episode:
        return estimate.value < threshold - policy.hysteresis
    return estimate.value >= threshold


def number_of(score: Score, policy: ChartingPolicy) -> Estimate | None:
    """The score's estimate, unless it has none or the policy withholds it: then it begins and ends no episode."""
    estimate = score.estimate
    if estimate is None or policy.withholding.reason_for(score.drugs, sedation=estimate.sedation):
        return None
    return estimate


def _boundary_at(moment: datetime, interval: timedelta) -> datetime:
    """The last boundary at or before the moment, on a grid from the epoch."""
    return moment - (moment - EPOCH) % interval


def _boundary_after(moment: datetime, interval: timedelta) -> datetime:
    return _boundary_at(moment, interval) + interval


def _boundary_before(moment: datetime, interval: timedelta) -> datetime:
    # A window that ends exactly on a boundary belongs to the interval that it closes.
    at = _boundary_at(moment, interval)
    return at if at < moment else at - interval
