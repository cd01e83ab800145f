"""Reading the window of a tick back from the streams, up to the ids that the tick carries.

Entries are found by their ids, which are arrival times, and nothing arrives before it is measured: so a read begins at
the oldest aligned time that the window may need, less a slack for clocks that differ between machines. A recording's
aligned times say nothing of its arrival: all that is kept of it is read. ``features`` filters by aligned time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import NamedTuple, TypeVar

from neopain.bus.bus import Bus, id_at
from neopain.bus.census import read_bed
from neopain.bus.drugs import read_drugs
from neopain.bus.streams import AUDIO, BASELINE, FRAMES, MOVEMENT, VITALS, StreamSpec
from neopain.domain.census import BedState
from neopain.domain.drugs import DrugMark, counting_for, marks
from neopain.domain.identity import is_recording
from neopain.domain.media import AudioChunk, FaceFrame, MovementSample
from neopain.domain.vitals import VitalKind, VitalsBatch
from neopain.domain.window import CRY_SPAN, VITALS_SPAN, Tick
from neopain.features.clip import CLIP_LOOKBACK
from neopain.features.context import BASELINE_LIFE
from neopain.features.vitals_grid import HOLD_INTERVALS, VITALS_LOOKBACK
from neopain.features.window import WindowItems, since_arrival
from neopain.wire.media import decode_audio, decode_frame, decode_movement
from neopain.wire.vitals import decode_baseline, decode_batch

T = TypeVar("T")

SLACK = timedelta(seconds=5)
LONGEST_CHUNK = timedelta(seconds=1)
"""A chunk of sound lies at its end's arrival, so that one second of slack covers its length and the clocks."""
FRAME_SLACK = timedelta(seconds=0.4)
"""Frames are large: a smaller slack keeps the read at about the sixteen that are needed."""

SLOW_KINDS = (VitalKind.HEART_RATE, VitalKind.SPO2, VitalKind.RESPIRATION, VitalKind.BLOOD_PRESSURE_MEAN)


@dataclass(frozen=True, slots=True)
class Need:
    """How far back a stream is read for a window."""

    stream: StreamSpec
    back: timedelta


class Media(NamedTuple):
    """What was read of a bed's media server for a window."""

    frames: tuple[FaceFrame, ...]
    chunks: tuple[AudioChunk, ...]
    movements: tuple[MovementSample, ...]


NEAR_VITALS = Need(VITALS, VITALS_SPAN + SLACK)
NEEDED_BASELINE = Need(BASELINE, BASELINE_LIFE + SLACK)
NEEDED_FRAMES = Need(FRAMES, CLIP_LOOKBACK + FRAME_SLACK)
NEEDED_AUDIO = Need(AUDIO, CRY_SPAN + LONGEST_CHUNK)
NEEDED_MOVEMENT = Need(MOVEMENT, VITALS_SPAN + SLACK)

SELDOM = int(NEAR_VITALS.back / (SLACK / HOLD_INTERVALS))
"""A source of fewer values than this in the near read is so slow that an older one may be held into the window."""


async def read_window(bus: Bus, tick: Tick) -> WindowItems:
    """What the window of the tick is made of, of the infant that lies there now; the same tick gives the same.

    ``BusUnavailable`` when the bus does not answer; ``ContractBroken`` when an entry is not what its stream says.
    """
    vitals, baselines, media, (bed_state, drugs) = await asyncio.gather(
        _read_vitals(bus, tick),
        _read(bus, tick, NEEDED_BASELINE, decode_baseline),
        _read_media(bus, tick),
        _read_census(bus, tick),
    )
    items = WindowItems(
        end=tick.window_end,
        batches=vitals,
        baselines=baselines,
        frames=media.frames if media else (),
        chunks=media.chunks if media else (),
        movements=media.movements if media else (),
        bed_state=bed_state,
        drugs=drugs,
        is_media_away=media is None,
    )
    return since_arrival(items)


async def _read_media(bus: Bus, tick: Tick) -> Media | None:
    """None where their server is away: they are volatile, the rest of the window does not wait. A recording does."""
    if tick.is_media_away:
        return None
    if is_recording(tick.bed):
        return await _media(bus, tick)
    return await bus.ask_media(tick.bed, partial(_media, bus, tick))


async def _media(bus: Bus, tick: Tick) -> Media:
    found = await asyncio.gather(
        _read(bus, tick, NEEDED_FRAMES, decode_frame),
        _read(bus, tick, NEEDED_AUDIO, decode_audio),
        _read(bus, tick, NEEDED_MOVEMENT, decode_movement),
    )
    return Media(*found)


async def _read_census(bus: Bus, tick: Tick) -> tuple[BedState | None, tuple[DrugMark, ...]]:
    """Who lies there, and what hides its pain: in a held bed that of everybody who may lie in it."""
    state = await read_bed(bus, tick.bed)
    if state is None or state.infant is None:
        return state, ()
    facts = [counting_for(state.processing, await read_drugs(bus, [infant])) for infant in state.occupants]
    found = {mark for one in facts for mark in marks(one, tick.window_end - VITALS_SPAN, tick.window_end)}
    return state, tuple(sorted(found))


async def _read(bus: Bus, tick: Tick, need: Need, decode: Callable[[bytes], T]) -> tuple[T, ...]:
    last = tick.last_ids.get(need.stream.name)
    if last is None:
        return ()
    first = "-" if is_recording(tick.bed) else id_at(tick.window_end - need.back)
    entries = await bus.read_range(need.stream, bed=tick.bed, first=first, last=last)
    return tuple(decode(entry.payload) for entry in entries)


async def _read_vitals(bus: Bus, tick: Tick) -> tuple[VitalsBatch, ...]:
    """The batches of the window, and of the time before it those with kinds that come seldom."""
    near = await _read(bus, tick, NEAR_VITALS, decode_batch)
    last = tick.last_ids.get(VITALS.name)
    if last is None or is_recording(tick.bed):
        return near
    counts = Counter(sample.kind for batch in near for sample in batch.samples)
    slow = frozenset(kind for kind in SLOW_KINDS if counts[kind] < SELDOM)
    if not slow:
        return near
    first = id_at(tick.window_end - VITALS_LOOKBACK)
    before_near = id_at(tick.window_end - NEAR_VITALS.back - timedelta(milliseconds=1))
    older = await bus.read_range(VITALS, bed=tick.bed, first=first, last=before_near)
    return (*(decode_batch(entry.payload, kinds=slow) for entry in older), *near)
