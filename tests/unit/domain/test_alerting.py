"""When an alert opens, rises, falls, escalates and ends; and what silence, drugs and other infants do to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from neopain.domain.alert import AlertEventKind, Reading, alert_id
from neopain.domain.alert_policy import LevelRule
from neopain.domain.alerting import Watch, pass_time
from neopain.domain.assignment import CHANGED, EMPTY_BED, LEFT, Assignment
from neopain.domain.charting import Course, fold
from neopain.domain.drugs import DrugMark
from neopain.domain.identity import PatientId
from neopain.domain.score import Score
from neopain.domain.span import EntryKind
from neopain.domain.threshold import Threshold
from neopain.domain.vitals import Processing
from neopain.domain.withholding import Withholding

from .alert_windows import (
    ALERT,
    BED,
    MILD,
    MODERATE,
    NOON,
    POLICY,
    SEVERE,
    Bedside,
    at,
    course,
    held,
    lies,
    told,
    window,
)

BLOCK = DrugMark("neuromuscular-blocker", "vecuronium", "administered", NOON)
MIDAZOLAM = DrugMark("sedative", "midazolam", "administered", NOON)


@pytest.fixture
def bedside() -> Bedside:
    return Bedside()


@pytest.mark.parametrize(
    ("value", "opened"),
    [(3.9, []), (4.0, [("opened mild", 6)]), (6.5, [("opened moderate", 4)]), (9, [("opened severe", 2)])],
)
def test_an_alert_opens_at_the_level_that_was_held_for_its_time(
    bedside: Bedside, value: float, opened: list[tuple[str, float]]
) -> None:
    assert bedside.take(course((value, 8))) == opened


def test_it_rises_with_the_score_and_falls_slowly(bedside: Bedside) -> None:
    happened = bedside.take(course((5, 8), (9, 4), (5.5, 30)))

    # Lowered only after the least distance below the level less the hysteresis: 5.5 is within that of 6.0.
    assert happened[:3] == [("opened mild", 6), ("raised severe", 10), ("lowered moderate", 22)]
    assert bedside.alert.standing.highest is SEVERE


def test_it_ends_below_the_lowest_level_less_the_hysteresis_and_not_before(bedside: Bedside) -> None:
    bedside.take(course((5, 8)))

    assert bedside.take(course((3.5, 12), first=8)) == []
    assert bedside.take(course((2.9, 8), first=20)) == [("ended below", 26)]
    assert bedside.watch.alert is None


def test_a_score_around_the_threshold_does_not_flap(bedside: Bedside) -> None:
    around = [window(second, 4.0 if second % 12 < 8 else 3.2) for second in range(300)]

    assert [word for word, _ in bedside.take(around)][:1] == ["opened mild"]
    assert len(bedside.alerts) == 1
    assert bedside.alert.last(AlertEventKind.ENDED) is None


def test_after_an_end_the_next_one_of_the_same_level_keeps_its_distance(bedside: Bedside) -> None:
    happened = bedside.take(course((5, 7), (2, 7), (5, 20)))

    assert happened == [("opened mild", 6), ("ended below", 13), ("opened mild", 23)]


def test_after_an_end_a_higher_level_opens_at_once(bedside: Bedside) -> None:
    happened = bedside.take(course((5, 7), (2, 7), (9, 3)))

    assert happened == [("opened mild", 6), ("ended below", 13), ("opened severe", 16)]


def test_an_infant_that_was_taken_for_gone_is_alerted_of_without_the_distance(bedside: Bedside) -> None:
    bedside.take(course((5, 7)))
    bedside.take([window(7, 5)], held(EMPTY_BED))

    assert bedside.take(course((5, 7), first=8)) == [("opened mild", 14)]


def test_what_deep_sedation_ended_keeps_the_distance(bedside: Bedside) -> None:
    bedside.take(course((5, 7)))
    bedside.take(window(second, 5, sedation=-6) for second in range(7, 14))

    assert bedside.take(course((5, 20), first=14)) == [("opened mild", 23)]


def test_the_threshold_is_that_of_the_infants_age(bedside: Bedside) -> None:
    assert bedside.take(course((7.5, 5)), lies(weeks=26)) == [("opened severe", 2)]


def test_the_event_tells_the_number_that_was_there(bedside: Bedside) -> None:
    bedside.take([*course((5, 6)), window(6, 5.5)])

    (opened,) = bedside.alert.events
    assert opened.seen == Reading(5.5, at(6))


def test_it_says_whose_it_is_and_by_what(bedside: Bedside) -> None:
    test_input = [replace(score, processing=Processing.TRAINING) for score in course((9, 3))]
    bedside.take(test_input)

    alert = bedside.alert
    assert (alert.patient, alert.visit, alert.policy, alert.model) == (PatientId("A", "HOSP"), "V1", "p", "m1")
    assert alert.processing is Processing.TRAINING
    assert alert.id == alert_id(BED, PatientId("A", "HOSP"), at(2))


def test_it_is_told_once_that_it_is_sustained(bedside: Bedside) -> None:
    happened = bedside.take(course((5, 100)))

    assert [one for one in happened if one[0].startswith("sustained")] == [("sustained mild", 66)]


def test_it_is_not_sustained_while_the_score_is_on_its_way_down(bedside: Bedside) -> None:
    bedside.take(course((5, 64)))

    assert bedside.take(course((2, 5), first=64)) == [("escalated mild", 66)]


def test_an_alert_without_an_answer_escalates_so_many_times_and_no_more(bedside: Bedside) -> None:
    happened = bedside.take(course((5, 200)))

    assert [one for one in happened if "escalated" in one[0]] == [("escalated mild", 36), ("escalated mild", 66)]
    assert [event.escalation for event in bedside.alert.events if event.escalation] == [1, 2]


def test_a_rise_is_escalated_anew(bedside: Bedside) -> None:
    happened = bedside.take(course((5, 80), (9, 40)))

    assert [one for one in happened if "severe" in one[0]] == [("raised severe", 82), ("escalated severe", 112)]


def test_what_was_due_in_a_gap_is_escalated_at_its_own_time(bedside: Bedside) -> None:
    bedside.take(course((5, 8)))

    assert bedside.take([window(50, None)]) == [("escalated mild", 36)]


def test_without_a_number_no_alert_opens_and_none_ends(bedside: Bedside) -> None:
    bedside.take(course((5, 8)))
    bedside.take(course((None, 500), first=8))

    assert bedside.alert.standing.ended is None
    assert replace(bedside.alert, newest=bedside.watch.reading).no_number_since(at(508), gap=POLICY.gap) == at(7)


def test_a_gap_ends_what_was_held_so_far(bedside: Bedside) -> None:
    assert bedside.take(course((5, 5), (None, 4), (5, 6))) == []


def test_a_short_gap_does_not(bedside: Bedside) -> None:
    assert bedside.take(course((5, 3), (None, 2), (5, 3))) == [("opened mild", 6)]


def test_low_numbers_on_both_sides_of_a_gap_do_not_end_it(bedside: Bedside) -> None:
    bedside.take(course((5, 8)))

    assert bedside.take(course((2, 4), (None, 10), (2, 6), first=8)) == []


@pytest.mark.parametrize(
    "blocked",
    [
        lambda second: window(second, None, reason="neuromuscular-block"),
        lambda second: window(second, 9.0, drugs=(BLOCK,)),
    ],
)
def test_a_neuromuscular_block_opens_none_and_ends_one_at_once(bedside: Bedside, blocked: object) -> None:
    assert callable(blocked)
    assert bedside.take([blocked(second) for second in range(10)]) == []
    bedside.take(course((9, 3), first=10))

    assert bedside.take([blocked(13)]) == [("ended neuromuscular-block", 13)]


def test_a_sedative_ends_it_where_the_site_withholds_for_one() -> None:
    strict = Bedside(replace(POLICY, withholding=Withholding(sedatives=True)))
    strict.take(course((9, 3)))

    assert strict.take([window(3, 9, drugs=(MIDAZOLAM,))]) == [("ended sedative-in-effect", 3)]


def test_deep_sedation_ends_it_once_it_has_been_held(bedside: Bedside) -> None:
    bedside.take(course((5, 8)))

    assert bedside.take(window(second, 5, sedation=-6) for second in range(8, 14)) == []
    assert bedside.take([window(14, 5, sedation=-6)]) == [("ended deep-sedation", 14)]


def test_two_deeply_sedated_windows_far_apart_are_not_held(bedside: Bedside) -> None:
    bedside.take(course((5, 8)))
    bedside.take([window(8, 5, sedation=-6), *course((None, 20), first=9)])

    assert bedside.take([window(29, 5, sedation=-6)]) == []


def test_a_deeply_sedated_number_opens_nothing_and_is_not_told(bedside: Bedside) -> None:
    assert bedside.take(window(second, 9, sedation=-6) for second in range(5)) == []
    assert bedside.watch.reading is None


def test_another_infant_in_the_bed_ends_it_and_begins_anew(bedside: Bedside) -> None:
    bedside.take(course((5, 8)))

    happened = bedside.take(course((5, 8), first=8), lies("B"))

    assert happened == [("ended another-infant", 8), ("opened mild", 15)]
    assert {alert.patient.value for alert in bedside.alerts.values()} == {"A", "B"}


def test_numbers_of_two_infants_are_not_held_together(bedside: Bedside) -> None:
    bedside.take(course((5, 5)))

    assert bedside.take(course((5, 5), first=5), lies("B")) == []


def test_an_infant_whose_number_was_merged_keeps_its_alert(bedside: Bedside) -> None:
    bedside.take(course((5, 8)))

    assert bedside.take(course((5, 8), first=8), lies("A2", formerly="A")) == []
    assert bedside.alert.patient.value == "A"


@pytest.mark.parametrize("reason", [EMPTY_BED, LEFT])
def test_an_infant_that_went_ends_it(bedside: Bedside, reason: str) -> None:
    bedside.take(course((5, 8)))

    assert bedside.take([window(8, 5)], held(reason)) == [("ended infant-left", 8)]


@pytest.mark.parametrize("reason", [CHANGED, "two infants in one bed"])
def test_while_it_is_not_known_who_lies_there_nothing_is_concluded(bedside: Bedside, reason: str) -> None:
    assert bedside.take(course((9, 8)), held(reason)) == []
    bedside.take(course((5, 8), first=8))

    assert bedside.take(course((1, 12), first=16), held(reason)) == []
    assert bedside.watch.reading == Reading(5, at(15))


def test_a_policy_without_alerts_opens_none_and_ends_one_that_is_open(bedside: Bedside) -> None:
    off = replace(POLICY, alert=replace(ALERT, enabled=False))
    assert Bedside(off).take(course((9, 8))) == []
    bedside.take(course((9, 8)))
    bedside.policy = off

    assert bedside.take(course((9, 2), first=8)) == [("ended switched-off", 8)]


def test_an_older_window_changes_nothing(bedside: Bedside) -> None:
    bedside.take(course((5, 5)))
    before = bedside.watch

    assert bedside.take([window(4, 9), window(1, 0)]) == []
    assert bedside.watch == before


def test_a_bed_that_fell_silent_escalates_by_the_clock_at_the_same_times(bedside: Bedside) -> None:
    bedside.take(course((5, 8)))

    done = pass_time(bedside.watch, at(200), POLICY, lies())

    assert told(done.events) == [("escalated mild", 36), ("escalated mild", 66)]
    assert done.watch.alert is not None
    assert done.watch.newest == at(7)


def test_an_infant_that_went_from_a_silent_bed_ends_it_without_escalations(bedside: Bedside) -> None:
    bedside.take(course((5, 8)))

    done = pass_time(bedside.watch, at(200), POLICY, held(EMPTY_BED))

    assert told(done.events) == [("ended infant-left", 200)]
    assert done.watch.alert is None


def test_the_clock_does_nothing_behind_the_newest_window(bedside: Bedside) -> None:
    bedside.take(course((5, 8)))

    assert pass_time(bedside.watch, at(7), POLICY, held(EMPTY_BED)).events == ()


windows = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 1, 1, 2, 4, 30]),
        st.sampled_from([None, 1.0, 2.9, 3.5, 4.0, 5.0, 6.5, 9.0]),
        st.sampled_from([1, 2, 5, 8, 15]),
        st.sampled_from([0.0, 0.0, 0.0, -6.0]),
        st.sampled_from(["A", "A", "A", "B", ""]),
    ),
    max_size=25,
)


def listed(drawn: list[tuple[int, float | None, int, float, str]]) -> list[tuple[Score, Assignment]]:
    found, second = [], 0
    for step, value, times, sedation, infant in drawn:
        for _ in range(times):
            second += step
            found.append((window(second, value, sedation=sedation), lies(infant) if infant else held()))
    return found


@given(windows)
def test_repeats_and_restarts_change_nothing(drawn: list[tuple[int, float | None, int, float, str]]) -> None:
    once, twice = Bedside(), Bedside()
    stored = TypeAdapter(Watch)
    for score, whose in listed(drawn):
        first = once.take([score], whose)
        second = twice.take([score], whose)
        assert twice.take([score, replace(score, produced=at(9999))], whose) == []
        twice.watch = stored.validate_python(stored.dump_python(twice.watch, mode="json"))
        assert first == second
    assert once.alerts == twice.alerts


@given(windows)
def test_every_alert_opens_once_moves_between_levels_in_order_and_ends_once(
    drawn: list[tuple[int, float | None, int, float, str]],
) -> None:
    bedside = Bedside()
    for score, whose in listed(drawn):
        bedside.take([score], whose)
    ended = [alert for alert in bedside.alerts.values() if alert.standing.ended is not None]
    assert len(bedside.alerts) - len(ended) == (bedside.watch.alert is not None)
    for alert in bedside.alerts.values():
        kinds = [event.kind for event in alert.events]
        assert kinds.count(AlertEventKind.OPENED) == 1 == kinds.index(AlertEventKind.OPENED) + 1
        assert kinds.count(AlertEventKind.SUSTAINED) <= 1
        assert AlertEventKind.ENDED not in kinds[:-1]
        assert [event.moment for event in alert.events] == sorted(event.moment for event in alert.events)
        level = alert.events[0].level
        for event in alert.events[1:]:
            rise = event.level.rank - level.rank
            assert (rise > 0) == (event.kind is AlertEventKind.RAISED)
            assert (rise < 0) == (event.kind is AlertEventKind.LOWERED)
            level = event.level


@given(windows)
def test_alerts_of_an_infant_keep_their_distance_unless_they_are_higher(
    drawn: list[tuple[int, float | None, int, float, str]],
) -> None:
    bedside = Bedside()
    for score, whose in listed(drawn):
        bedside.take([score], whose)
    for before, alert in pairwise(bedside.alerts.values()):
        ended = before.standing.ended
        assert ended is not None
        if before.patient == alert.patient and before.standing.end_reason in {"below", "deep-sedation"}:
            is_far = alert.opened - ended >= timedelta(seconds=10)
            assert is_far or alert.events[0].level.rank > before.standing.highest.rank


@given(
    st.lists(
        st.tuples(st.sampled_from([1, 1, 1, 2, 3, 4, 9]), st.sampled_from([None, 2.0, 2.9, 3.0, 3.5, 4.0, 6.0])),
        max_size=60,
    )
)
def test_of_a_single_level_alerts_begin_and_end_as_episodes_do(drawn: list[tuple[int, float | None]]) -> None:
    far = {MODERATE: LevelRule(Threshold(9.0), timedelta(0)), SEVERE: LevelRule(Threshold(10.0), timedelta(0))}
    mild = LevelRule(Threshold(4.0), timedelta(seconds=3))
    levels = {MILD: mild, **far}
    policy = replace(
        POLICY,
        interval=timedelta(days=1),
        threshold=Threshold(4.0),
        hysteresis=1.0,
        hold=timedelta(seconds=3),
        forget=timedelta(days=1),
        alert=replace(ALERT, levels=levels, distance=timedelta(0), most_escalations=0, sustained=timedelta(days=1)),
    )
    bedside, episodes, spans, happened, second = Bedside(policy), Course(BED), [], [], 0
    for step, value in drawn:
        second += step
        folded = fold(episodes, window(second, value), policy, occupant="HOSP|A")
        episodes = folded.course
        spans += [(span.kind, second) for span in folded.spans]
        happened += bedside.take([window(second, value)])

    words = {EntryKind.EPISODE_ONSET: "opened mild", EntryKind.EPISODE_END: "ended below"}
    assert happened == [(words[kind], end) for kind, end in spans]


def test_the_levels_are_in_their_order() -> None:
    assert [MILD.rank, MODERATE.rank, SEVERE.rank] == [0, 1, 2]
