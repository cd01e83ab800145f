"""Beats in a waveform that comes in pieces of a few seconds: none is lost or told twice at a joint; pure.

The last seconds of the channel are kept and looked at again with each piece, by the same rules as a whole recording
(``beats``). A beat is told once what follows it is long enough to know it by; what lies between two pieces that do not
join is missing, and no interval is believed across it. Intervals are counted in samples: the times of pieces, which
jitter, only say when they were.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

import numpy as np
import numpy.typing as npt

from neopain.domain.identity import PatientId
from neopain.domain.vitals import Validity
from neopain.domain.waveform import BeatTrack, WavePiece
from neopain.features.beats import REFRACTORY_SECONDS, Beats, find_beats, interrupted, intervals_of

KEPT_SECONDS = 8.0
"""So much of a channel is kept and looked at again: about what a beat is compared with on each side."""
WARM_SECONDS = 3.0
"""With less than this nothing can be compared yet."""
LAG_SECONDS = 0.5
"""A beat is told of when so much of what follows is there."""
SILENT_SECONDS = 5.0
"""A channel in which no beat was found for longer has none at present."""
TOLERANCE_SECONDS, COARSE_TOLERANCE_SECONDS = 0.05, 0.5
"""How far the start of a piece may be from where the one before ended; the second for times cut to whole seconds."""
CORRECTION = 0.05
"""Share of that difference by which the times follow the source's clock: sample clocks drift against it."""

Samples = npt.NDArray[np.float64]


class Joint(Enum):
    """How a piece goes on from what is kept. The value is the label of a metric."""

    BEGUN = "begun"
    """Nothing is kept of the channel, or nothing that belongs to it."""
    JOINED = "joined"
    GAP = "gap"
    """Samples are missing between them."""
    KNOWN = "known"
    """It has nothing that was not there before."""


@dataclass(frozen=True, slots=True)
class TimedInterval:
    """The time from one beat to the next, and when the later one was by the source's clock."""

    moment: datetime
    interval_ms: float
    validity: Validity


@dataclass(frozen=True, slots=True)
class Followed:
    """What a piece brought."""

    track: BeatTrack
    intervals: tuple[TimedInterval, ...]
    joint: Joint


def follow(track: BeatTrack | None, piece: WavePiece, patient: PatientId | None) -> Followed:
    """The intervals that a piece completes, and what is to be kept for the next one.

    A track of another channel, rate or patient counts as none.
    """
    joined, joint = _join(track, piece, patient)
    if joint is Joint.KNOWN:
        return Followed(joined, (), joint)
    beats, told, intervals = _tell(joined)
    heard = float(beats.seconds[-1]) if beats.seconds.size else joined.heard
    return Followed(_shortened(replace(joined, last_beat=told, heard=heard)), intervals, joint)


def is_silent(track: BeatTrack) -> bool:
    """Whether the channel has had no beats of late."""
    return track.seconds - (track.heard if track.heard is not None else 0.0) > SILENT_SECONDS


def _join(track: BeatTrack | None, piece: WavePiece, patient: PatientId | None) -> tuple[BeatTrack, Joint]:
    if track is None or (track.code, track.rate_hz, track.patient) != (piece.code, piece.rate_hz, patient):
        return _begun(piece, patient), Joint.BEGUN
    late = (piece.start - track.end).total_seconds()
    tolerance = COARSE_TOLERANCE_SECONDS if piece.is_coarse else TOLERANCE_SECONDS
    if abs(late) > KEPT_SECONDS:
        # A long gap, or a clock that was set: nothing before it is of use any more.
        return _begun(piece, patient), Joint.BEGUN
    if abs(late) <= tolerance:
        followed = replace(track, begun=track.begun + timedelta(seconds=CORRECTION * late))
        return _appended(followed, piece, piece.values), Joint.JOINED
    if late > 0:
        missing = np.full(round(late * piece.rate_hz), np.nan)
        return _appended(track, piece, np.concatenate([missing, piece.values])), Joint.GAP
    new = piece.values[round(-late * piece.rate_hz) :]
    return (_appended(track, piece, new), Joint.JOINED) if new.size else (track, Joint.KNOWN)


def _begun(piece: WavePiece, patient: PatientId | None) -> BeatTrack:
    empty = BeatTrack(piece.code, piece.kind, piece.rate_hz, patient, piece.start, np.zeros(0, np.float32))
    return _appended(empty, piece, piece.values)


def _appended(track: BeatTrack, piece: WavePiece, values: Samples) -> BeatTrack:
    samples = np.concatenate([track.samples, values.astype(np.float32)])
    is_doubtful = piece.validity is Validity.QUESTIONABLE
    return replace(
        track, samples=samples, doubtful_until=samples.size / track.rate_hz if is_doubtful else track.doubtful_until
    )


def _tell(track: BeatTrack) -> tuple[Beats, float | None, tuple[TimedInterval, ...]]:
    """The beats that are there, the last one told of by now, and the intervals that are new."""
    if track.seconds < WARM_SECONDS:
        return Beats(np.zeros(0), np.zeros(0, np.bool_), 0.0), track.last_beat, ()
    values = track.samples.astype(np.float64)
    beats = find_beats(lambda first, last: values[first:last], values.size, track.rate_hz, track.kind)
    last = track.last_beat
    after = -np.inf if last is None else last + REFRACTORY_SECONDS
    is_new = (beats.seconds > after) & (beats.seconds <= track.seconds - LAG_SECONDS)
    if not is_new.any():
        return beats, last, ()
    row = _row(beats.seconds, last, after)
    lost = np.flatnonzero(~np.isfinite(values)) / track.rate_hz
    told = beats.seconds[is_new]
    intervals = tuple(
        TimedInterval(
            track.begun + timedelta(seconds=one.seconds), one.interval_ms, _believed(one.validity, one.seconds, track)
        )
        for one in intervals_of(Beats(row, interrupted(row, lost), beats.contrast))
        if told[0] <= one.seconds <= told[-1]
    )
    return beats, float(told[-1]), intervals


def _row(found: Samples, last: float | None, after: float) -> Samples:
    """The beats in their order, with the one that was told of last where it was told of."""
    if last is None:
        return found
    return np.concatenate([found[found <= last - REFRACTORY_SECONDS], [last], found[found > after]])


def _believed(validity: Validity, seconds: float, track: BeatTrack) -> Validity:
    is_doubtful = track.doubtful_until is not None and seconds <= track.doubtful_until
    return Validity.QUESTIONABLE if is_doubtful and validity is Validity.GOOD else validity


def _shortened(track: BeatTrack) -> BeatTrack:
    surplus = track.samples.size - round(KEPT_SECONDS * track.rate_hz)
    if surplus <= 0:
        return track
    gone = surplus / track.rate_hz
    return replace(
        track,
        begun=track.begun + timedelta(seconds=gone),
        samples=track.samples[surplus:],
        last_beat=None if track.last_beat is None else track.last_beat - gone,
        heard=None if track.heard is None else track.heard - gone,
        doubtful_until=None if track.doubtful_until is None else track.doubtful_until - gone,
    )
