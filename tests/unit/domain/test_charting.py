"""The charting policy: when an interval closes, when an episode begins and ends, what an entry says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from neopain.domain.charting import Course, close, entry_id, fold, taken_back
from neopain.domain.drafting import draft
from neopain.domain.drugs import DrugMark
from neopain.domain.identity import BedId, PatientId
from neopain.domain.policy import ChartingPolicy
from neopain.domain.score import Estimate, Modality, ModelVersion, Outcome, Presence, Score, Weights
from neopain.domain.span import EntryKind, Span
from neopain.domain.vitals import Processing

BED = BedId("NICU/1/A")
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MODEL = ModelVersion("m1", Weights.SITE)
POLICY = ChartingPolicy(
    interval=timedelta(minutes=1),
    lateness=timedelta(seconds=5),
    hold=timedelta(seconds=3),
    gap=timedelta(seconds=5),
    forget=timedelta(minutes=5),
)
EYES_OPEN = (Presence(Modality.FACE, is_present=True), Presence(Modality.CRY, is_present=False, reason="no-microphone"))


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def scored(seconds: float, value: float = 2.0, *, model: ModelVersion = MODEL) -> Score:
    estimate = Estimate(value=value, low=value - 1, high=value + 2)
    return Score(BED, at(seconds), Outcome.SCORED, model, EYES_OPEN, at(seconds + 1), estimate)


def unscored(seconds: float, outcome: Outcome = Outcome.ABSTAINED, reason: str = "no-modality") -> Score:
    return Score(BED, at(seconds), outcome, MODEL, EYES_OPEN, at(seconds + 1), reason=reason)


def spans_of(scores: list[Score], *, policy: ChartingPolicy = POLICY, occupant: str = "") -> list[Span]:
    course, spans = Course(BED), []
    for score in scores:
        folded = fold(course, score, policy, occupant=occupant)
        course = folded.course
        spans += folded.spans
    return spans


def told(spans: list[Span]) -> list[tuple[EntryKind, float, float]]:
    return [(one.kind, (one.begin - NOON).total_seconds(), (one.end - NOON).total_seconds()) for one in spans]


def summaries(spans: list[Span]) -> list[tuple[float, float]]:
    return [(begin, end) for kind, begin, end in told(spans) if kind is EntryKind.INTERVAL_SUMMARY]


def episodes(spans: list[Span]) -> list[tuple[EntryKind, float, float]]:
    return [(kind, round(begin, 3), end) for kind, begin, end in told(spans) if kind is not EntryKind.INTERVAL_SUMMARY]


def test_an_interval_closes_when_a_score_comes_later_than_the_lateness() -> None:
    scores = [scored(second) for second in range(1, 66)]

    assert summaries(spans_of(scores[:64])) == []
    assert summaries(spans_of(scores)) == [(0, 60)]


def test_a_window_that_ends_on_a_boundary_belongs_to_the_interval_that_it_closes() -> None:
    assert summaries(spans_of([scored(60), scored(66)])) == [(0, 60)]


def test_a_minute_after_another_is_an_interval_each() -> None:
    assert summaries(spans_of([scored(second) for second in range(1, 200)])) == [(0, 60), (60, 120), (120, 180)]


def test_intervals_without_a_window_are_not_charted() -> None:
    assert summaries(spans_of([scored(30), scored(3600), scored(3670)])) == [(0, 60), (3540, 3600)]


def test_a_score_within_the_lateness_still_counts() -> None:
    folded = fold(Course(BED, charted_until=at(0), newest=at(64)), scored(58), POLICY)

    assert not folded.is_late


def test_a_score_of_a_closed_interval_is_late_and_changes_nothing() -> None:
    course = Course(BED, charted_until=at(60), newest=at(70))

    folded = fold(course, scored(60), POLICY)

    assert folded.is_late
    assert folded.course == course
    assert folded.spans == ()


def test_an_older_score_does_not_end_what_a_newer_one_began() -> None:
    scores = [scored(0.5), scored(2, 8), scored(3, 8), scored(4, 8), scored(3.5, 1), scored(5, 8)]

    assert episodes(spans_of(scores)) == [(EntryKind.EPISODE_ONSET, 2, 5)]


@given(st.permutations(range(12)))
def test_any_order_within_the_lateness_closes_the_same_intervals(order: list[int]) -> None:
    policy = ChartingPolicy(interval=timedelta(seconds=4), lateness=timedelta(seconds=12), hold=timedelta(days=1))
    shuffled = [scored(1)] + [scored(2 + second) for second in order] + [scored(second) for second in range(30, 60)]

    assert summaries(spans_of(shuffled, policy=policy))[:4] == [(0, 4), (4, 8), (8, 12), (12, 16)]


def test_a_bed_that_fell_silent_is_closed_by_the_clock() -> None:
    course = fold(Course(BED), scored(10), POLICY).course

    early, due = close(course, at(64), POLICY), close(course, at(65), POLICY)

    assert early.spans == ()
    assert summaries(list(due.spans)) == [(0, 60)]
    assert close(due.course, at(300), POLICY).spans == ()


def test_a_clock_that_was_a_day_ahead_makes_no_score_of_today_late() -> None:
    course = fold(Course(BED), scored(10), POLICY).course

    ahead = close(course, at(86_400), POLICY)
    assert summaries(list(ahead.spans)) == [(0, 60)]
    folded = fold(ahead.course, scored(61), POLICY)

    assert not folded.is_late
    assert summaries(list(close(folded.course, at(125), POLICY).spans)) == [(60, 120)]


def test_scores_that_come_hours_late_are_charted_no_more_often_than_the_least_distance() -> None:
    policy = replace(POLICY, distance=timedelta(hours=1))
    now, course, spans = at(2 * 3600), Course(BED), []
    for second in range(1, 1800, 20):
        folded = fold(course, scored(second), policy)
        closed = close(folded.course, now, policy)
        course = closed.course
        spans += [*folded.spans, *closed.spans]

    assert summaries(spans) == [(0, 60)]


def test_what_a_clock_that_was_ahead_wrote_puts_nothing_off_when_it_is_right_again() -> None:
    policy = replace(POLICY, distance=timedelta(minutes=1))
    ahead = close(fold(Course(BED), scored(10), policy).course, at(86_400), policy)
    folded = fold(ahead.course, scored(61), policy)

    assert summaries(list(close(folded.course, at(130), policy).spans)) == [(60, 120)]


def test_a_window_of_tomorrow_makes_no_score_of_today_late_once_it_is_taken_back() -> None:
    course = fold(Course(BED), scored(10), POLICY).course
    ahead = fold(course, scored(86_400), POLICY).course

    folded = fold(taken_back(ahead, at(61)), scored(61), POLICY)

    assert not folded.is_late
    assert summaries(list(close(folded.course, at(125), POLICY).spans)) == [(60, 120)]


def test_what_lies_a_little_ahead_is_not_taken_back() -> None:
    course = fold(Course(BED), scored(400), POLICY).course
    assert taken_back(course, at(10)) == course


def test_the_clock_closes_nothing_on_a_bed_without_open_windows() -> None:
    course = Course(BED, charted_until=at(60), newest=at(60))

    assert close(course, at(3600), POLICY).course == course


def test_another_interval_after_a_restart_goes_on_where_the_last_one_ended() -> None:
    course = Course(BED, charted_until=at(60), newest=at(60))

    spans = fold(course, scored(200), ChartingPolicy(interval=timedelta(minutes=15))).spans
    later = fold(Course(BED, charted_until=at(60), newest=at(200)), scored(930), ChartingPolicy()).spans

    assert spans == ()
    assert summaries(list(later)) == [(60, 900)]


def test_an_episode_begins_when_the_score_was_held_above_the_threshold() -> None:
    assert episodes(spans_of([scored(1), scored(2, 5), scored(3, 6), scored(4, 7)])) == []
    assert episodes(spans_of([scored(1), scored(2, 5), scored(3, 6), scored(4, 7), scored(5, 5)])) == [
        (EntryKind.EPISODE_ONSET, 2, 5)
    ]


def test_one_score_below_the_threshold_begins_the_hold_anew() -> None:
    scores = [scored(2, 6), scored(3, 6), scored(4, 4.9), scored(5, 6), scored(6, 6), scored(7, 6)]

    assert episodes(spans_of(scores)) == []


def test_an_episode_ends_only_below_the_hysteresis() -> None:
    begun = [scored(second, 6) for second in range(1, 5)]
    lingering = [scored(second, 3.6) for second in range(5, 20)]
    over = [scored(second, 3.5) for second in range(20, 24)]

    assert episodes(spans_of(begun + lingering)) == [(EntryKind.EPISODE_ONSET, 1, 4)]
    assert episodes(spans_of(begun + lingering + over))[1:] == [(EntryKind.EPISODE_END, 20, 23)]


def test_a_window_without_a_number_does_not_end_what_is_held() -> None:
    scores = [scored(1, 6), unscored(2), unscored(3, Outcome.MISSED), scored(4, 6)]

    assert episodes(spans_of(scores)) == [(EntryKind.EPISODE_ONSET, 1, 4)]


def test_two_high_scores_with_a_long_gap_between_are_no_episode() -> None:
    assert episodes(spans_of([scored(1, 9), scored(59, 9)])) == []


def test_an_episode_is_forgotten_after_a_long_silence_and_can_begin_again() -> None:
    first = [scored(second, 9) for second in range(1, 5)]
    again = [scored(second, 9) for second in range(1000, 1004)]

    assert [kind for kind, _, _ in episodes(spans_of(first + again))] == [EntryKind.EPISODE_ONSET] * 2


def test_another_infant_in_the_bed_does_not_inherit_the_episode() -> None:
    course = Course(BED, charted_until=at(0), newest=at(9), occupant="A", in_episode=True, scored_at=at(9))

    folded = fold(course, scored(10, 1), POLICY, occupant="B")

    assert not folded.course.in_episode
    assert folded.course.occupant == "B"


SPAN = Span(EntryKind.INTERVAL_SUMMARY, at(0), at(60))


def test_a_summary_is_the_median_with_the_peak() -> None:
    entry = draft(SPAN, [scored(1, 2), scored(2, 8), scored(3, 3)], POLICY)

    assert (entry.value, entry.low, entry.high, entry.peak) == (3, 2, 5, 8)


def test_a_summary_says_what_was_observed_of_its_span() -> None:
    entry = draft(SPAN, [scored(7), scored(20)], POLICY)

    assert (entry.begin, entry.end) == (at(0), at(60))
    assert (entry.observed_from, entry.observed_to) == (at(7), at(20))


def test_a_span_without_a_number_has_none_and_says_why() -> None:
    entry = draft(SPAN, [unscored(1), unscored(2), unscored(3, Outcome.MISSED, "too-old")], POLICY)

    assert entry.value is None
    assert entry.peak is None
    assert entry.absent_reason == "no-modality"


def test_missed_and_abstained_windows_count_as_windows() -> None:
    entry = draft(SPAN, [scored(1), unscored(2), unscored(3, Outcome.MISSED)], POLICY)

    assert (entry.windows, entry.windows_scored, entry.windows_missed) == (3, 1, 1)
    assert entry.absent_reason == ""


def test_a_modality_that_was_ever_there_is_counted_and_one_that_never_was_has_its_reason() -> None:
    blind = Score(BED, at(2), Outcome.SCORED, MODEL, (Presence(Modality.FACE, False, reason="no-face"),), at(3))

    entry = draft(SPAN, [scored(1), blind], POLICY)

    assert entry.present == {Modality.FACE: 1}
    assert entry.absences == {Modality.CRY: "no-microphone"}


def test_a_window_that_two_models_scored_counts_once() -> None:
    other = Score(BED, at(1), Outcome.SCORED, ModelVersion("m2", Weights.UNTRAINED), (), at(9), Estimate(9, 9, 9))

    entry = draft(SPAN, [other, scored(1, 2)], POLICY)

    assert (entry.windows, entry.value) == (1, 9)


def test_an_entry_of_two_models_names_both_and_the_least_weights() -> None:
    entry = draft(SPAN, [scored(1), scored(2, model=ModelVersion("m0", Weights.UNTRAINED))], POLICY)

    assert entry.model == "m0, m1"
    assert entry.weights is Weights.UNTRAINED


def test_one_training_window_makes_the_entry_training() -> None:
    training = Score(BED, at(2), Outcome.ABSTAINED, MODEL, (), at(3), processing=Processing.TRAINING)

    assert draft(SPAN, [training, scored(3)], POLICY).processing is Processing.TRAINING


def test_numbers_of_another_scale_map_are_not_mixed_in() -> None:
    old = Score(BED, at(1), Outcome.SCORED, MODEL, (), at(2), Estimate(9, 9, 9), scale_map="v0")

    entry = draft(SPAN, [old, scored(2, 3)], POLICY)

    assert (entry.value, entry.windows, entry.windows_scored) == (3, 2, 1)


def test_the_id_is_that_of_the_stretch_and_not_of_what_was_in_it() -> None:
    one, other = draft(SPAN, [scored(1)], POLICY), draft(SPAN, [scored(1), scored(2, 9)], POLICY)

    # sha256 of "NICU/1/A|interval-summary|2026-11-21T12:00:00+00:00|2026-11-21T12:01:00+00:00|HOSP|1", cut
    assert (
        entry_id(one, PatientId("1", "HOSP"))
        == entry_id(other, PatientId("1", "HOSP"))
        == "b138e3d61389db293e16e69cde6000b6"
    )


def test_the_same_stretch_of_another_infant_has_another_id() -> None:
    entry = draft(SPAN, [scored(1)], POLICY)

    assert len({entry_id(entry, patient) for patient in (None, PatientId("1"), PatientId("1", "HOSP"))}) == 3


def test_an_entry_names_every_drug_of_its_windows_since_its_first_begin() -> None:
    fentanyl, later = (DrugMark("analgesic", "fentanyl", "administered", at(minute)) for minute in (-60, -30))
    block = DrugMark("neuromuscular-blocker", "vecuronium", "administered", at(5))
    scores = [
        replace(scored(1), drugs=(fentanyl,)),
        replace(unscored(2, reason="neuromuscular-block"), drugs=(later, block)),
    ]

    entry = draft(Span(EntryKind.INTERVAL_SUMMARY, NOON, at(60)), scores, POLICY)

    assert entry.drugs == (fentanyl, block)
    assert (entry.windows, entry.windows_scored) == (2, 1)
