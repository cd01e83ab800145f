"""The charting policy in the database: by unit and age, put off, on request; each with its rows or with none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from neopain.bootstrap.policy import chart_bed
from neopain.charting.facts import take_fact
from neopain.charting.intake import Intake, close_silent_beds, forget_windows, take_score
from neopain.charting.requests import Asked, chart_on_request
from neopain.charting.tracing import read_stretches
from neopain.domain.census import BedState, Infant
from neopain.domain.drugs import DrugMark
from neopain.domain.identity import Unit
from neopain.domain.policy import ChartingPolicy, SitePolicies
from neopain.domain.threshold import Threshold

Rows = Callable[[str], list[dict[str, Any]]]
Count = Callable[[str], int]

NOON = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
POLICY = ChartingPolicy(interval=timedelta(seconds=10), lateness=timedelta(seconds=2), hold=timedelta(seconds=2))


def test_each_unit_is_charted_by_its_own_policy(ward: Any, rows: Rows) -> None:
    seldom = replace(POLICY, name="site/NICU", interval=timedelta(seconds=30))
    intake = Intake(ward.engine, SitePolicies(POLICY, {Unit("NICU"): seldom}), ward.clock)

    for second in range(1, 50):
        take_score(intake, ward.score(second))

    assert rows("SELECT draft ->> 'policy' AS policy, draft ->> 'windows' AS windows FROM entries") == [
        {"policy": "site/NICU", "windows": "30"}
    ]


@pytest.mark.parametrize(("weeks", "entries"), [(26, ["episode-onset"]), (34, [])])
def test_an_episode_begins_at_the_threshold_of_the_infants_age(
    ward: Any, rows: Rows, weeks: int, entries: list[str]
) -> None:
    since = NOON - timedelta(seconds=30)
    infant = Infant((ward.infant,), gestational_age_days=weeks * 7)
    take_fact(ward.intake, fact_id="ga", state=BedState(ward.bed, since, infant), arrived=since)
    ward.policy = replace(POLICY, threshold=Threshold(5.0, {"<28": 4.0}))

    ward.take(*(ward.score(second, 4.5) for second in range(1, 5)))

    assert [row["kind"] for row in rows("SELECT kind FROM entries")] == entries


def test_an_episode_too_soon_after_a_summary_is_written_later_with_its_own_times(ward: Any, rows: Rows) -> None:
    ward.policy = replace(POLICY, distance=timedelta(seconds=5))
    ward.take(ward.score(1), ward.score(12), ward.score(13, 9), ward.score(14, 9), ward.score(15, 9))
    kinds = [row["kind"] for row in rows("SELECT kind FROM entries")]

    ward.take(ward.score(16, 9), ward.score(17, 9))

    (onset,) = rows("SELECT ends, draft ->> 'windows' AS windows FROM entries WHERE kind = 'episode-onset'")
    assert kinds == ["interval-summary"]
    assert (onset["ends"], onset["windows"]) == (NOON + timedelta(seconds=15), "3")


def test_what_was_put_off_on_a_bed_that_fell_silent_is_written_by_the_clock(ward: Any, rows: Rows) -> None:
    ward.policy = replace(POLICY, distance=timedelta(seconds=5))
    ward.take(ward.score(1), ward.score(12), ward.score(13, 9), ward.score(14, 9), ward.score(15, 9))

    for second in (18, 23):
        close_silent_beds(ward.intake, now=NOON + timedelta(seconds=second))

    assert [row["kind"] for row in rows("SELECT kind FROM entries ORDER BY ends")] == [
        "interval-summary",
        "episode-onset",
        "interval-summary",
    ]


def test_what_is_put_off_keeps_its_windows_and_is_told_as_not_yet_written(
    ward: Any, database: str, count: Count
) -> None:
    ward.policy = replace(POLICY, distance=timedelta(seconds=5))
    ward.take(ward.score(2), ward.score(10))
    ask(ward, second=11)
    ward.take(ward.score(13))

    forget_windows(ward.intake, now=NOON + timedelta(hours=3))

    (stretch,) = read_stretches(database, [(ward.bed, NOON, NOON + timedelta(seconds=20))])
    assert (count("windows"), stretch.charted_until) == (3, NOON)
    close_silent_beds(ward.intake, now=NOON + timedelta(seconds=17))
    assert forget_windows(ward.intake, now=NOON + timedelta(hours=3)) == 2


def test_a_block_in_the_interval_withholds_its_number_in_the_row_and_in_the_audit(ward: Any, rows: Rows) -> None:
    block = DrugMark("neuromuscular-blocker", "vecuronium", "administered", NOON)
    ward.take(ward.score(1, 8), replace(ward.score(2, 1), drugs=(block,)), ward.score(12))

    (entry,) = rows("SELECT value, draft FROM entries")
    (audit,) = rows("SELECT detail FROM audit")
    assert (entry["value"], entry["draft"]["absent_reason"]) == (None, "neuromuscular-block")
    assert json.loads(audit["detail"])["value"] is None
    assert json.loads(audit["detail"])["absent_reason"] == "neuromuscular-block"


def ask(ward: Any, *, second: float) -> tuple[int, int, str]:
    ward.clock.moment = NOON + timedelta(seconds=second)
    answer = chart_on_request(ward.intake, Asked(ward.bed, "nurse 12"))
    return answer.written.charted, answer.written.held, answer.refusal


def test_an_entry_on_request_is_about_the_last_minute_and_names_who_asked_in_the_audit(ward: Any, rows: Rows) -> None:
    ward.policy = ChartingPolicy()
    ward.take(*(ward.score(second, second / 10) for second in range(10, 91, 10)))

    assert ask(ward, second=92) == (1, 0, "")

    (entry,) = rows("SELECT kind, begins, ends, value, state FROM entries")
    assert (entry["kind"], entry["state"], entry["value"]) == ("on-request", "charted", 6.5)
    assert (entry["begins"], entry["ends"]) == (NOON + timedelta(seconds=30), NOON + timedelta(seconds=90))
    found = rows("SELECT event, actor, entry_id <> '' AS is_of_entry, patient <> '' AS is_of_patient FROM audit")
    assert [tuple(row.values()) for row in found] == [
        ("entry_charted", "charting consumer", True, True),
        ("entry_requested", "nurse 12", False, False),
    ]
    assert rows("SELECT state FROM outbox") == [{"state": "pending"}]


def test_an_entry_that_is_asked_for_within_the_distance_is_refused_and_the_refusal_audited(
    ward: Any, rows: Rows, count: Count
) -> None:
    ward.policy = ChartingPolicy(distance=timedelta(minutes=5))
    ward.take(ward.score(1))
    ask(ward, second=2)

    charted, held, refusal = ask(ward, second=30)

    assert (charted, held) == (0, 0)
    assert refusal == "an entry was written at 12:00:02Z, and the policy allows the next at 12:05:02Z"
    assert count("entries") == 1
    assert refusal in rows("SELECT detail FROM audit ORDER BY position")[-1]["detail"]


def test_the_same_windows_are_not_charted_twice_on_request(ward: Any, count: Count) -> None:
    ward.take(ward.score(1))

    assert ask(ward, second=2) == (1, 0, "")
    assert ask(ward, second=3) == (0, 0, "these windows are charted on request already")
    assert count("outbox") == 1


def test_a_bed_that_was_never_scored_is_told_and_leaves_no_course(ward: Any, count: Count) -> None:
    assert ask(ward, second=2) == (0, 0, "this bed was never scored")
    assert count("courses") == 0


def test_what_is_asked_for_of_a_held_bed_is_held(ward: Any, count: Count) -> None:
    ward.admit(ward.infant, at=-30, held="two infants in one bed")
    ward.take(ward.score(1))

    assert ask(ward, second=2) == (0, 1, "")
    assert count("outbox") == 0


@pytest.mark.usefixtures("own_database")
def test_what_is_asked_for_is_written_whole_or_not_at_all(
    ward: Any, count: Count, tamper: Callable[..., None], engine: Any
) -> None:
    ward.take(ward.score(1))
    tamper("ALTER TABLE audit_heads RENAME TO audit_heads_gone")

    with pytest.raises(Exception, match="audit_heads"):
        ask(ward, second=2)

    with engine.connect() as connection:
        assert connection.scalar(text("SELECT entry_at FROM courses")) is None
    assert (count("entries"), count("outbox")) == (0, 0)


@pytest.mark.parametrize("is_asked_for", [True, False])
def test_the_command_says_what_came_of_a_request(
    ward: Any, database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_asked_for: bool
) -> None:
    monkeypatch.setenv("NEOPAIN_CHARTING_DATABASE_URL", database)
    if is_asked_for:
        # The command goes by the clock on the wall.
        ward.clock.moment = datetime.now(UTC)
        ward.take(ward.score((ward.clock.moment - NOON).total_seconds()))

    code = chart_bed(ward.bed, by="nurse 12")

    told = "charted: on its way to the EHR\n" if is_asked_for else "not charted: this bed was never scored\n"
    assert (code, capsys.readouterr().out) == (0 if is_asked_for else 1, told)
