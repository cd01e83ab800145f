"""Never more often than the least distance: laws over any course of what is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from neopain.domain.pacing import Queue, pace, without_what_is_ahead
from neopain.domain.span import EntryKind, Span

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
INTERVAL, DISTANCE = 12, 5
ONSET, END, SUMMARY = EntryKind.EPISODE_ONSET, EntryKind.EPISODE_END, EntryKind.INTERVAL_SUMMARY

Written = list[tuple[int, EntryKind, int]]
"""When written, what, and the end that it has."""


def at(second: int) -> datetime:
    return NOON + timedelta(seconds=second)


def span(kind: EntryKind, end: int) -> Span:
    return Span(kind, at(end - 1), at(end))


def run(due: dict[int, list[Span]], *, until: int, distance: int = DISTANCE, occupant: str = "A") -> Written:
    queue, written = Queue(), []
    for second in range(until):
        done = pace(
            queue,
            due.get(second, []),
            moment=at(second),
            distance=timedelta(seconds=distance),
            occupant=occupant,
        )
        queue = done.queue
        written += [(second, one.kind, int((one.end - NOON).total_seconds())) for one in done.spans]
    return written


def test_an_entry_that_a_clock_which_was_a_day_ahead_wrote_puts_nothing_off() -> None:
    ahead = pace(Queue(), [span(SUMMARY, 12)], moment=at(86_400), distance=timedelta(seconds=DISTANCE))

    queue = without_what_is_ahead(ahead.queue, at(24))
    done = pace(queue, [span(SUMMARY, 24)], moment=at(24), distance=timedelta(seconds=DISTANCE))

    assert done.spans == (span(SUMMARY, 24),)


@st.composite
def courses(draw: st.DrawFn) -> dict[int, list[Span]]:
    """Summaries every interval, and crossings that alternate, at any seconds."""
    due: dict[int, list[Span]] = {end: [span(SUMMARY, end)] for end in range(INTERVAL, 6 * INTERVAL, INTERVAL)}
    seconds = sorted(draw(st.sets(st.integers(1, 6 * INTERVAL - 1), max_size=30)))
    for place, second in enumerate(seconds):
        due.setdefault(second, []).append(span(END if place % 2 else ONSET, second))
    return due


@given(courses())
def test_two_entries_are_never_nearer_than_the_distance(due: dict[int, list[Span]]) -> None:
    moments = [moment for moment, _, _ in run(due, until=7 * INTERVAL)]

    assert all(later - earlier >= DISTANCE for earlier, later in pairwise(moments))


@given(courses())
def test_every_summary_is_written_with_its_own_times_within_two_distances(due: dict[int, list[Span]]) -> None:
    summaries = [(end, moment) for moment, kind, end in run(due, until=7 * INTERVAL) if kind is SUMMARY]

    assert [end for end, _ in summaries] == list(range(INTERVAL, 6 * INTERVAL, INTERVAL))
    assert all(moment - end <= 2 * DISTANCE for end, moment in summaries)


@given(courses())
def test_what_is_charted_of_episodes_goes_on_and_off_in_turn(due: dict[int, list[Span]]) -> None:
    kinds = [kind for _, kind, _ in run(due, until=7 * INTERVAL) if kind is not SUMMARY]

    assert kinds == [END if place % 2 else ONSET for place in range(len(kinds))]


@given(courses())
def test_the_last_state_that_is_charted_is_the_true_one(due: dict[int, list[Span]]) -> None:
    told = [one.kind for second in sorted(due) for one in due[second] if one.kind is not SUMMARY]
    written = [kind for _, kind, _ in run(due, until=7 * INTERVAL) if kind is not SUMMARY]

    assert (told[-1:] == [ONSET]) == (written[-1:] == [ONSET])


@given(courses())
def test_without_a_distance_everything_is_written_when_it_is_due(due: dict[int, list[Span]]) -> None:
    written = run(due, until=7 * INTERVAL, distance=0)

    assert sorted((moment, kind.value) for moment, kind, _ in written) == sorted(
        (second, one.kind.value) for second in due for one in due[second]
    )


def test_an_onset_too_soon_after_a_summary_is_put_off_and_keeps_its_time() -> None:
    due = {12: [span(SUMMARY, 12)], 14: [span(ONSET, 14)]}

    assert run(due, until=40) == [(12, SUMMARY, 12), (17, ONSET, 14)]


def test_an_episode_that_is_over_before_it_could_be_written_is_left_to_the_summary() -> None:
    due = {12: [span(SUMMARY, 12)], 14: [span(ONSET, 14)], 16: [span(END, 16)]}

    assert run(due, until=40) == [(12, SUMMARY, 12)]


def test_another_infants_onset_does_not_cancel_an_end_that_waits() -> None:
    distance = timedelta(seconds=DISTANCE)
    first = pace(Queue(entry_at=at(0)), [span(END, 3)], moment=at(3), distance=distance, occupant="A")

    second = pace(first.queue, [span(ONSET, 4)], moment=at(4), distance=distance, occupant="B")

    assert [(one.span.kind, one.occupant) for one in second.queue.waiting] == [(END, "A"), (ONSET, "B")]


def test_a_moment_before_the_last_entry_writes_nothing_more_and_loses_nothing() -> None:
    done = pace(Queue(entry_at=at(60)), [span(SUMMARY, 60)], moment=at(59), distance=timedelta(seconds=1))

    assert done.spans == ()
    assert [one.span.end for one in done.queue.waiting] == [at(60)]
