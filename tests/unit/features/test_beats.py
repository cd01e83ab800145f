"""Beats in an ECG and a pleth of known beats, with drift and noise; and beside another detector, that of wfdb."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from neopain.domain.vitals import Validity
from neopain.domain.waveform import WaveKind
from neopain.features.beats import Beats, find_beats, intervals_of

Numbers = npt.NDArray[np.float64]


def ecg(beats: Numbers, *, seconds: float, rate_hz: float = 250.0, noise: float = 0.02, seed: int = 1) -> Numbers:
    """An R wave of 1 mV and 20 ms between a Q and an S, a T wave of 0.15 mV, a baseline that wanders by 0.5 mV."""
    times = np.arange(int(seconds * rate_hz)) / rate_hz
    values = 0.5 * np.sin(2 * np.pi * 0.3 * times) + noise * np.random.default_rng(seed).standard_normal(times.size)
    for beat in beats:
        for height, width, after in ((1.0, 0.008, 0.0), (-0.2, 0.008, -0.02), (-0.25, 0.008, 0.02), (0.15, 0.03, 0.14)):
            values += height * np.exp(-0.5 * ((times - beat - after) / width) ** 2)
    return values


def found(values: Numbers, rate_hz: float = 250.0, kind: WaveKind = WaveKind.ECG) -> Beats:
    return find_beats(lambda first, last: values[first:last], values.size, rate_hz, kind)


def pleth(beats: Numbers, *, seconds: float, rate_hz: float, noise: float = 0.01) -> Numbers:
    """A pulse of 1 that is at its height 120 ms after the beat, with a notch, on a baseline that wanders by 0.25."""
    times = np.arange(int(seconds * rate_hz)) / rate_hz
    values = 0.25 * np.sin(2 * np.pi * 0.7 * times) + noise * np.random.default_rng(1).standard_normal(times.size)
    for beat, length in zip(beats, np.diff(beats, append=2 * beats[-1] - beats[-2]), strict=True):
        values += np.exp(-0.5 * ((times - beat - 0.12) / 0.055) ** 2)
        values += 0.35 * np.exp(-0.5 * ((times - beat - 0.12 - 0.42 * length) / 0.06) ** 2)
    return values


@pytest.mark.parametrize("interval", [0.26, 0.4, 0.6, 1.1])
@pytest.mark.parametrize("rate_hz", [125.0, 250.0, 500.0])
def test_every_beat_is_found_at_its_time(interval: float, rate_hz: float) -> None:
    beats = np.arange(0.5, 19.5, interval)
    seconds = found(ecg(beats, seconds=20, rate_hz=rate_hz), rate_hz).seconds
    assert seconds == pytest.approx(beats, abs=0.006)


def test_beats_that_vary_are_followed_across_stretches() -> None:
    generator = np.random.default_rng(3)
    beats = 0.5 + np.cumsum(0.42 + 0.02 * generator.standard_normal(210))
    intervals = intervals_of(found(ecg(beats, seconds=float(beats[-1]) + 1)))
    assert len(intervals) == 209
    assert [one.interval_ms for one in intervals] == pytest.approx((np.diff(beats) * 1000).tolist(), abs=8)
    assert sum(one.validity is Validity.GOOD for one in intervals) >= 205


def test_an_inverted_lead_has_the_same_beats() -> None:
    beats = np.arange(0.5, 9.5, 0.4)
    assert found(-ecg(beats, seconds=10)).seconds == pytest.approx(beats, abs=0.006)


@pytest.mark.parametrize("seed", range(5))
def test_noise_has_no_beats(seed: int) -> None:
    noise = np.random.default_rng(seed).standard_normal(7500)
    assert found(noise).seconds.size == 0


def test_a_flat_line_a_hum_and_nothing_have_no_beats() -> None:
    times = np.arange(2500) / 250
    assert found(np.zeros(2500)).seconds.size == 0
    assert found(np.sin(2 * np.pi * 50 * times)).seconds.size == 0
    assert found(np.zeros(0)).seconds.size == 0
    assert found(np.full(2500, np.nan)).seconds.size == 0


def test_an_interval_across_missing_samples_is_invalid() -> None:
    beats = np.arange(0.5, 19.5, 0.5)
    values = ecg(beats, seconds=20)
    values[int(10.1 * 250) : int(10.4 * 250)] = np.nan
    intervals = intervals_of(found(values))
    assert [round(one.seconds, 1) for one in intervals if one.validity is Validity.INVALID] == [10.5]
    assert sum(one.validity is Validity.GOOD for one in intervals) == 36


def test_a_missed_beat_is_questionable() -> None:
    beats = np.delete(np.arange(0.5, 19.5, 0.5), 20)
    doubtful = [one for one in intervals_of(found(ecg(beats, seconds=20))) if one.validity is Validity.QUESTIONABLE]
    assert [round(one.interval_ms, -1) for one in doubtful] == [1000.0]


def test_an_ecg_that_is_sampled_too_slowly_says_nothing() -> None:
    assert found(ecg(np.arange(0.5, 9.5, 0.5), seconds=10, rate_hz=60.0), 60.0).seconds.size == 0


@pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame")
@pytest.mark.parametrize("bpm", [110, 160])
def test_another_detector_finds_the_same_beats(bpm: int) -> None:
    from wfdb import processing

    beats = 0.5 + np.cumsum(60 / bpm + 0.01 * np.random.default_rng(bpm).standard_normal(bpm // 3))
    values = ecg(beats, seconds=21)
    detector: Any = processing.XQRS(sig=values, fs=250, conf=processing.XQRS.Conf(hr_init=140, hr_max=260))
    detector.detect(verbose=False)
    theirs = np.asarray(detector.qrs_inds) / 250
    ours = found(values).seconds
    within = (ours > theirs[0] - 0.1) & (ours < theirs[-1] + 0.1)
    assert ours[within] == pytest.approx(theirs, abs=0.03)


@pytest.mark.parametrize("bpm", [80, 150, 220])
@pytest.mark.parametrize("rate_hz", [60.0, 125.0])
def test_every_pulse_of_a_pleth_is_found_where_it_rises(bpm: int, rate_hz: float) -> None:
    beats = np.arange(0.5, 19.5, 60 / bpm)
    seconds = found(pleth(beats, seconds=20, rate_hz=rate_hz), rate_hz, WaveKind.PLETH).seconds
    assert np.diff(seconds) == pytest.approx(60 / bpm, abs=0.015)
    assert seconds.size == beats.size
    assert np.median(seconds - beats) == pytest.approx(0.065, abs=0.015)


@pytest.mark.parametrize("seed", range(5))
def test_a_hand_that_moves_is_no_pulse(seed: int) -> None:
    noise = np.random.default_rng(seed).standard_normal(1080)
    assert found(noise, 60.0, WaveKind.PLETH).seconds.size == 0
    assert found(np.cumsum(noise), 60.0, WaveKind.PLETH).seconds.size == 0
