"""Aggregates and the newest score in the database: whose they are, once each, kept as long as they should be."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from neopain.bus.bus import Bus
from neopain.bus.connection import BusAddress
from neopain.bus.streams import MOVEMENT, VITALS
from neopain.charting.aggregate_corrections import correct_aggregates
from neopain.charting.aggregates import drop_days, ensure_days, sum_up_scores
from neopain.charting.facts import take_fact
from neopain.charting.unit_of_work import unit_of_work
from neopain.charting.vitals_pass import VitalsPass
from neopain.domain.aggregate import slot_of
from neopain.domain.assignment import CONTRADICTED
from neopain.domain.census import BedState, Census, CensusEvent, CensusEventKind, Infant
from neopain.domain.correction import NOT_KEPT
from neopain.domain.identity import BedId, PatientId, SourceId, recording_bed
from neopain.domain.media import MovementSample
from neopain.domain.occupancy import apply
from neopain.domain.time import TimeQuality, Timing
from neopain.domain.vitals import Processing, VitalKind, VitalSample, VitalsBatch
from neopain.wire.media import encode_movement
from neopain.wire.vitals import encode_batch

NOON = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
Rows = Callable[[str], list[dict[str, Any]]]
SUMMED = 'SELECT begins, patient_value, held_reason, value, "count", version FROM aggregates ORDER BY kind, begins'


def sum_up(ward: Any, second: float = 3600) -> int:
    return sum_up_scores(ward.intake, now=NOON + timedelta(seconds=second))


def test_the_scores_of_a_slot_become_one_row_of_the_infant(ward: Any, rows: Rows) -> None:
    ward.take(ward.score(1, 2.0), ward.score(2, 4.0), ward.score(3, None), ward.score(10, 6.0), ward.score(10.5, 8.0))

    assert sum_up(ward) == 2
    first, second = rows(SUMMED)
    assert (first["patient_value"], first["value"], first["count"]) == (ward.infant.value, 4.0, 3)
    assert (second["begins"], second["value"], second["count"]) == (NOON + timedelta(seconds=10), 8.0, 1)


def test_a_slot_that_goes_on_is_not_summed_up_and_one_that_is_done_not_again(ward: Any, rows: Rows) -> None:
    ward.take(ward.score(1))

    assert [sum_up(ward, 11), sum_up(ward, 11.5), sum_up(ward, 12)] == [0, 1, 0]
    assert rows("SELECT * FROM aggregate_slots") == []


def test_a_window_that_comes_late_still_counts_and_a_repeat_changes_nothing(ward: Any, rows: Rows) -> None:
    ward.take(ward.score(1, 2.0))
    sum_up(ward)
    ward.take(ward.score(1, 2.0))
    sum_up(ward)
    assert [(row["count"], row["version"]) for row in rows(SUMMED)] == [(1, 1)]

    ward.take(ward.score(2, 6.0))
    sum_up(ward)
    assert [(row["value"], row["count"], row["version"]) for row in rows(SUMMED)] == [(4.0, 2, 2)]


def test_a_window_after_the_others_were_forgotten_takes_nothing_from_their_aggregate(
    ward: Any, rows: Rows, tamper: Callable[..., None]
) -> None:
    ward.take(ward.score(1, 2.0), ward.score(2, 2.0))
    sum_up(ward)
    tamper("DELETE FROM windows")
    ward.take(ward.score(3, 9.0))
    sum_up(ward)

    assert [(row["value"], row["count"]) for row in rows(SUMMED)] == [(2.0, 2)]


@pytest.mark.parametrize("why", ["held", "empty", "contradicted", "test input"])
def test_what_is_not_clearly_an_infants_is_kept_for_the_bed_alone(bedside: Any, rows: Rows, why: str) -> None:
    infants = () if why == "empty" else (bedside.infant,)
    bedside.admit(*infants, held="two infants in one bed" if why == "held" else "")
    named = (PatientId("other", "HOSP"),) if why == "contradicted" else ()
    processing = Processing.TRAINING if why == "test input" else Processing.PRODUCTION
    bedside.take(bedside.score(1, named=named, processing=processing))
    sum_up(bedside)

    for table in ("aggregates", "live_scores"):
        (row,) = rows(f"SELECT patient_value, visit, held_reason FROM {table}")  # noqa: S608 - the test's own
        assert (row["patient_value"], row["visit"]) == (None, "")
        assert row["held_reason"] != ""


def test_a_slot_in_which_the_infant_changed_is_nobodys(ward: Any, rows: Rows) -> None:
    ward.admit(PatientId("other", "HOSP"), at=5)
    ward.take(ward.score(1), ward.score(8))
    sum_up(ward)

    assert [row["patient_value"] for row in rows(SUMMED)] == [None]


@pytest.mark.parametrize("what", ["left", "another", "the same"])
def test_what_the_census_tells_later_takes_an_aggregate_from_who_was_not_there(
    ward: Any, rows: Rows, what: str
) -> None:
    ward.take(ward.score(1), ward.score(15), ward.score(25))
    sum_up(ward)
    told = {"left": (), "another": (PatientId("other", "HOSP"),), "the same": (ward.infant,)}[what]
    ward.admit(*told, at=12)

    taken = correct_aggregates(ward.intake, ward.bed, now=NOON)

    kept = what == "the same"
    assert taken == (0 if kept else 2)
    whose = [row["patient_value"] for row in rows(SUMMED)]
    assert whose == [ward.infant.value] * 3 if kept else [ward.infant.value, None, None]
    assert [row["version"] for row in rows(SUMMED)] == ([1, 1, 1] if kept else [1, 2, 2])
    assert correct_aggregates(ward.intake, ward.bed, now=NOON) == 0


RIGHT = PatientId("right", "HOSP")


def told_of_the_number(ward: Any, kind: CensusEventKind, *, has_moved: bool = False) -> None:
    """The infant of the bed is told to have the number ``RIGHT``, where it lies or after it was moved."""
    census: Census = {ward.bed: BedState(ward.bed, NOON - timedelta(seconds=60), Infant((ward.infant,), visit="V1"))}
    infant = Infant((ward.infant,), visit="V1")
    moved = CensusEvent(CensusEventKind.TRANSFERRED, infant, NOON + timedelta(seconds=50), bed=BedId("NICU/2/2@H"))
    named = CensusEvent(
        kind, Infant((RIGHT,), visit="V1"), NOON + timedelta(seconds=60), prior=(ward.infant,), prior_visit="V1"
    )
    for event in (moved, named) if has_moved else (named,):
        for state in apply(census, replace(event, source="hl7:ADT", control_id="4711")):
            census[state.bed] = state
            take_fact(ward.intake, fact_id=uuid.uuid4().hex, state=state, arrived=event.occurred)


@pytest.mark.parametrize("has_moved", [False, True])
@pytest.mark.parametrize("kind", [CensusEventKind.VISIT_MOVED, CensusEventKind.RENUMBERED])
def test_aggregates_under_a_number_that_was_never_the_infants_are_put_right(
    ward: Any, rows: Rows, kind: CensusEventKind, *, has_moved: bool
) -> None:
    ward.take(ward.score(1), ward.score(15), ward.score(35, named=(ward.infant,)))
    sum_up(ward)
    told_of_the_number(ward, kind, has_moved=has_moved)

    assert correct_aggregates(ward.intake, ward.bed, now=NOON) == 3

    assert [(row["patient_value"], row["version"]) for row in rows(SUMMED)] == [("right", 2), ("right", 2), (None, 2)]
    assert correct_aggregates(ward.intake, ward.bed, now=NOON) == 0


def test_who_asks_what_was_read_of_an_infant_learns_that_its_aggregates_had_another_number(
    ward: Any, rows: Rows
) -> None:
    ward.take(ward.score(1), ward.score(15))
    sum_up(ward)
    told_of_the_number(ward, CensusEventKind.RENUMBERED)
    correct_aggregates(ward.intake, ward.bed, now=NOON)

    (detail,) = [json.loads(row["detail"]) for row in rows("SELECT detail FROM audit WHERE event LIKE 'aggreg%'")]
    assert detail["infants"] == [f"HOSP|{ward.infant.value}", "HOSP|right"]
    assert (detail["aggregates"], detail["instead_of"], detail["control_id"]) == (2, "HOSP|right", "4711")


NEWEST = "SELECT patient_value, held_reason, draft ->> 'value' AS value FROM live_scores"


@pytest.mark.parametrize("kind", [CensusEventKind.VISIT_MOVED, CensusEventKind.RENUMBERED])
def test_the_newest_score_of_a_silent_bed_is_put_under_the_right_number(
    ward: Any, rows: Rows, kind: CensusEventKind
) -> None:
    ward.take(ward.score(1, 5.0))

    told_of_the_number(ward, kind)

    assert rows(NEWEST) == [{"patient_value": "right", "held_reason": "", "value": "5.0"}]
    (detail,) = [json.loads(row["detail"]) for row in rows("SELECT detail FROM audit WHERE event LIKE 'newest%'")]
    assert detail["infants"] == [f"HOSP|{ward.infant.value}", "HOSP|right"]
    assert (detail["instead_of"], detail["control_id"]) == ("HOSP|right", "4711")


def test_the_newest_score_is_nobodys_where_its_sources_named_the_number_that_was_never_the_infants(
    ward: Any, rows: Rows
) -> None:
    ward.take(ward.score(1, named=(ward.infant,)))

    told_of_the_number(ward, CensusEventKind.RENUMBERED)

    assert [(row["patient_value"], row["held_reason"]) for row in rows(NEWEST)] == [(None, CONTRADICTED)]


def test_the_newest_score_is_nobodys_once_it_is_not_kept_whom_its_sources_named(
    ward: Any, rows: Rows, tamper: Callable[..., None]
) -> None:
    ward.take(ward.score(1))
    tamper("DELETE FROM windows")

    told_of_the_number(ward, CensusEventKind.RENUMBERED)

    assert [(row["patient_value"], row["held_reason"]) for row in rows(NEWEST)] == [(None, NOT_KEPT)]


@pytest.mark.parametrize(("at", "is_kept"), [(12, False), (30, True)])
def test_a_newest_score_after_the_infant_had_left_as_is_told_later_is_nobodys(
    ward: Any, rows: Rows, *, at: float, is_kept: bool
) -> None:
    ward.take(ward.score(25))

    ward.admit(at=at)

    assert [row["patient_value"] for row in rows(NEWEST)] == [ward.infant.value if is_kept else None]


def test_a_merge_leaves_the_newest_score_the_infants(ward: Any, rows: Rows) -> None:
    ward.take(ward.score(1))

    told_of_the_number(ward, CensusEventKind.MERGED)

    assert [row["patient_value"] for row in rows(NEWEST)] == [ward.infant.value]


def test_a_merge_leaves_aggregates_under_the_number_that_they_were_written_for(ward: Any, rows: Rows) -> None:
    ward.take(ward.score(1))
    sum_up(ward)
    told_of_the_number(ward, CensusEventKind.MERGED)

    assert correct_aggregates(ward.intake, ward.bed, now=NOON) == 0
    assert [row["patient_value"] for row in rows(SUMMED)] == [ward.infant.value]


def test_the_newest_window_stays_whatever_comes_after_it(ward: Any, rows: Rows) -> None:
    ward.take(ward.score(5, 5.0), ward.score(3, 3.0), ward.score(5, 5.0))

    (row,) = rows("SELECT window_end, patient_value, draft ->> 'value' AS value FROM live_scores")
    assert row == {
        "window_end": NOON + timedelta(seconds=5),
        "patient_value": ward.infant.value,
        "value": "5.0",
    }


def test_a_score_taken_while_its_slot_is_summed_up_is_in_it_or_leaves_a_mark(ward: Any, rows: Rows) -> None:
    scores = [ward.score(0.1 + number / 10, 1.0) for number in range(30)]
    with ThreadPoolExecutor(max_workers=3) as pool:
        taken = [pool.submit(ward.take, *scores[first::2]) for first in range(2)]
        while not all(one.done() for one in taken):
            sum_up(ward)
    for one in taken:
        one.result()
    sum_up(ward)

    assert [row["count"] for row in rows(SUMMED)] == [30]


def test_nothing_is_lost_when_what_was_summed_up_is_not_committed(
    ward: Any, rows: Rows, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward.take(ward.score(1))

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr("neopain.charting.aggregates.write", fail)
        with pytest.raises(RuntimeError, match="killed"):
            sum_up(ward)
    assert rows(SUMMED) == []

    assert sum_up(ward) == 1
    assert len(rows(SUMMED)) == 1


@pytest.mark.usefixtures("own_database")
def test_days_are_made_ahead_and_dropped_when_they_are_old(ward: Any, engine: Engine, rows: Rows) -> None:
    with engine.begin() as connection:
        ensure_days(connection, now=NOON)
    ward.take(ward.score(1))
    sum_up(ward)
    assert rows("SELECT tableoid::regclass::text AS day FROM aggregates") == [{"day": "aggregates_2026_10_05"}]

    with unit_of_work(engine, ward.clock) as unit:
        assert drop_days(unit, now=NOON + timedelta(days=7), kept=timedelta(days=7)) == 1
        assert unit.connection.scalar(text("SELECT count(*) FROM aggregates")) == 1
        assert drop_days(unit, now=NOON + timedelta(days=8), kept=timedelta(days=7)) == 1
        assert unit.connection.scalar(text("SELECT count(*) FROM aggregates")) == 0


def test_what_came_before_its_day_was_made_is_kept_and_goes_too(ward: Any, engine: Engine, rows: Rows) -> None:
    ward.take(ward.score(1))
    sum_up(ward)
    assert rows("SELECT tableoid::regclass::text AS day FROM aggregates") == [{"day": "aggregates_other"}]

    with unit_of_work(engine, ward.clock) as unit:
        ensure_days(unit.connection, now=NOON, days=1)
        drop_days(unit, now=NOON + timedelta(days=8), kept=timedelta(days=7))
        assert unit.connection.scalar(text("SELECT count(*) FROM aggregates")) == 0


# -- vitals, from a real bus -------------------------------------------------------------------------------------------


@pytest.fixture
async def bus(bus_url: str, media_url: str) -> AsyncIterator[Bus]:
    bus = Bus(BusAddress(bus_url, (media_url,), f"aggregates-{uuid.uuid4().hex[:8]}"))
    yield bus
    await bus.aclose()


def measured(bed: Any, moment: datetime, *values: float, patient: PatientId | None = None) -> VitalsBatch:
    samples = tuple(VitalSample(VitalKind.HEART_RATE, value, timing(moment)) for value in values)
    return VitalsBatch(bed, SourceId("hl7", "monitor"), samples, Processing.PRODUCTION, patient)


def timing(moment: datetime) -> Timing:
    return Timing(moment, moment, TimeQuality.SOURCE)


async def test_vitals_and_movement_of_a_slot_become_rows_and_what_comes_late_counts(
    bus: Bus, ward: Any, rows: Rows
) -> None:
    now = datetime.now(UTC)
    begin = slot_of(now)
    moment, after = begin + timedelta(seconds=4), begin + timedelta(seconds=13)
    await bus.publish(VITALS, encode_batch(measured(ward.bed, moment, 140, 150, 170)), bed=ward.bed)
    moved = MovementSample(ward.bed, SourceId("camera", "one"), timing(moment), 0.25)
    await bus.publish(MOVEMENT, encode_movement(moved), bed=ward.bed)
    await bus.publish(VITALS, encode_batch(measured(recording_bed("r"), moment, 140)), bed=recording_bed("r"))
    ward.admit(ward.infant, at=(now - NOON).total_seconds() - 600)
    one = VitalsPass(bus, ward.intake)

    assert await one.sum_up(now=after) == 2
    query = 'SELECT kind, patient_value, value, low, high, "count" FROM aggregates ORDER BY kind'
    whose = {"patient_value": ward.infant.value}
    assert rows(query) == [
        {"kind": "heart_rate", "value": 150.0, "low": 140.0, "high": 170.0, "count": 3, **whose},
        {"kind": "movement", "value": 0.25, "low": 0.25, "high": 0.25, "count": 1, **whose},
    ]

    late = measured(ward.bed, moment, 170, 170)
    await bus.publish(VITALS, encode_batch(late), bed=ward.bed)
    assert await one.sum_up(now=after) == 0
    assert await one.sum_up(now=after + timedelta(seconds=10)) == 1
    assert (rows(query)[0]["value"], rows(query)[0]["count"]) == (170.0, 5)


async def test_another_consumer_goes_on_from_the_mark_and_doubles_nothing(bus: Bus, ward: Any, rows: Rows) -> None:
    now = datetime.now(UTC)
    begin = slot_of(now)
    await bus.publish(VITALS, encode_batch(measured(ward.bed, begin + timedelta(seconds=4), 140)), bed=ward.bed)
    other = replace(ward.intake)

    await asyncio.gather(
        *(VitalsPass(bus, intake).sum_up(now=begin + timedelta(seconds=13)) for intake in (ward.intake, other))
    )
    await VitalsPass(bus, other).sum_up(now=begin + timedelta(seconds=33))

    assert [(row["count"], row["version"]) for row in rows(SUMMED)] == [(1, 1)]


async def test_a_clock_that_was_a_day_ahead_stops_no_vitals_from_being_summed_up(
    bus: Bus, ward: Any, rows: Rows
) -> None:
    begin = slot_of(datetime.now(UTC))
    one = VitalsPass(bus, ward.intake)
    await one.sum_up(now=begin + timedelta(days=1))
    await bus.publish(VITALS, encode_batch(measured(ward.bed, begin + timedelta(seconds=4), 140)), bed=ward.bed)

    assert await one.sum_up(now=begin + timedelta(seconds=13)) == 1
    assert rows("SELECT until FROM aggregate_marks") == [{"until": begin + timedelta(seconds=10)}]


async def test_vitals_of_a_monitor_that_names_another_infant_are_nobodys(bus: Bus, ward: Any, rows: Rows) -> None:
    now = datetime.now(UTC)
    begin = slot_of(now)
    ward.admit(ward.infant, at=(now - NOON).total_seconds() - 600)
    other = measured(ward.bed, begin + timedelta(seconds=4), 140, patient=PatientId("other", "HOSP"))
    await bus.publish(VITALS, encode_batch(other), bed=ward.bed)

    await VitalsPass(bus, ward.intake).sum_up(now=begin + timedelta(seconds=13))

    assert [row["patient_value"] for row in rows(SUMMED)] == [None]
