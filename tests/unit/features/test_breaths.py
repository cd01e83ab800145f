"""Breaths in waveforms of known breaths, with drift, heart beats and noise; and what is none."""

from __future__ import annotations

import numpy as np
import pytest

from neopain.features.breaths import Breaths, find_breaths, rates_of
from neopain.features.smoothing import Numbers

SECONDS = 90.0


def breathing(lengths: Numbers, *, rate_hz: float = 25.0, noise: float = 0.05, seed: int = 1) -> Numbers:
    """Breaths of those lengths in seconds: in for two fifths, out for three, of height 1; a baseline that wanders by as
    much, and the heart's beats of a tenth of it."""
    ends = np.cumsum(lengths)
    times = np.arange(int(ends[-1] * rate_hz)) / rate_hz
    number = np.searchsorted(ends, times, side="right")
    part = (times - np.concatenate([[0.0], ends])[number]) / lengths[number]
    volume = np.where(
        part < 0.4, 0.5 - 0.5 * np.cos(np.pi * part / 0.4), 0.5 + 0.5 * np.cos(np.pi * (part - 0.4) / 0.6)
    )
    wander = np.sin(2 * np.pi * 0.05 * times) + 0.1 * np.sin(2 * np.pi * 2.4 * times)
    return volume + wander + noise * np.random.default_rng(seed).standard_normal(times.size)


def found(values: Numbers, rate_hz: float = 25.0) -> Breaths:
    return find_breaths(lambda first, last: values[first:last], values.size, rate_hz)


@pytest.mark.parametrize("per_minute", [22, 40, 60, 90, 120])
@pytest.mark.parametrize("rate_hz", [12.5, 25.0, 62.5, 250.0])
def test_the_rate_is_that_of_the_breaths(per_minute: int, rate_hz: float) -> None:
    values = breathing(np.full(round(SECONDS * per_minute / 60), 60 / per_minute), rate_hz=rate_hz)
    rates = [one.per_minute for one in rates_of(found(values, rate_hz))]
    assert len(rates) >= 0.7 * SECONDS * per_minute / 60
    assert rates == pytest.approx([per_minute] * len(rates), rel=0.04)


def test_breaths_that_vary_are_followed_across_stretches_and_none_is_found_twice() -> None:
    lengths = 1.2 + 0.15 * np.random.default_rng(3).standard_normal(150)
    seconds = found(breathing(lengths)).seconds
    assert seconds.size == pytest.approx(150, abs=2)
    within = np.diff(seconds)[:140]
    assert np.median(np.abs(np.sort(within) - np.sort(lengths[1:141]))) < 0.05


@pytest.mark.parametrize("seed", range(8))
def test_noise_and_movement_have_no_breaths(seed: int) -> None:
    noise = np.random.default_rng(seed).standard_normal(2250)
    assert found(noise).seconds.size == 0
    assert found(np.cumsum(noise)).seconds.size == 0


def test_a_flat_line_a_drift_and_nothing_have_no_breaths() -> None:
    assert found(np.zeros(2250)).seconds.size == 0
    assert found(np.linspace(0, 5, 2250)).seconds.size == 0
    assert found(np.zeros(0)).seconds.size == 0
    assert found(np.full(2250, np.nan)).seconds.size == 0


def test_a_signal_that_is_sampled_too_slowly_says_nothing() -> None:
    assert found(breathing(np.full(60, 1.2), rate_hz=8.0), 8.0).seconds.size == 0


def test_a_pause_of_breath_has_no_rate_and_is_no_slow_breath() -> None:
    values = np.concatenate([breathing(np.full(40, 1.0)), np.full(12 * 25, 0.2), breathing(np.full(40, 1.0))])
    rates = rates_of(found(values))
    assert not [one for one in rates if 41.5 < one.seconds < 59.0]
    assert [one for one in rates if one.seconds > 62.0]
    assert all(55 < one.per_minute < 65 for one in rates)


def test_no_rate_is_counted_across_missing_samples() -> None:
    values = breathing(np.full(60, 1.0))
    values[30 * 25 : 31 * 25] = np.nan
    rates = rates_of(found(values))
    assert not [one for one in rates if 30.0 < one.seconds < 38.0]
    assert [one for one in rates if one.seconds > 41.0]


def test_the_clearer_of_two_signals_has_the_greater_contrast() -> None:
    lengths = np.full(60, 1.0)
    assert found(breathing(lengths, noise=0.02)).contrast > found(breathing(lengths, noise=0.1)).contrast > 0
