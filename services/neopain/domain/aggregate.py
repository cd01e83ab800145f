"""Ten seconds of one bed summed up, for whoever draws a trend: scores and vitals, and whose they are.

An aggregate is made anew from everything that is kept of its slot, never counted on from the one before: any order of
arrival, and any repeat, gives the same. Where there is no value there is none; nothing is held over from another slot.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median

from neopain.domain.assignment import CHANGED, Assignment
from neopain.domain.charting import DraftEntry
from neopain.domain.drafting import draft
from neopain.domain.gestation import GA_UNKNOWN
from neopain.domain.identity import PatientId, SourceId
from neopain.domain.media import MovementSample
from neopain.domain.policy import ChartingPolicy
from neopain.domain.score import Score
from neopain.domain.span import EntryKind, Span
from neopain.domain.time import TimeQuality, Timing
from neopain.domain.vitals import Processing, Validity, VitalKind, VitalsBatch, is_plausible
from neopain.domain.window import VITALS_SPAN

SLOT = timedelta(seconds=10)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

AGGREGATED = (VitalKind.HEART_RATE, VitalKind.SPO2, VitalKind.RESPIRATION, VitalKind.MOVEMENT)
"""The vitals that have aggregates."""

CLOCK_UNUSABLE = "clock-unusable"
INVALID_VALUES = "invalid-values"
"""Why a source's value does not count; the words are those of ``Presence.reason``."""
STALE = "stale"
"""Why a number is not told as the newest: it is too old to be."""
STUDY_MODE = "study-mode"
"""The same: the unit is in study mode, and a nurse scores before she sees one."""


@dataclass(frozen=True, slots=True)
class ScoreAggregate:
    """The windows that end in a slot. ``draft`` says of them what an entry would; it is charted nowhere."""

    draft: DraftEntry
    reasons: Mapping[str, int]
    """How many windows have no number, by why; missed ones too."""


@dataclass(frozen=True, slots=True)
class VitalAggregate:
    """The values of one kind within a slot, in the unit of ``PLAUSIBLE``; of one source, two are never mixed.

    The numbers are None, and ``count`` 0, where no value could be used: ``reasons`` says why.
    """

    kind: VitalKind
    value: float | None
    """The median."""
    low: float | None
    high: float | None
    """The smallest and the largest."""
    count: int
    reasons: Mapping[str, int]
    """How many values could not be used, by why."""
    processing: Processing
    named: tuple[PatientId, ...] = ()
    """The infants that the sources named."""


@dataclass(slots=True)
class _Heard:
    """What came of one kind in a slot."""

    values: dict[SourceId, list[float]] = field(default_factory=lambda: defaultdict(list))
    reasons: Counter[str] = field(default_factory=Counter)
    processing: set[Processing] = field(default_factory=set)
    named: set[PatientId] = field(default_factory=set)


def slot_of(moment: datetime) -> datetime:
    """The begin of the slot that the moment is in. A window that ends exactly on a boundary belongs to the slot that
    it closes, as it does to an interval of the chart."""
    at = moment - (moment - EPOCH) % SLOT
    return at if at < moment else at - SLOT


def slots_between(first: datetime, moment: datetime) -> list[datetime]:
    """The begins of the slots, from that of ``first`` on, that have ended by the moment."""
    begin, found = slot_of(first), []
    while begin + SLOT <= moment:
        found.append(begin)
        begin += SLOT
    return found


def aggregate_scores(
    begin: datetime, windows: Sequence[Score], policy: ChartingPolicy, *, band: str = GA_UNKNOWN
) -> ScoreAggregate:
    """The aggregate of the windows (at least one) that end in the slot; the same window twice counts once.

    What withholds an entry's number withholds this one's.
    """
    summed = draft(Span(EntryKind.INTERVAL_SUMMARY, begin, begin + SLOT), windows, policy, band=band)
    newest = {one.window_end: one for one in sorted(windows, key=lambda one: (one.window_end, one.produced))}
    return ScoreAggregate(summed, Counter(one.reason for one in newest.values() if one.estimate is None))


def live_draft(score: Score, policy: ChartingPolicy, *, band: str = GA_UNKNOWN) -> DraftEntry:
    """What is told of the newest window; what withholds an entry's number withholds this one's."""
    return draft(
        Span(EntryKind.INTERVAL_SUMMARY, score.window_end - VITALS_SPAN, score.window_end), [score], policy, band=band
    )


def aggregate_vitals(
    batches: Iterable[VitalsBatch], movements: Iterable[MovementSample]
) -> dict[tuple[datetime, VitalKind], VitalAggregate]:
    """The aggregates of ``AGGREGATED`` by slot and kind, from whatever order the items come in.

    A kind of which nothing came in a slot has none there. A value that its source calls invalid, that cannot be a
    newborn's, or whose clock is not believed does not count.
    """
    heard: dict[tuple[datetime, VitalKind], _Heard] = defaultdict(_Heard)
    for batch in batches:
        for sample in batch.samples:
            if sample.kind in AGGREGATED:
                one = heard[slot_of(sample.timing.aligned), sample.kind]
                value = sample.value if sample.validity is not Validity.INVALID else None
                _take(one, sample.kind, batch.source, sample.timing, value)
                one.processing.add(batch.processing)
                if batch.patient is not None:
                    one.named.add(batch.patient)
    for movement in movements:
        one = heard[slot_of(movement.timing.aligned), VitalKind.MOVEMENT]
        _take(one, VitalKind.MOVEMENT, movement.source, movement.timing, movement.energy)
        one.processing.add(movement.processing)
    return {(begin, kind): _summed(kind, one) for (begin, kind), one in heard.items()}


def owner_of(whose: Sequence[Assignment]) -> Assignment:
    """The infant of all of them; held when they are not about the same one: two infants are never summed up as one."""
    first = whose[0]
    return first if all(one == first for one in whose) else Assignment(held_reason=CHANGED)


def age_of(window_end: datetime, taken: datetime, *, now: datetime) -> timedelta:
    """How old the newest window is: since its end, or since it was taken where its clock runs ahead; never negative."""
    return max(now - min(window_end, taken), timedelta(0))


def _take(heard: _Heard, kind: VitalKind, source: SourceId, timing: Timing, value: float | None) -> None:
    if timing.quality is TimeQuality.UNUSABLE:
        heard.reasons[CLOCK_UNUSABLE] += 1
    elif value is None or not is_plausible(kind, value):
        heard.reasons[INVALID_VALUES] += 1
    else:
        heard.values[source].append(value)


def _summed(kind: VitalKind, heard: _Heard) -> VitalAggregate:
    values = max((heard.values[one] for one in sorted(heard.values, key=str)), key=len, default=[])
    return VitalAggregate(
        kind=kind,
        value=median(values) if values else None,
        low=min(values, default=None),
        high=max(values, default=None),
        count=len(values),
        reasons=dict(heard.reasons),
        processing=max(heard.processing, key=list(Processing).index),
        named=tuple(sorted(heard.named, key=lambda one: (one.assigning_authority, one.value, one.type_code))),
    )
