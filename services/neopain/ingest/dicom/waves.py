"""Waveform objects as sources: sound as it is; of an ECG or a pulse the heart beats, of breath its rate: vitals."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
import numpy.typing as npt

from neopain.codecs.dicom.breath_sources import breath_rank
from neopain.codecs.dicom.waveform import MultiplexGroup
from neopain.domain.identity import BedId, SourceId
from neopain.domain.time import recorded_timing
from neopain.domain.vitals import Processing, Validity, VitalKind, VitalSample, VitalsBatch
from neopain.domain.waveform import WaveKind
from neopain.errors import UnreadableRecording
from neopain.features.beats import BeatInterval, Beats, find_beats, intervals_of
from neopain.features.breaths import Breaths, find_breaths, rates_of
from neopain.ingest.media.sound import SoundTrack
from neopain.ingest.stream.sources import SOUND_AHEAD_SECONDS, VitalsSource
from neopain.ingest.stream.timeline import Item, Timeline

SOUND_RATES_HZ = (4_000, 192_000)
CHUNK_SECONDS = 0.25
AVERAGED_BEATS = 8
"""A heart rate is the mean of so many intervals, as a monitor's is."""
CODES = {
    WaveKind.ECG: ("dicom-ecg-rr", "dicom-ecg-heart-rate"),
    WaveKind.PLETH: ("dicom-pulse-rr", "dicom-pulse-rate"),
}
"""Of the intervals between beats, and of their rate."""
BREATH_CODE = "dicom-respiration-rate"


_Placed: TypeAlias = tuple[float, VitalsBatch]
"""A batch and its second in the recording."""


class WaveformSound:
    """The sound of a multiplex group; where samples are padding there is none."""

    def __init__(self, group: MultiplexGroup, rate_hz: int, microphone: SoundTrack, timeline: Timeline) -> None:
        self.group = group
        self.rate_hz = rate_hz
        self.microphone = microphone
        self.timeline = timeline
        self.notes: list[str] = []
        self._next = 0
        self._is_finished = False

    @property
    def next_seconds(self) -> float | None:
        """Where the next chunk lies."""
        return self._at(self._next) if self._next < self.group.samples else None

    @property
    def end_seconds(self) -> float:
        """Where what was read ends."""
        return self._at(self._next)

    def until(self, seconds: float) -> list[Item]:
        """The sound at 16 kHz up to there, and a little further."""
        chunks = []
        while (at := self.next_seconds) is not None and at <= seconds + SOUND_AHEAD_SECONDS:
            first, self._next = self._next, min(self._next + int(CHUNK_SECONDS * self.rate_hz), self.group.samples)
            for begin, frame in self._frames(first, self.group.sound(first, self._next)):
                chunks += self.microphone.take(frame, self.timeline.timing(self._at(begin)))
        if self.next_seconds is None and not self._is_finished:
            self._is_finished = True
            chunks += self.microphone.finish()
        start = self.timeline.start
        return [Item((chunk.timing.aligned - start).total_seconds(), chunk) for chunk in chunks]

    def close(self) -> None:
        """Nothing is open."""

    def _at(self, sample: int) -> float:
        return self.group.offset_seconds + sample / self.group.rate_hz

    def _frames(self, first: int, sound: npt.NDArray[np.float32]) -> Iterator[tuple[int, av.AudioFrame]]:
        """The stretches without padding."""
        is_there = np.isfinite(sound)
        borders = [0, *(np.flatnonzero(np.diff(is_there)) + 1).tolist(), sound.size]
        for begin, end in pairwise(borders):
            if end > begin and is_there[begin]:
                frame = av.AudioFrame.from_ndarray(sound[begin:end].reshape(1, -1), format="flt", layout="mono")
                frame.sample_rate = self.rate_hz
                yield first + begin, frame


def sound_rate_hz(group: MultiplexGroup, path: Path) -> int:
    """The group's rate as a whole number; ``UnreadableRecording`` when it is none that sound has."""
    low, high = SOUND_RATES_HZ
    if group.rate_hz != int(group.rate_hz) or not low <= group.rate_hz <= high:
        raise UnreadableRecording(f"{path}: sound at {group.rate_hz:g} Hz, expected a whole number, {low} to {high}")
    return int(group.rate_hz)


def beat_vitals(
    groups: Sequence[MultiplexGroup], kind: WaveKind, bed: BedId, source: SourceId, timeline: Timeline
) -> tuple[VitalsSource, list[str]]:
    """RR intervals and heart rate of the clearest channel of each group, and notes on which that is.

    Where no channel has beats that stand out there are no values, and a note says so.
    """
    batches, notes = [], []
    end, channel = 0.0, "lead" if kind is WaveKind.ECG else "channel"
    for number, group in enumerate(groups, start=1):
        place, beats = _clearest(group, kind)
        label = group.channels[place].label or f"number {place + 1}"
        if beats.seconds.size < 2:
            notes.append(f"group {number}: no heart beats stand out in any {channel}")
        else:
            notes.append(f"group {number}: heart beats were found in {channel} {label}")
        shift = group.offset_seconds + group.channels[place].skew_seconds
        batches += _batches(intervals_of(beats), bed, source, timeline, shift=shift, codes=CODES[kind])
        end = max(end, group.offset_seconds + group.seconds)
    return _to_the_end(batches, end), notes


def breath_vitals(
    groups: Sequence[MultiplexGroup], bed: BedId, source: SourceId, timeline: Timeline
) -> tuple[VitalsSource, list[str]]:
    """The respiratory rate by the clearest channel of each group, and notes on which that is.

    Where no channel has breaths that stand out there are no values, and a note says so.
    """
    batches: list[_Placed] = []
    notes, end = [], 0.0
    for number, group in enumerate(groups, start=1):
        place, breaths = _clearest_breaths(group)
        label = group.channels[place].label or f"number {place + 1}"
        if breaths.seconds.size < 2:
            notes.append(f"group {number}: no breaths stand out in any channel")
        else:
            notes.append(f"group {number}: breaths were found in channel {label}")
        batches += _rates(_Channel(number, group, place), breaths, bed, source, timeline)
        end = max(end, group.offset_seconds + group.seconds)
    return _to_the_end(batches, end), notes


def breath_vitals_by_source(
    groups: Sequence[MultiplexGroup], bed: BedId, source: SourceId, timeline: Timeline
) -> tuple[VitalsSource, list[str]]:
    """The respiratory rate by the channel whose source shows breaths best (``breath_rank``), of several the clearest;
    by another group's only where the two do not overlap. A note says which channel that is, or why there is none."""
    found = [
        (rank, find_breaths(partial(group.values, place), group.samples, group.rate_hz), _Channel(number, group, place))
        for number, group in enumerate(groups, start=1)
        for place, channel in enumerate(group.channels)
        if (rank := breath_rank(channel.source)) is not None
    ]
    clear = sorted((one for one in found if one[1].seconds.size >= 2), key=lambda one: (one[0], -one[1].contrast))
    taken: list[_Channel] = []
    batches: list[_Placed] = []
    notes = []
    for _, breaths, channel in clear:
        if not any(channel.overlaps(other) for other in taken):
            taken.append(channel)
            batches += _rates(channel, breaths, bed, source, timeline)
            notes.append(f"group {channel.number}: breaths were found in channel {channel.label}")
    if not found:
        notes.append("no channel says by its source that it shows breaths")
    elif not clear:
        notes.append("no breaths stand out in any channel whose source shows them")
    end = max(group.offset_seconds + group.seconds for group in groups)
    return _to_the_end(sorted(batches, key=lambda one: one[0]), end), notes


@dataclass(frozen=True, slots=True)
class _Channel:
    """One channel by its place in a group, and that group's number."""

    number: int
    group: MultiplexGroup
    place: int

    @property
    def label(self) -> str:
        """What it is called."""
        return self.group.channels[self.place].label or f"number {self.place + 1}"

    @property
    def shift_seconds(self) -> float:
        """When its first sample lies."""
        return self.group.offset_seconds + self.group.channels[self.place].skew_seconds

    def overlaps(self, other: _Channel) -> bool:
        """Whether the groups of both lie at the same time."""
        one, two = self.group, other.group
        return (
            one.offset_seconds < two.offset_seconds + two.seconds
            and two.offset_seconds < one.offset_seconds + one.seconds
        )


def _rates(channel: _Channel, breaths: Breaths, bed: BedId, source: SourceId, timeline: Timeline) -> Iterator[_Placed]:
    received = datetime.now(UTC)
    for one in rates_of(breaths):
        seconds = one.seconds + channel.shift_seconds
        timing = recorded_timing(received=received, source=timeline.start + timedelta(seconds=seconds))
        sample = VitalSample(VitalKind.RESPIRATION, round(one.per_minute, 1), timing, code=BREATH_CODE)
        yield seconds, VitalsBatch(bed, source, (sample,), Processing.PRODUCTION)


def _to_the_end(batches: list[_Placed], end: float) -> VitalsSource:
    """Seconds without a value are windows too: nothing is known in them, and that is said."""
    vitals = VitalsSource(batches, [], begins=0.0)
    vitals.end_seconds = max(vitals.end_seconds, end)
    return vitals


def _clearest_breaths(group: MultiplexGroup) -> tuple[int, Breaths]:
    found = [
        (place, find_breaths(partial(group.values, place), group.samples, group.rate_hz))
        for place in range(len(group.channels))
    ]
    return max(found, key=lambda one: one[1].contrast)


def _clearest(group: MultiplexGroup, kind: WaveKind) -> tuple[int, Beats]:
    found = [
        (place, find_beats(partial(group.values, place), group.samples, group.rate_hz, kind))
        for place in range(len(group.channels))
    ]
    return max(found, key=lambda one: one[1].contrast)


def _batches(
    intervals: Sequence[BeatInterval],
    bed: BedId,
    source: SourceId,
    timeline: Timeline,
    *,
    shift: float,
    codes: tuple[str, str],
) -> list[tuple[float, VitalsBatch]]:
    received = datetime.now(UTC)
    last: deque[float] = deque(maxlen=AVERAGED_BEATS)
    batches = []
    for one in intervals:
        seconds = one.seconds + shift
        timing = recorded_timing(received=received, source=timeline.start + timedelta(seconds=seconds))
        samples = [VitalSample(VitalKind.RR_INTERVAL, round(one.interval_ms, 1), timing, one.validity, codes[0])]
        if one.validity is Validity.GOOD:
            last.append(one.interval_ms)
        elif one.validity is Validity.INVALID:
            last.clear()
        if len(last) == AVERAGED_BEATS and one.validity is Validity.GOOD:
            rate = round(60_000 / (sum(last) / AVERAGED_BEATS), 1)
            samples.append(VitalSample(VitalKind.HEART_RATE, rate, timing, code=codes[1]))
        batches.append((seconds, VitalsBatch(bed, source, tuple(samples), Processing.PRODUCTION)))
    return batches
