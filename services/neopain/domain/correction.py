"""Whose is an entry, now that more is known? Entries that are written, held to the history of their bed as it is now.

The history of a bed changes behind us: a transfer told late, an admission cancelled, a number corrected, a doubt
settled. An entry stands as long as the history names its infant at every window that it rests on. Else it is taken
back, and what its windows say is written anew for whom the history names, or held where it names nobody.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum

from neopain.domain.assignment import Assignment, CensusFact, assign, state_at
from neopain.domain.census import is_one_identifier
from neopain.domain.departed import under_numbers_of_now
from neopain.domain.identity import PatientId
from neopain.domain.runs import Run
from neopain.domain.vitals import Processing
from neopain.domain.window import VITALS_SPAN

SEVERAL = "the windows of this entry are not all one infant's"
NOT_KEPT = "what this entry rests on is not kept: it was written by an older version"
BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a bed's time, from ``begin`` (included) to ``end`` (not); None: for ever."""

    begin: datetime
    end: datetime | None

    def touches(self, first: datetime, last: datetime) -> bool:
        """Whether a window that ends between the two, both included, may end within it."""
        return last >= self.begin and (self.end is None or first < self.end)


class Judgement(Enum):
    """What becomes of an entry."""

    STANDS = "stands"
    RENUMBERED = "renumbered"
    """It is the same infant's, which a merge has given another number."""
    ANOTHERS = "anothers"
    """It was written for an infant whose it is not, or not clearly: taken back, and written for whose it is or held."""
    RELEASED = "released"
    """It was held, and it is known by now whose it is."""
    HELD_OTHERWISE = "held otherwise"
    """It is held still, for another reason."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The history of a bed as stretches in each of which every window has the same answer."""

    history: tuple[CensusFact, ...]
    bounds: tuple[datetime, ...]

    def begin_of(self, moment: datetime) -> datetime:
        """Since when the answer has been the same as at the moment."""
        place = bisect_right(self.bounds, moment)
        return self.bounds[place - 1] if place else BEGINNING

    def end_of(self, moment: datetime) -> datetime | None:
        """Until when it will be; None: for ever."""
        place = bisect_right(self.bounds, moment)
        return self.bounds[place] if place < len(self.bounds) else None


def timeline(history: Iterable[CensusFact]) -> Timeline:
    """The stretches of a history: an answer changes where a fact begins to count, and where a window no longer reaches
    back to before that."""
    facts = tuple(history)
    begins = {moment for fact in facts for moment in (fact.effective, fact.state.since, fact.settles) if moment}
    return Timeline(facts, tuple(sorted(begins | {moment + VITALS_SPAN for moment in begins})))


def changed(told: Sequence[CensusFact], fact: CensusFact) -> list[Stretch]:
    """Where a fact changes whose a window is, or what the infant is known by; ``told`` are those of its bed before."""
    told, after = under_numbers_of_now(told), under_numbers_of_now([*told, fact])
    renamed = [one.effective for one, other in zip(told, after, strict=False) if one != other]
    moments = [fact.effective, fact.state.since, *renamed, *([fact.settles] if fact.settles is not None else [])]
    bounds = [bound for bound in timeline(after).bounds if bound >= min(moments)]
    stretches: list[Stretch] = []
    for begin, end in zip(bounds, [*bounds[1:], None], strict=True):
        if _answer(told, begin) == _answer(after, begin):
            continue
        if stretches and stretches[-1].end == begin:
            stretches[-1] = replace(stretches[-1], end=end)
        else:
            stretches.append(Stretch(begin, end))
    return stretches


def _answer(history: Sequence[CensusFact], moment: datetime) -> tuple[object, ...]:
    whose, state = assign(history, moment), state_at(history, moment)
    known_by = (whose.infant.identifiers, whose.infant.formerly) if whose.infant is not None else ()
    return whose.key, whose.held_reason, known_by, state.overruled if state is not None else ()


def whose_windows(times: Timeline, runs: Sequence[Run]) -> Assignment:
    """Whose all of the windows are; held if that is not one infant, each for its reason."""
    answers: dict[tuple[datetime, tuple[PatientId, ...]], Assignment] = {}
    for run in runs:
        moment: datetime | None = run.first
        while moment is not None:
            key = (times.begin_of(moment), run.named)
            if key not in answers:
                answers[key] = assign(times.history, moment, run.named)
            end = times.end_of(moment)
            moment = run.first_from(end) if end is not None else None
    return _together(list(answers.values()))


def _together(answers: Sequence[Assignment]) -> Assignment:
    if not answers:
        return Assignment(held_reason=NOT_KEPT)
    reasons = dict.fromkeys(one.held_reason for one in answers if one.patient is None)
    if reasons and all(one.patient is None for one in answers):
        return Assignment(held_reason="; ".join(reasons))
    last = answers[-1]
    if reasons or last.patient is None or not all(one.is_about(last.patient) for one in answers):
        return Assignment(held_reason=SEVERAL)
    return replace(last, processing=max((one.processing for one in answers), key=list(Processing).index))


def judge(written_for: PatientId | None, held_reason: str, whose: Assignment) -> Judgement:
    """What becomes of an entry that was written for that infant, None where it was held for that reason."""
    if written_for is None:
        if whose.patient is not None:
            return Judgement.RELEASED
        return Judgement.STANDS if whose.held_reason == held_reason else Judgement.HELD_OTHERWISE
    if whose.patient is None or not whose.is_about(written_for):
        return Judgement.ANOTHERS
    numbers = whose.infant.identifiers if whose.infant is not None else ()
    is_as_before = any(is_one_identifier(written_for, one) for one in numbers)
    return Judgement.STANDS if is_as_before else Judgement.RENUMBERED
