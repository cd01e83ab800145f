"""Beats across the joints of pieces: the same ones as in the whole, each once; gaps are gaps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pytest

from neopain.domain.identity import PatientId
from neopain.domain.vitals import Validity
from neopain.domain.waveform import BeatTrack, WaveKind, WavePiece
from neopain.features.beats import find_beats
from neopain.features.running_beats import KEPT_SECONDS, Joint, TimedInterval, follow
from neopain.wire.beats import decode_track, encode_track

Numbers = npt.NDArray[np.float64]

START = datetime(2026, 7, 4, 12, tzinfo=UTC)
RATE_HZ = 125.0
SECONDS = 24
BEATS = 0.5 + np.cumsum(0.42 + 0.02 * np.random.default_rng(3).standard_normal(55))


def ecg() -> Numbers:
    times = np.arange(int(SECONDS * RATE_HZ)) / RATE_HZ
    values = 0.3 * np.sin(2 * np.pi * 0.3 * times)
    for beat in BEATS:
        for height, width, after in ((1.0, 0.012, 0.0), (0.15, 0.03, 0.14)):
            values += height * np.exp(-0.5 * ((times - beat - after) / width) ** 2)
    return values


ECG = ecg()


def pieces(sizes: Iterable[int], values: Numbers = ECG) -> list[WavePiece]:
    cut, at = [], 0
    for size in sizes:
        start = START + timedelta(seconds=at / RATE_HZ)
        cut.append(WavePiece("131330", WaveKind.ECG, RATE_HZ, values[at : at + size], "mV", start, ""))
        at += size
    return cut


def run(cut: Iterable[WavePiece]) -> list[TimedInterval]:
    track: BeatTrack | None = None
    told: list[TimedInterval] = []
    for piece in cut:
        followed = follow(track, piece, None)
        # What is kept goes over the wire between two pieces, as it does when another listener takes the next one.
        track = decode_track(encode_track(followed.track))
        told += followed.intervals
    return told


def seconds(told: Iterable[TimedInterval]) -> list[float]:
    return [(one.moment - START).total_seconds() for one in told]


@pytest.mark.parametrize("size", [31, 125, 313, 625, 1250])
def test_pieces_of_any_length_have_the_beats_of_the_whole(size: int) -> None:
    whole = find_beats(lambda first, last: ECG[first:last], ECG.size, RATE_HZ).seconds
    told = run(pieces([size] * (ECG.size // size)))
    end = size * (ECG.size // size) / RATE_HZ
    expected = whole[1:][whole[1:] <= end - 0.5]
    assert seconds(told) == pytest.approx(expected.tolist(), abs=1e-4)
    assert [one.interval_ms for one in told] == pytest.approx(
        (np.diff(whole)[: expected.size] * 1000).tolist(), abs=0.1
    )


def test_unequal_pieces_have_the_same_beats_too() -> None:
    sizes = [int(size) for size in np.random.default_rng(5).integers(20, 400, 12)]
    assert seconds(run(pieces(sizes))) == pytest.approx(
        [one for one in seconds(run(pieces([125] * SECONDS))) if one <= sum(sizes) / RATE_HZ - 0.5], abs=1e-4
    )


def test_no_interval_is_believed_across_a_lost_piece() -> None:
    cut = pieces([125] * SECONDS)
    told = run([*cut[:10], *cut[11:]])
    invalid = [one for one in told if one.validity is Validity.INVALID]
    assert [round(one, 1) for one in seconds(invalid)] == [round(float(BEATS[BEATS > 11.0][0]), 1)]
    assert not any(10.0 < one < 11.0 for one in seconds(told))


def test_a_long_silence_begins_anew_without_an_interval_across_it() -> None:
    cut = pieces([125] * SECONDS)
    last = run([*cut[:6], *cut[16:]])
    after = [one for one in last if one.moment > START + timedelta(seconds=16)]
    assert all(one.interval_ms < 700 for one in last)
    assert seconds(after)[0] == pytest.approx(BEATS[BEATS > 16.0][1], abs=0.02)


def test_samples_that_were_there_before_are_not_taken_twice() -> None:
    cut = pieces([125] * SECONDS)
    overlapping = pieces([1000, 125])[0]
    once, again = run(cut), run([*cut[:8], overlapping, *cut[8:]])
    assert seconds(again) == pytest.approx(seconds(once), abs=1e-4)
    assert follow(follow(None, overlapping, None).track, cut[3], None).joint is Joint.KNOWN


def test_times_that_jitter_do_not_change_intervals() -> None:
    shifts = np.random.default_rng(7).uniform(-0.04, 0.04, SECONDS)
    cut = [
        replace(piece, start=piece.start + timedelta(seconds=float(shift)))
        for piece, shift in zip(pieces([125] * SECONDS), shifts, strict=True)
    ]
    assert [one.interval_ms for one in run(cut)] == pytest.approx(
        [one.interval_ms for one in run(pieces([125] * SECONDS))], abs=0.01
    )


def test_times_cut_to_whole_seconds_join() -> None:
    half = pieces([62, 63] * SECONDS)
    cut = [replace(piece, start=piece.start.replace(microsecond=0), is_coarse=True) for piece in half]
    assert all(one.validity is Validity.GOOD for one in run(cut))
    assert len(run(cut)) == len(run(half))


@pytest.mark.parametrize("change", [{"code": "131329"}, {"rate_hz": 250.0}])
def test_another_channel_or_rate_begins_anew(change: dict[str, object]) -> None:
    first, second = pieces([625, 625])
    track = follow(None, first, None).track
    assert follow(track, replace(second, **change), None).joint is Joint.BEGUN  # type: ignore[arg-type]


def test_another_infant_begins_anew() -> None:
    first, second = pieces([625, 625])
    track = follow(None, first, PatientId("77")).track
    assert follow(track, second, PatientId("77")).joint is Joint.JOINED
    assert follow(track, second, PatientId("88")).joint is Joint.BEGUN


def test_what_a_device_questions_is_questionable_and_what_it_calls_invalid_is_missing() -> None:
    cut = pieces([125] * SECONDS)
    cut[12] = replace(cut[12], validity=Validity.QUESTIONABLE)
    cut[18] = replace(cut[18], values=np.full(125, np.nan), validity=Validity.INVALID)
    told = run(cut)
    doubtful = [one for one, two in zip(seconds(told), told, strict=True) if two.validity is Validity.QUESTIONABLE]
    assert all(12.0 <= one <= 13.0 for one in doubtful[1:])
    assert len(doubtful) >= 2
    assert not any(18.02 < one < 18.98 for one in seconds(told))


def test_what_is_kept_is_bounded() -> None:
    track = follow(None, pieces([ECG.size])[0], None).track
    assert track.seconds == KEPT_SECONDS
