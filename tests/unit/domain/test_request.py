"""An entry on request: of the last minute, if there are windows and the policy's distance allows it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from neopain.domain.charting import Course
from neopain.domain.identity import BedId
from neopain.domain.pacing import Queue
from neopain.domain.policy import ChartingPolicy
from neopain.domain.request import request
from neopain.domain.span import EntryKind, Span

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
BED = BedId("NICU/1/A")
POLICY = ChartingPolicy(distance=timedelta(minutes=5))


def test_the_entry_is_about_the_minute_that_ends_with_the_newest_window() -> None:
    done = request(Course(BED, newest=NOON), POLICY, now=NOON + timedelta(seconds=2))

    assert done.span == Span(EntryKind.ON_REQUEST, NOON - timedelta(minutes=1), NOON)
    assert done.course.queue.entry_at == NOON + timedelta(seconds=2)


def test_a_bed_without_windows_in_the_last_minute_is_refused() -> None:
    for course in (Course(BED), Course(BED, newest=NOON - timedelta(seconds=61))):
        done = request(course, POLICY, now=NOON)

        assert (done.span, done.course) == (None, course)
        assert done.refusal == "no window of this bed in the last 60 s: it is not scored now"


def test_within_the_least_distance_it_is_refused_and_told_when_it_may_be() -> None:
    course = Course(BED, newest=NOON, queue=Queue(entry_at=NOON - timedelta(minutes=4)))

    done = request(course, POLICY, now=NOON)

    assert (done.span, done.course) == (None, course)
    assert done.refusal == "an entry was written at 11:56:00Z, and the policy allows the next at 12:01:00Z"
    assert request(course, POLICY, now=NOON + timedelta(minutes=1)).span is not None
