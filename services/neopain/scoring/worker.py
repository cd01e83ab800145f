"""The worker: takes a tick, reads its window, asks Triton, publishes the score, then acknowledges.

It keeps nothing between ticks. A repeated tick gives the same window and the same score id, and a score is published
under its id once: so whoever repeats a tick doubles nothing. Every tick ends as scored, abstained or missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from neopain.bus.bus import Bus, Entry
from neopain.bus.census import read_bed
from neopain.bus.consumer import Consumer
from neopain.bus.streams import SCORES, TICKS
from neopain.domain.calibration import AbstentionLimits
from neopain.domain.drugs import is_blocked
from neopain.domain.identity import is_recording
from neopain.domain.score import Outcome, Score
from neopain.domain.window import LATENESS, OLDEST_TICK, Tick
from neopain.domain.withholding import NEUROMUSCULAR_BLOCK
from neopain.errors import ContractBroken, InferenceUnavailable
from neopain.features.pack import Array
from neopain.features.window import Window, WindowItems, assemble
from neopain.runtime.backoff import Backoff
from neopain.runtime.clock import Clock, SystemClock
from neopain.runtime.log import Log
from neopain.runtime.loop import LoopPolicy, consume
from neopain.runtime.metrics import counter, histogram
from neopain.runtime.service import Running, run_service
from neopain.runtime.settings import BusSettings
from neopain.scoring import post
from neopain.scoring.golden import read_served_model
from neopain.scoring.inference import Triton
from neopain.scoring.pace import Pace
from neopain.scoring.parts import Parts
from neopain.scoring.post import Verdict
from neopain.scoring.reader import read_window
from neopain.scoring.settings import ScoringSettings
from neopain.scoring.trusted import TrustedTriton
from neopain.wire.score import decode_tick, encode_score

LOG = Log(__name__)

GROUP = "scoring"
RECORDING_LIFE = timedelta(seconds=100)
"""A recording's window does not get old by the clock on the wall; its media are kept for two minutes."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was read for a window, and what it gave; ``window`` is None when it was too late to look."""

    items: WindowItems
    window: Window | None = None


class Worker:
    """Scores ticks; ``handle`` is what the run loop calls."""

    def __init__(
        self,
        bus: Bus,
        triton: TrustedTriton,
        limits: AbstentionLimits,
        clock: Clock,
        *,
        ordered_block_withholds: bool = False,
    ) -> None:
        self.ordered_block_withholds = ordered_block_withholds
        self.bus = bus
        self.triton = triton
        self.pace = Pace(min(triton.deadline_seconds, OLDEST_TICK.total_seconds() / 2), triton.running.pause)
        self.limits = limits
        self.clock = clock

    async def handle(self, entry: Entry) -> None:
        """Publishes what became of the entry's tick.

        ``TransientError``: not yet, call again. ``ContractBroken``: an item of the window cannot be read; the window is
        told as missed, and the tick is for a person to look at.
        """
        tick = decode_tick(entry.payload)
        parts = Parts.of_tick(entry.id, self.clock.now())
        if self.clock.now() >= expires(tick):
            await self._publish_late(tick, parts)
            return
        try:
            looked = await self._look(tick, parts)
        except ContractBroken:
            await self._publish(tick, Looked(WindowItems(tick.window_end)), post.missed(post.UNREADABLE_ITEMS), parts)
            raise
        await self._publish(tick, looked, await self._verdict(tick, looked, parts), parts)

    async def _publish_late(self, tick: Tick, parts: Parts) -> None:
        state = await read_bed(self.bus, tick.bed)
        looked = Looked(WindowItems(tick.window_end, bed_state=state))
        await self._publish(tick, looked, post.missed(post.TOO_LATE), parts)

    async def _look(self, tick: Tick, parts: Parts) -> Looked:
        with parts.measured("read"):
            items = await read_window(self.bus, tick)
        with parts.measured("features"):
            return Looked(items, assemble(items))

    async def _verdict(self, tick: Tick, looked: Looked, parts: Parts) -> Verdict:
        """Asks Triton, and waits for one that is down as long as the window is of use."""
        window = looked.window
        if is_blocked(looked.items.drugs, by_order=self.ordered_block_withholds):
            return post.abstained(NEUROMUSCULAR_BLOCK)
        if window is None or window.is_empty:
            return post.abstained(post.NOTHING_PRESENT)
        backoff = Backoff(longest=1.0)
        reason = post.TOO_LATE
        while (left := self._left_seconds(tick)) > 0:
            try:
                outputs = await self._outputs(tick, window, parts)
            except InferenceUnavailable as error:
                reason = post.TRITON_UNAVAILABLE
                counter("scoring_retries_total").labels("triton").inc()
                LOG.warning("window_waits", bed=tick.bed, window=tick.window_end, why=error)
                if not await self.triton.running.pause(min(backoff.next_seconds(), left)):
                    raise
            else:
                if outputs is None:
                    break
                calibration = self.triton.model.calibration.tightened_by(self.limits)
                band = post.ga_band_of(looked.items.bed_state)
                return post.judge(outputs, window.presences, calibration=calibration, band=band)
        return post.missed(reason)

    async def _outputs(self, tick: Tick, window: Window, parts: Parts) -> dict[str, Array] | None:
        """What Triton says of a window; None where the answer would come too late."""
        with parts.measured("inference"):
            async with self.pace.turn(partial(self._left_seconds, tick)) as within:
                if within is None:
                    return None
                return await self.triton.infer(window.tensors.by_name(), within_seconds=within)

    def _left_seconds(self, tick: Tick) -> float:
        return (expires(tick) - self.clock.now()).total_seconds()

    async def _publish(self, tick: Tick, looked: Looked, verdict: Verdict, parts: Parts) -> None:
        score = self._score(tick, looked, verdict, parts)
        with parts.measured("publish"):
            published = await self.bus.publish_once(SCORES, encode_score(score), mark=score.id)
        if published.is_new:
            counter("scoring_windows_total").labels(score.outcome.value).inc()
            histogram("scoring_latency_seconds").observe(parts.since_published_ms(self.clock.now()) / 1000)
        tell = LOG.warning if score.outcome is Outcome.MISSED else LOG.debug
        tell(
            "score_published" if published.is_new else "score_was_published",
            bed=score.bed,
            window=score.window_end,
            outcome=score.outcome.value,
            reason=score.reason or "-",
            model=score.model.name,
            latency_ms=round(score.latency_ms, 1),
            **parts.fields(),
        )

    def _score(self, tick: Tick, looked: Looked, verdict: Verdict, parts: Parts) -> Score:
        produced = self.clock.now()
        return Score(
            bed=tick.bed,
            window_end=tick.window_end,
            outcome=verdict.outcome,
            model=self.triton.model.version,
            presences=looked.window.presences if looked.window else (),
            produced=produced,
            estimate=verdict.estimate,
            reason=verdict.reason,
            processing=post.least_trusted(looked.items.measured, looked.items.bed_state),
            patients=post.named_patients(looked.items.batches),
            latency_ms=parts.since_published_ms(produced),
            drugs=looked.items.drugs,
            read_until=tick.last_ids,
            occupied_since=looked.items.bed_state.since if looked.items.bed_state else None,
        )


def expires(tick: Tick) -> datetime:
    """When the window of a tick is of no more use."""
    if is_recording(tick.bed):
        return tick.closed + RECORDING_LIFE
    return tick.window_end + LATENESS + OLDEST_TICK


def run_worker(settings: ScoringSettings, bus_settings: BusSettings) -> None:
    """Runs a worker until it is asked to stop.

    ``ConfigurationError`` or ``ContractBroken`` when Triton does not serve what the model repository says.
    """
    run_service("scoring", settings, partial(_run, settings, bus_settings))


async def _run(settings: ScoringSettings, bus_settings: BusSettings, running: Running) -> None:
    model = read_served_model(settings.model_repository)
    bus, triton = Bus(bus_settings.address_with_media()), Triton(settings)
    trusted = TrustedTriton(triton, model, running)
    limits = AbstentionLimits(settings.most_distance, settings.widest_interval)
    consumer = Consumer(bus, TICKS, group=GROUP, name=settings.consumer_name)
    policy = LoopPolicy(parallel=settings.parallel, claim_after=settings.claim_after)
    try:
        await trusted.prove_when_there()
        worker = Worker(bus, trusted, limits, SystemClock(), ordered_block_withholds=settings.ordered_block_withholds)
        await consume(consumer, worker.handle, running, policy)
    finally:
        await triton.aclose()
        await bus.aclose()
    if trusted.refusal is not None:
        raise trusted.refusal
