"""What a person may do with an alert, and what the scores do with it afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from neopain.domain.alert import AlertLevel, Reading
from neopain.domain.alert_acts import Act, act

from .alert_windows import ALERT, MILD, SEVERE, Bedside, at, course, window

ACKNOWLEDGE = Act("nurse 12")


def snooze(seconds: float) -> Act:
    return Act("nurse 12", snooze=timedelta(seconds=seconds))


def done(bedside: Bedside, wanted: Act, second: float) -> str:
    """Does it as charting would; the refusal."""
    alert = replace(bedside.alert, newest=bedside.watch.reading)
    acted = act(alert, wanted, ALERT, now=at(second))
    if acted.event is not None:
        alert = replace(bedside.alert, events=(*alert.events, acted.event))
        bedside.watch = replace(bedside.watch, alert=alert)
    return acted.refusal


@pytest.fixture
def bedside() -> Bedside:
    """With a mild alert since the sixth second."""
    bedside = Bedside()
    bedside.take(course((5, 8)))
    return bedside


def test_an_act_keeps_who_when_and_what_was_seen(bedside: Bedside) -> None:
    done(bedside, Act("nurse 12", "repositioned"), 9.5)

    event = bedside.alert.events[-1]
    assert (event.by, event.note, event.moment) == ("nurse 12", "repositioned", at(9.5))
    assert (event.level, event.seen) == (MILD, Reading(5, at(7)))


def test_what_was_acknowledged_escalates_no_more(bedside: Bedside) -> None:
    done(bedside, ACKNOWLEDGE, 9)

    assert bedside.take(course((5, 50), first=10)) == []


def test_a_rise_above_what_was_acknowledged_is_asked_about_anew(bedside: Bedside) -> None:
    done(bedside, ACKNOWLEDGE, 9)

    happened = bedside.take(course((9, 40), first=10))

    assert happened == [("raised severe", 12), ("escalated severe", 42)]
    assert done(bedside, ACKNOWLEDGE, 50) == ""


def test_what_was_noticed_falls_with_the_level(bedside: Bedside) -> None:
    bedside.take(course((9, 4), first=8))
    done(bedside, ACKNOWLEDGE, 12)
    bedside.take(course((4.5, 14), first=12))
    assert bedside.alert.standing.level is MILD
    assert not bedside.alert.standing.wants_answer

    assert bedside.take(course((9, 3), first=26)) == [("raised severe", 28)]
    assert bedside.alert.standing.wants_answer


def test_a_snooze_puts_the_next_escalation_off_to_after_its_end(bedside: Bedside) -> None:
    done(bedside, snooze(60), 10)

    happened = bedside.take(course((5, 120), first=10))

    assert [one for one in happened if "escalated" in one[0]] == [("escalated mild", 100)]


def test_a_snooze_ends_with_a_rise(bedside: Bedside) -> None:
    done(bedside, snooze(100), 10)

    happened = bedside.take(course((9, 40), first=10))

    assert happened == [("raised severe", 12), ("escalated severe", 42)]
    assert bedside.alert.standing.snoozed_until is None


def test_a_snoozed_alert_can_be_acknowledged(bedside: Bedside) -> None:
    done(bedside, snooze(100), 10)

    assert done(bedside, ACKNOWLEDGE, 20) == ""
    assert bedside.alert.standing.snoozed_until is None


@pytest.mark.parametrize("seconds", [0, -1, 100.5])
def test_a_snooze_is_not_longer_than_the_policy_allows(bedside: Bedside, seconds: float) -> None:
    assert done(bedside, snooze(seconds), 10) == "can be put off for more than 0 and at most 1.66667 min by the policy"


@pytest.mark.parametrize("wanted", [ACKNOWLEDGE, snooze(10)])
def test_what_is_acknowledged_is_not_answered_again(bedside: Bedside, wanted: Act) -> None:
    done(bedside, Act("nurse 7"), 9)

    refusal = done(bedside, wanted, 20)

    assert refusal == "was acknowledged by nurse 7 at 12:00:09Z: nothing more is asked unless it rises"


@pytest.mark.parametrize("wanted", [ACKNOWLEDGE, snooze(10)])
def test_a_level_that_nobody_has_seen_is_not_answered(bedside: Bedside, wanted: Act) -> None:
    bedside.take(course((9, 4), first=8))

    assert done(bedside, replace(wanted, seen=MILD), 12) == (
        "has risen to severe since mild was seen: look at it again"
    )
    assert done(bedside, replace(wanted, seen=SEVERE), 12) == ""


def test_a_level_that_has_fallen_since_it_was_seen_is_answered(bedside: Bedside) -> None:
    assert done(bedside, replace(ACKNOWLEDGE, seen=AlertLevel.SEVERE), 9) == ""


def test_an_alert_that_ended_is_not_answered(bedside: Bedside) -> None:
    bedside.take([window(8, None, reason="neuromuscular-block")])
    (ended,) = bedside.alerts.values()

    refusal = act(ended, ACKNOWLEDGE, ALERT, now=at(9)).refusal

    assert refusal == "ended at 12:00:08Z (neuromuscular-block): there is nothing to answer"
