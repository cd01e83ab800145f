"""Never more often than the site's least distance: what is due too soon after an entry is put off, and keeps its times.

At most one entry is written in any stretch of the distance, the oldest first. An episode's end while its onset is
still put off (or an onset while the end before it is) cancels both: what was that short is told by the summary, by its
peak and its time above the threshold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from neopain.domain.span import EntryKind, Span

OPPOSITE = {
    EntryKind.EPISODE_ONSET: EntryKind.EPISODE_END,
    EntryKind.EPISODE_END: EntryKind.EPISODE_ONSET,
}

AHEAD = timedelta(minutes=10)
"""What lies so far after the clock's moment is of a clock that was ahead."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A span that is put off, and whose: an episode of another infant cancels nothing."""

    span: Span
    occupant: str = ""


@dataclass(frozen=True, slots=True)
class Queue:
    """What is put off, and the moment of the last entry."""

    waiting: tuple[Waiting, ...] = ()
    entry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Paced:
    """The queue afterwards, and what is to be written now."""

    queue: Queue
    spans: tuple[Span, ...] = ()


def without_what_is_ahead(queue: Queue, now: datetime) -> Queue:
    """The queue as it is by the clock: nothing waits for an entry that was written by a clock that was ahead.

    Not for a score's moment: one that comes hours late is as far behind the last entry.
    """
    return replace(queue, entry_at=None) if is_ahead(queue.entry_at, now) else queue


def is_ahead(moment: datetime | None, now: datetime) -> bool:
    """Whether the moment was set by a clock that was ahead; None was not."""
    return moment is not None and moment - now > AHEAD


def pace(queue: Queue, due: Iterable[Span], *, moment: datetime, distance: timedelta, occupant: str = "") -> Paced:
    """Takes what became due at the moment; gives what is to be written, at most one span for each distance."""
    before = _released(queue, moment, distance)
    after = _released(_with_due(before.queue, due, occupant), moment, distance)
    return Paced(after.queue, before.spans + after.spans)


def _released(queue: Queue, moment: datetime, distance: timedelta) -> Paced:
    waiting, entry_at = sorted(queue.waiting, key=lambda one: one.span.end), queue.entry_at
    spans: list[Span] = []
    # A moment may lie before the last entry's: scores come in any order, and a silent bed goes by the clock.
    while waiting and (entry_at is None or max(moment, entry_at) - entry_at >= distance):
        spans.append(waiting.pop(0).span)
        entry_at = moment if entry_at is None else max(moment, entry_at)
    return Paced(Queue(tuple(waiting), entry_at), tuple(spans))


def _with_due(queue: Queue, due: Iterable[Span], occupant: str) -> Queue:
    waiting = list(queue.waiting)
    for span in due:
        cancelled = next((one for one in waiting if _cancels(span, one, occupant)), None)
        if cancelled is not None:
            waiting.remove(cancelled)
        else:
            waiting.append(Waiting(span, occupant))
    return replace(queue, waiting=tuple(waiting))


def _cancels(span: Span, other: Waiting, occupant: str) -> bool:
    return OPPOSITE.get(span.kind) is other.span.kind and other.occupant == occupant
