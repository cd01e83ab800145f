"""Waveforms of ORU^R01 -> the intervals between heart beats, on the bus as vitals of the bed.

Of the channels that a source sends, one at a time is listened to: an ECG lead before a pleth. The track of that channel
lies on the bus (``bus.waveforms``); nothing that a restart would lose is kept here but the clocks of the sources.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from neopain.bus.bus import Bus
from neopain.bus.census import Written
from neopain.bus.streams import VITALS
from neopain.bus.waveforms import TrackKey, read_track, write_track
from neopain.domain.identity import BedId, PatientId, SourceId
from neopain.domain.receipt import Stored
from neopain.domain.time import SkewEstimate, TimeQuality, Timing
from neopain.domain.vitals import VitalKind, VitalSample, VitalsBatch
from neopain.domain.waveform import BeatTrack, WaveKind, WavePiece
from neopain.features.beats import find_beats
from neopain.features.running_beats import SILENT_SECONDS, Followed, TimedInterval, follow, is_silent
from neopain.ingest.hl7.received import Received
from neopain.ingest.hl7.sender import Clocks
from neopain.runtime.metrics import counter
from neopain.wire.vitals import decode_batch, encode_batch

WAVEFORM_KIND = "hl7-waveform"


@dataclass(slots=True)
class WaveformIntake:
    """Follows the waveforms of every source at every bed.

    Their clocks are estimated apart from those of numerics: a waveform's time may be stamped otherwise, and arrives
    later by its length.
    """

    bus: Bus
    clocks: Clocks = field(default_factory=Clocks)

    async def store(
        self, pieces: Sequence[WavePiece], bed: BedId, patient: PatientId | None, one: Received
    ) -> list[Stored]:
        """The intervals that these pieces complete, and what the next ones need, are on disk when this returns, where
        it says; may be called again, nothing is stored twice. Raises ``BusUnavailable``."""
        whose = TrackKey(bed, waveform_source(one.source), one.header.processing)
        stored = []
        for start in sorted({piece.start for piece in pieces}):
            together = [piece for piece in pieces if piece.start == start]
            stored += await self._store_together(together, whose, patient, one)
        return stored

    async def _store_together(
        self, pieces: list[WavePiece], whose: TrackKey, patient: PatientId | None, one: Received
    ) -> list[Stored]:
        mark = one.mark(whose.bed, "waveform", pieces[0].start.isoformat())
        while True:
            kept = await read_track(self.bus, whose, mark=mark)
            if kept.is_done:
                counter("ingest_duplicates_total").inc()
                return await self._stored_before(kept.entry, whose.bed)
            # In a thread, since numerics are answered meanwhile.
            followed = await asyncio.to_thread(listen, kept.track, pieces, patient)
            if followed is None:
                return []
            samples = _samples(followed, pieces[0], one.received, self.clocks.of(whose.source, whose.bed))
            batch = VitalsBatch(
                bed=whose.bed,
                source=whose.source,
                samples=samples,
                processing=whose.processing,
                patient=patient,
                control_id=one.header.control_id,
            )
            payload = encode_batch(batch) if samples else None
            written, entry = await write_track(
                self.bus, whose, mark=mark, kept=kept, track=followed.track, batch=payload
            )
            if written is Written.DONE:
                _count(followed)
                return [_stored(batch, entry, is_new=True)] if entry else []
            # Somebody wrote in between: another message of this source, or this very one.

    async def _stored_before(self, entry_id: str, bed: BedId) -> list[Stored]:
        """Where the beats of a repeated message lie, as long as they do."""
        entries = await self.bus.read_range(VITALS, bed=bed, first=entry_id, last=entry_id) if entry_id else []
        return [_stored(decode_batch(entry.payload), entry.id, is_new=False) for entry in entries]


def waveform_source(source: SourceId) -> SourceId:
    """The source of the intervals: the monitor's name, apart from the numerics that the same monitor sends."""
    return SourceId(WAVEFORM_KIND, source.name)


def monitor_of(source: SourceId) -> SourceId:
    """The sender of the messages that a source's values came in."""
    return SourceId("hl7", source.name) if source.kind == WAVEFORM_KIND else source


def _stored(batch: VitalsBatch, entry_id: str, *, is_new: bool) -> Stored:
    aligned = [sample.timing.aligned for sample in batch.samples]
    return Stored(batch.bed, entry_id, is_new, min(aligned), max(aligned), is_waveform=True)


def listen(track: BeatTrack | None, pieces: Sequence[WavePiece], patient: PatientId | None) -> Followed | None:
    """What pieces of one moment bring, each of another channel; None where the channel that is listened to is not
    among them and still has beats."""
    own = next((piece for piece in pieces if track is not None and piece.code == track.code), None)
    if track is not None and own is None and _is_alive(track, pieces[0].start):
        return None
    if track is None or own is None or is_silent(track) or _has_better(own, pieces):
        own = min(pieces, key=_preference)
    return follow(track, own, patient)


def _is_alive(track: BeatTrack, moment: datetime) -> bool:
    return not is_silent(track) and abs((moment - track.end).total_seconds()) <= SILENT_SECONDS


def _has_better(own: WavePiece, pieces: Sequence[WavePiece]) -> bool:
    """Whether an ECG with beats came back beside the pleth that is listened to."""
    if own.kind is WaveKind.ECG:
        return False
    return any(piece.kind is WaveKind.ECG and _contrast(piece) > 0 for piece in pieces)


def _preference(piece: WavePiece) -> tuple[bool, bool, float, int]:
    contrast = _contrast(piece)
    return contrast == 0, piece.kind is not WaveKind.ECG, -contrast, piece.rank


def _contrast(piece: WavePiece) -> float:
    values = piece.values
    return find_beats(lambda first, last: values[first:last], values.size, piece.rate_hz, piece.kind).contrast


def _samples(followed: Followed, piece: WavePiece, received: datetime, skew: SkewEstimate) -> tuple[VitalSample, ...]:
    skew.observe(received=received, source=piece.end)
    return tuple(
        VitalSample(
            VitalKind.RR_INTERVAL,
            round(one.interval_ms, 1),
            _timing(one, piece, received, skew),
            one.validity,
            followed.track.code,
        )
        for one in followed.intervals
    )


def _timing(interval: TimedInterval, piece: WavePiece, received: datetime, skew: SkewEstimate) -> Timing:
    """The beat's times. Where the receive time has to stand in, it is that of the piece's end, not of every beat."""
    timing = skew.timing_of(received=received, source=interval.moment, source_text=piece.start_text)
    if timing.quality is not TimeQuality.SKEWED:
        return timing
    before_end = max(piece.end - interval.moment, timedelta(0))
    return Timing(received, received - before_end, timing.quality, interval.moment, piece.start_text)


def _count(followed: Followed) -> None:
    counter("ingest_waveforms_total").labels(followed.track.kind.value, followed.joint.value).inc()
    for one in followed.intervals:
        counter("ingest_beats_total").labels(one.validity.value).inc()
