"""A recording through the line: its items onto the streams, a tick for each second, the scores back from the bus."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import assert_never

from neopain.bus.bus import Bus
from neopain.bus.streams import AUDIO, BASELINE, FRAMES, MOVEMENT, SCORES, TICKS, VITALS, StreamSpec
from neopain.domain.media import AudioChunk, FaceFrame, MovementSample
from neopain.domain.score import Score
from neopain.domain.vitals import VitalSample, VitalsBatch
from neopain.domain.window import CLIP_SPAN, CRY_SPAN, VITALS_SPAN, Tick
from neopain.errors import BusUnavailable, InferenceUnavailable
from neopain.features.baseline import BACK, baseline_of, newest_pressure
from neopain.ingest.media.publishing import publish_audio, publish_frame, publish_movement
from neopain.ingest.stream.recording import RecordedFile, Recording
from neopain.ingest.stream.timeline import Fact
from neopain.wire.score import decode_score, encode_tick
from neopain.wire.vitals import encode_baseline, encode_batch

MOST_IN_FLIGHT = 2
"""So many windows wait for their score at once; at a low rate none gets old."""
PATIENCE_SECONDS = 30.0
LOOK_EVERY_SECONDS = 0.02
MARGIN = timedelta(seconds=2)
SLOW_SPAN = timedelta(minutes=15)
"""Slow values are held; they are small and stay this long."""
BASELINE_EVERY_SECONDS = 60
IDLE_SECONDS = 120
"""Where a recording has nothing for longer than this, its windows are left out until it goes on."""

KEPT = {
    FRAMES: CLIP_SPAN + MARGIN,
    AUDIO: CRY_SPAN + MARGIN,
    MOVEMENT: VITALS_SPAN + MARGIN,
    VITALS: SLOW_SPAN,
}
"""How far before a window's end its streams are read."""


@dataclass(frozen=True, slots=True)
class TimedScore:
    """What became of the window that ends so many seconds after the recording's start."""

    seconds: int
    score: Score


@dataclass(frozen=True, slots=True)
class RecordingReport:
    """A recording's scores in the order of time. ``notes`` say in words what of the files could not be used."""

    started: datetime
    files: tuple[RecordedFile, ...]
    scores: tuple[TimedScore, ...]
    notes: tuple[str, ...]


async def score_recording(
    bus: Bus,
    recording: Recording,
    *,
    on_score: Callable[[TimedScore], object] = lambda _: None,
    go_on: Callable[[], object] = lambda: None,
) -> RecordingReport:
    """Sends the recording through the line as fast as it is scored; closes it; leaves nothing of it on the streams.

    One window a second, from the first second to the end of the longest file. ``on_score`` hears of each as it comes.
    ``go_on`` is asked several times a second, also while no score comes; what it raises ends the scoring. Raises
    ``InferenceUnavailable`` when no score comes for 30 s, and ``BusUnavailable``.
    """
    try:
        return await _Replay(bus, recording, on_score, go_on).run()
    finally:
        recording.close()
        with contextlib.suppress(BusUnavailable):
            await bus.drop_bed(recording.bed)


@dataclass(slots=True)
class _Kept:
    """The entries of one stream that are still there, oldest first."""

    entries: deque[tuple[float, str]] = field(default_factory=deque)


class _Replay:
    def __init__(
        self, bus: Bus, recording: Recording, on_score: Callable[[TimedScore], object], go_on: Callable[[], object]
    ) -> None:
        self.bus = bus
        self.recording = recording
        self.on_score = on_score
        self.go_on = go_on
        self.scores: list[TimedScore] = []
        self.waiting: dict[datetime, int] = {}
        self.kept = {stream: _Kept() for stream in KEPT}
        self.samples: deque[VitalSample] = deque()
        self.pressure: VitalSample | None = None
        """The newest one of the last hour."""
        self.after = "-"

    async def run(self) -> RecordingReport:
        newest = await self.bus.read_last(SCORES)
        self.after = f"({newest.id}" if newest else "-"
        second = 1
        while await self._read(second) or second <= self.recording.whole_seconds:
            await self._tick(second)
            await self._collect(most_left=MOST_IN_FLIGHT - 1)
            await self._drop(second + 1)
            second = self._following(second)
        await self._collect(most_left=0)
        scores = tuple(sorted(self.scores, key=lambda timed: timed.seconds))
        return RecordingReport(self.recording.timeline.start, self.recording.files, scores, tuple(self.recording.notes))

    async def _read(self, second: int) -> bool:
        """Puts the next second's items on their streams; returns whether more follow."""
        for item in await asyncio.to_thread(self.recording.until, second):
            stream, entry_id = await self._publish(item.fact)
            self.kept[stream].entries.append((item.seconds, entry_id))
            if isinstance(item.fact, VitalsBatch):
                self.samples.extend(item.fact.samples)
        if second % BASELINE_EVERY_SECONDS == 0:
            await self._publish_baseline(self.recording.timeline.at(second))
        return self.recording.next_seconds is not None

    async def _publish_baseline(self, now: datetime) -> None:
        """What ingest publishes once a minute for a live bed, by the recording's own clock."""
        self.pressure = newest_pressure([*self.samples, *([self.pressure] if self.pressure else [])], now)
        while self.samples and self.samples[0].timing.aligned < now - BACK:
            self.samples.popleft()
        baseline = baseline_of(self.recording.bed, self.samples, now)
        if baseline is not None:
            payload = encode_baseline(replace(baseline, pressure=self.pressure))
            await self.bus.publish(BASELINE, payload, bed=self.recording.bed)

    async def _publish(self, fact: Fact) -> tuple[StreamSpec, str]:
        match fact:
            case FaceFrame():
                return FRAMES, await publish_frame(self.bus, fact)
            case AudioChunk():
                return AUDIO, await publish_audio(self.bus, fact)
            case MovementSample():
                return MOVEMENT, await publish_movement(self.bus, fact)
            case VitalsBatch():
                return VITALS, await self.bus.publish(VITALS, encode_batch(fact), bed=fact.bed)
            case _:
                assert_never(fact)

    async def _tick(self, second: int) -> None:
        bed, end = self.recording.bed, self.recording.timeline.at(second)
        tick = Tick(bed, end, closed=datetime.now(UTC), last_ids=await self.bus.last_ids(bed))
        self.waiting[end] = second
        await self.bus.publish_once(TICKS, encode_tick(tick), mark=f"{bed}|{end.isoformat()}")

    async def _collect(self, *, most_left: int) -> None:
        heard = time.monotonic()
        while len(self.waiting) > most_left:
            self.go_on()
            if await self._take_scores():
                heard = time.monotonic()
            elif time.monotonic() - heard > PATIENCE_SECONDS:
                late = min(self.waiting.values())
                raise InferenceUnavailable(
                    f"no score for the window at {late} s within {PATIENCE_SECONDS:g} s; is a scoring worker running?"
                )
            else:
                await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def _take_scores(self) -> bool:
        entries = await self.bus.read_range(SCORES, first=self.after, count=500)
        before = len(self.waiting)
        for entry in entries:
            self.after = f"({entry.id}"
            score = decode_score(entry.payload)
            if score.bed == self.recording.bed and score.window_end in self.waiting:
                timed = TimedScore(self.waiting.pop(score.window_end), score)
                self.scores.append(timed)
                self.on_score(timed)
        return len(self.waiting) < before

    async def _drop(self, next_second: int) -> None:
        """Removes what neither a waiting window nor a later one reads."""
        oldest = min([next_second, *self.waiting.values()])
        for stream, span in KEPT.items():
            entries, limit = self.kept[stream].entries, oldest - span.total_seconds()
            is_old = bool(entries) and entries[0][0] < limit
            while len(entries) > 1 and entries[0][0] < limit:
                entries.popleft()
            if is_old:
                await self.bus.drop_before(stream, entries[0][1], bed=self.recording.bed)

    def _following(self, second: int) -> int:
        """The next second that has a window: the next one, or where the recording goes on after a long silence."""
        coming = self.recording.next_seconds
        if coming is not None and coming > second + IDLE_SECONDS and second >= self.recording.whole_seconds:
            return int(coming)
        return second + 1
