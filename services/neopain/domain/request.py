"""An entry that a person asks for: of the last minute of a bed, now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from neopain.domain.charting import Course
from neopain.domain.policy import ChartingPolicy
from neopain.domain.span import EntryKind, Span


@dataclass(frozen=True, slots=True)
class Requested:
    """The course afterwards and the span to be written; without one, why not."""

    course: Course
    span: Span | None = None
    refusal: str = ""


def request(course: Course, policy: ChartingPolicy, *, now: datetime) -> Requested:
    """The span that ends with the newest window. Refused without recent windows, and within the least distance."""
    if course.newest is None or now - course.newest > policy.requested:
        seconds = policy.requested.total_seconds()
        return Requested(course, refusal=f"no window of this bed in the last {seconds:g} s: it is not scored now")
    entry_at = course.queue.entry_at
    if entry_at is not None and now - entry_at < policy.distance:
        again = entry_at + policy.distance
        refusal = f"an entry was written at {entry_at:%H:%M:%S}Z, and the policy allows the next at {again:%H:%M:%S}Z"
        return Requested(course, refusal=refusal)
    span = Span(EntryKind.ON_REQUEST, course.newest - policy.requested, course.newest)
    return Requested(replace(course, queue=replace(course.queue, entry_at=now)), span)
