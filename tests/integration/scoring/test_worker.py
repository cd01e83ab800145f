"""One tick in, one score out, with a real Valkey and a real Triton that serves the stand-in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from neopain.bus.bus import Bus
from neopain.bus.census import write_beds
from neopain.bus.drugs import write_drug
from neopain.bus.streams import CENSUS, FRAMES, TICKS, VITALS
from neopain.domain.calibration import POOLED, AbstentionLimits, Margins, identity
from neopain.domain.census import BedState, Infant
from neopain.domain.drugs import Basis, DrugClass, DrugFact, DrugMark
from neopain.domain.identity import PatientId, SourceId, recording_bed
from neopain.domain.media import FaceFrame
from neopain.domain.score import Modality, Outcome, Presence, Score, Weights
from neopain.domain.time import recorded_timing
from neopain.domain.vitals import Processing
from neopain.domain.window import Tick
from neopain.errors import ContractBroken
from neopain.scoring.inference import Triton
from neopain.scoring.settings import ScoringSettings
from neopain.scoring.worker import Worker
from neopain.wire.census import encode_bed_state
from neopain.wire.media import encode_frame
from neopain.wire.score import encode_tick

LONG_AGO = datetime(2009, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)

Handle = Callable[[], Awaitable[Score]]


@pytest.fixture
def handle(bus: Bus, worker: Worker, scores: Any) -> Handle:
    """Handles the one tick on the stream and gives the one score."""

    async def handle_tick() -> Score:
        (tick,) = await bus.read_range(TICKS)
        await worker.handle(tick)
        score: Score = await scores.only()
        return score

    return handle_tick


async def test_a_full_window_is_scored(bedside: Any, handle: Handle, end: datetime) -> None:
    await bedside.observe(end)
    await bedside.tick(end)
    score = await handle()
    assert score.outcome is Outcome.SCORED
    assert score.estimate is not None
    assert (score.estimate.low, score.estimate.value, score.estimate.high) == (6.0, 7.0, 8.0)


async def test_a_full_window_has_every_modality(bedside: Any, handle: Handle, end: datetime) -> None:
    await bedside.observe(end)
    await bedside.tick(end)
    assert (await handle()).presences == (
        Presence(Modality.FACE, True, 1.0),
        Presence(Modality.CRY, True, 1.0),
        Presence(Modality.PHYSIOLOGY, True, 1.0),
        Presence(Modality.MOVEMENT, True, 1.0),
    )


async def test_a_score_names_its_bed_window_and_model(bedside: Any, handle: Handle, end: datetime) -> None:
    await bedside.observe(end)
    await bedside.tick(end)
    score = await handle()
    assert (score.bed, score.window_end) == ("NICU/1/1@TEST", end)
    assert (score.model.name, score.model.weights) == ("stand-in-1", Weights.UNTRAINED)


async def test_a_bed_with_a_monitor_only_is_scored_by_its_vitals(bedside: Any, handle: Handle, end: datetime) -> None:
    await bedside.measure_vitals(end)
    await bedside.tick(end)
    score = await handle()
    assert score.estimate is not None
    assert score.estimate.value == 4.0
    assert {one.modality: one.reason for one in score.presences if not one.is_present} == {
        Modality.FACE: "no-camera",
        Modality.CRY: "no-microphone",
        Modality.MOVEMENT: "no-camera",
    }


async def test_a_bed_with_nothing_abstains(bedside: Any, handle: Handle, end: datetime) -> None:
    await bedside.tick(end)
    score = await handle()
    assert (score.outcome, score.reason, score.estimate) == (Outcome.ABSTAINED, "no-modality-present", None)


async def test_a_bed_with_nothing_needs_no_triton(bedside: Any, worker: Worker, handle: Handle, end: datetime) -> None:
    worker.triton.triton = Triton(ScoringSettings(triton_url="127.0.0.1:1"))
    await bedside.tick(end)
    assert (await handle()).outcome is Outcome.ABSTAINED
    await worker.triton.triton.aclose()


async def test_a_repeated_tick_gives_the_same_score_once(
    bus: Bus, bedside: Any, worker: Worker, scores: Any, end: datetime
) -> None:
    await bedside.observe(end)
    await bedside.tick(end)
    (tick,) = await bus.read_range(TICKS)
    await worker.handle(tick)
    first = await scores.only()
    await worker.handle(tick)
    assert await scores.all() == [first]


async def test_what_arrives_after_closing_changes_nothing(bedside: Any, handle: Handle, end: datetime) -> None:
    await bedside.measure_vitals(end)
    await bedside.tick(end)
    await bedside.film(end)
    score = await handle()
    assert score.presences[0] == Presence(Modality.FACE, False, 0.0, "no-camera")


async def test_a_tick_that_is_too_old_is_told_as_missed(bedside: Any, handle: Handle, end: datetime) -> None:
    await bedside.observe(end)
    await bedside.tick(end - timedelta(seconds=11))
    score = await handle()
    assert (score.outcome, score.reason, score.estimate) == (Outcome.MISSED, "too-late", None)


async def test_a_tick_that_is_just_young_enough_is_scored(bedside: Any, handle: Handle, end: datetime) -> None:
    await bedside.observe(end - timedelta(seconds=7))
    await bedside.tick(end - timedelta(seconds=7))
    assert (await handle()).outcome is Outcome.SCORED


async def test_training_data_make_the_score_training(bedside: Any, handle: Handle, end: datetime) -> None:
    await bedside.measure_vitals(end, processing=Processing.TRAINING)
    await bedside.tick(end)
    assert (await handle()).processing is Processing.TRAINING


async def test_a_training_census_makes_the_score_training(
    bus: Bus, bedside: Any, handle: Handle, end: datetime
) -> None:
    state = BedState(bedside.bed, since=end, processing=Processing.TRAINING)
    await bus.durable.hset(bus.key(CENSUS.name, "beds"), bedside.bed, encode_bed_state(state))
    await bedside.measure_vitals(end)
    await bedside.tick(end)
    assert (await handle()).processing is Processing.TRAINING


async def test_a_score_carries_the_infant_that_the_monitor_named(bedside: Any, handle: Handle, end: datetime) -> None:
    await bedside.measure_vitals(end)
    await bedside.tick(end)
    assert (await handle()).patients == (PatientId("4711", "HOSPITAL"),)


async def test_the_latency_counts_from_the_ticks_publication(bedside: Any, handle: Handle, end: datetime) -> None:
    await bedside.measure_vitals(end)
    await bedside.tick(end)
    assert 0 < (await handle()).latency_ms < 5000


async def test_a_recording_of_long_ago_is_scored(bus: Bus, bedside: Any, handle: Handle) -> None:
    bedside.bed = recording_bed("baby")
    await bedside.observe(LONG_AGO)
    await bedside.tick(LONG_AGO)
    score = await handle()
    assert score.estimate is not None
    assert (score.window_end, score.estimate.value) == (LONG_AGO, 7.0)


async def test_a_recording_waits_longer_than_a_bed(bus: Bus, bedside: Any, handle: Handle) -> None:
    bedside.bed = recording_bed("baby")
    await bedside.observe(LONG_AGO)
    closed = datetime.now(UTC) - timedelta(seconds=60)
    tick = Tick(bedside.bed, LONG_AGO, closed, await bus.last_ids(bedside.bed))
    await bus.publish(TICKS, encode_tick(tick))
    assert (await handle()).outcome is Outcome.SCORED


async def test_an_unreadable_entry_makes_the_window_missed_and_is_told(
    bus: Bus, bedside: Any, worker: Worker, scores: Any, end: datetime
) -> None:
    await bedside.observe(end)
    await bus.publish(FRAMES, b"\xffnot a frame", bed=bedside.bed)
    await bedside.tick(end)
    (tick,) = await bus.read_range(TICKS)
    with pytest.raises(ContractBroken, match="are no FaceFrame"):
        await worker.handle(tick)
    score = await scores.only()
    assert (score.outcome, score.reason) == (Outcome.MISSED, "unreadable-items")


async def test_an_unreadable_tick_breaks_the_contract(bus: Bus, worker: Worker) -> None:
    await bus.publish(TICKS, b"\xffnot a tick")
    (entry,) = await bus.read_range(TICKS)
    with pytest.raises(ContractBroken, match="are no Tick"):
        await worker.handle(entry)


async def test_a_window_beyond_the_sites_limit_abstains(
    bedside: Any, worker: Worker, handle: Handle, end: datetime
) -> None:
    worker.limits = AbstentionLimits(most_distance=0.2)
    await bedside.observe(end)
    await bedside.tick(end)
    score = await handle()
    assert (score.outcome, score.reason, score.estimate) == (Outcome.ABSTAINED, "unlike-training-data", None)


async def test_a_score_is_calibrated_for_what_was_present_and_the_infants_age(
    bus: Bus, bedside: Any, worker: Worker, handle: Handle, end: datetime
) -> None:
    margins = {POOLED: Margins((0.0,) * 4, infants=99), ("FCPM", "<28"): Margins((0.0, 0.0, 0.5, 0.5), infants=25)}
    worker.triton.model = replace(worker.triton.model, calibration=replace(identity(), margins=margins))
    infant = Infant((PatientId("4711", "HOSPITAL"),), gestational_age_days=190)
    state = BedState(bedside.bed, since=end - timedelta(hours=1), infant=infant)
    await bus.durable.hset(bus.key(CENSUS.name, "beds"), bedside.bed, encode_bed_state(state))
    await bedside.observe(end)
    await bedside.tick(end)
    score = await handle()
    assert score.estimate is not None
    assert (score.estimate.low, score.estimate.value, score.estimate.high) == (5.5, 7.0, 8.5)


async def test_a_source_of_one_value_a_minute_is_held_from_before_the_window(
    bus: Bus, bedside: Any, worker: Worker, handle: Handle, end: datetime
) -> None:
    """The two values arrived when they were measured: both lie before the near read of 35 s."""
    for age in (100, 40):
        await bedside.measure_vitals(end - timedelta(seconds=age), seconds=1)
    entries = await bus.read_range(VITALS, bed=bedside.bed)
    key = bus.stream_key(VITALS, bedside.bed)
    await bus.durable.delete(key)
    for entry, age in zip(entries, (100, 40), strict=True):
        arrived = int((end - timedelta(seconds=age)).timestamp() * 1000)
        await bus.durable.xadd(key, {b"p": entry.payload}, id=f"{arrived}-0")
    await bedside.tick(end)
    score = await handle()
    assert score.presences[2] == Presence(Modality.PHYSIOLOGY, True, 1.0)


async def test_a_window_with_a_frame_of_a_training_camera_is_training(
    bus: Bus, bedside: Any, handle: Handle, end: datetime
) -> None:
    await bedside.measure_vitals(end)
    timing = recorded_timing(received=end, source=end - timedelta(seconds=1))
    frame = FaceFrame(bedside.bed, SourceId("device", "sim"), timing, b"", processing=Processing.TRAINING)
    await bus.publish(FRAMES, encode_frame(frame), bed=bedside.bed)
    await bedside.tick(end)
    assert (await handle()).processing is Processing.TRAINING


ANNA = Infant((PatientId("4711", "HOSPITAL"),))


async def lay(bus: Bus, bedside: Any, end: datetime, *, rivals: tuple[Infant, ...] = (), held: str = "") -> None:
    """Anna in the bed."""
    state = BedState(bedside.bed, end - timedelta(hours=1), ANNA, held, rivals=rivals)
    await write_beds(bus, [state], version="0", mark="lay")


async def give(
    bus: Bus,
    to: Infant,
    drug: DrugClass,
    begun: datetime,
    *,
    basis: Basis = Basis.ADMINISTERED,
    processing: Processing = Processing.PRODUCTION,
) -> None:
    """A drug, for an hour."""
    fact = DrugFact(
        id=f"{drug}{begun}",
        patients=to.identifiers,
        classes=(drug,),
        ingredient="a drug",
        code="1",
        system="L",
        text="",
        basis=basis,
        begun=begun,
        told=begun,
        ended=begun + timedelta(hours=1),
        outlasts=timedelta(0),
        processing=processing,
    )
    await write_drug(bus, fact, mark=fact.id)


async def test_a_score_tells_what_it_was_read_from(
    bus: Bus, bedside: Any, worker: Worker, scores: Any, end: datetime
) -> None:
    await lay(bus, bedside, end)
    await bedside.measure_vitals(end)
    await bedside.tick(end)
    last = await bus.read_last(VITALS, bed=bedside.bed)
    (tick,) = await bus.read_range(TICKS)
    await worker.handle(tick)
    score = await scores.only()
    assert last is not None
    assert score.read_until["vitals"] == last.id
    assert score.occupied_since == end - timedelta(hours=1)


BLOCKER = DrugClass.NEUROMUSCULAR_BLOCKER


async def test_a_paralysed_infant_has_no_score_and_the_reason(
    bus: Bus, bedside: Any, handle: Handle, end: datetime
) -> None:
    await lay(bus, bedside, end)
    await give(bus, ANNA, BLOCKER, end - timedelta(minutes=10))
    await bedside.observe(end)
    await bedside.tick(end)
    score = await handle()
    assert (score.outcome, score.reason, score.estimate) == (Outcome.ABSTAINED, "neuromuscular-block", None)
    assert [mark.drug_class for mark in score.drugs] == ["neuromuscular-blocker"]
    assert len(score.presences) == 4


async def test_a_drug_that_is_told_in_training_withholds_nothing_of_an_infant_of_production(
    bus: Bus, bedside: Any, handle: Handle, end: datetime
) -> None:
    await lay(bus, bedside, end)
    await give(bus, ANNA, BLOCKER, end - timedelta(minutes=10), processing=Processing.TRAINING)
    await bedside.observe(end)
    await bedside.tick(end)
    score = await handle()
    assert (score.outcome, score.drugs) == (Outcome.SCORED, ())


async def test_a_sedated_infant_has_a_score_that_says_so(bus: Bus, bedside: Any, handle: Handle, end: datetime) -> None:
    await lay(bus, bedside, end)
    await give(bus, ANNA, DrugClass.SEDATIVE, end - timedelta(minutes=10))
    await bedside.observe(end)
    await bedside.tick(end)
    score = await handle()
    assert score.outcome is Outcome.SCORED
    assert score.drugs == (DrugMark("sedative", "a drug", "administered", end - timedelta(minutes=10)),)


@pytest.mark.parametrize("minutes", [-1, 61])
async def test_a_block_that_is_over_or_has_not_begun_withholds_nothing(
    bus: Bus, bedside: Any, handle: Handle, end: datetime, minutes: int
) -> None:
    await lay(bus, bedside, end)
    await give(bus, ANNA, BLOCKER, end - timedelta(minutes=minutes))
    await bedside.observe(end)
    await bedside.tick(end)
    score = await handle()
    assert (score.outcome, score.drugs) == (Outcome.SCORED, ())


@pytest.mark.parametrize(("counts", "outcome"), [(False, Outcome.SCORED), (True, Outcome.ABSTAINED)])
async def test_an_ordered_block_is_told_and_withholds_only_where_the_site_says_so(
    bus: Bus, bedside: Any, worker: Worker, handle: Handle, end: datetime, *, counts: bool, outcome: Outcome
) -> None:
    worker.ordered_block_withholds = counts
    await lay(bus, bedside, end)
    await give(bus, ANNA, BLOCKER, end - timedelta(minutes=10), basis=Basis.ORDERED)
    await bedside.observe(end)
    await bedside.tick(end)
    score = await handle()
    assert (score.outcome, [mark.basis for mark in score.drugs]) == (outcome, ["ordered"])


async def test_in_a_held_bed_the_block_of_whoever_may_lie_there_withholds(
    bus: Bus, bedside: Any, handle: Handle, end: datetime
) -> None:
    rival = Infant((PatientId("4712", "HOSPITAL"),))
    await lay(bus, bedside, end, rivals=(rival,), held="two infants in one bed")
    await give(bus, rival, BLOCKER, end - timedelta(minutes=10))
    await bedside.observe(end)
    await bedside.tick(end)
    assert (await handle()).reason == "neuromuscular-block"
