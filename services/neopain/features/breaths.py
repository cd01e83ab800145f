"""Breaths in a respiratory waveform (impedance, flow, volume): when they were; pure.

What is slower than a breath is taken away, the rest smoothed; a breath is a rise through the middle between two swings
of about the usual height. Noise has such rises too, but as much above a breath's band as in it: of it nothing is said.
Movement that comes at the pace of breaths is not told from them, as in a monitor's own rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neopain.features.beats import Samples, interrupted
from neopain.features.smoothing import Numbers, averaged, filled

SLOWEST_HZ = 10.0
"""At a lower rate of samples a newborn's breath is a handful of them."""
FINE_SECONDS, COARSE_SECONDS = 0.12, 3.0
"""Moving averages whose difference is the band of breaths, about 20 to 150 a minute."""
STRETCH_SECONDS, MARGIN_SECONDS = 60.0, 10.0
AROUND_SECONDS = 15.0
SWING = 0.25
"""Share of the usual height that the swings on both sides of a breath's middle have at least."""
LEAST_CONTRAST = 4.0
"""What lies in the band is this many times as strong as what is faster; of white noise at 25 Hz about a third is."""
ALIKE, LEAST_ALIKE_SHARE, NEIGHBOURS = 0.3, 0.72, 4
"""So many of the intervals are that near to the median of those around them, or it is a movement and no breath. Of
breaths that vary by a quarter 82 to 90 % are (simulated), of a random walk 51 %, 68 % at the most in 19 of 20."""
SHORTEST_SECONDS = 60.0 / 150.0
"""No newborn breathes faster (``domain.vitals.PLAUSIBLE``)."""
LONGEST_SECONDS = 6.0
"""A pause that is longer is no breath's length: of the rate nothing is known in it."""
BREATHS = 8
"""A rate is that of so many breaths, as a monitor's is."""


@dataclass(frozen=True, slots=True)
class Breaths:
    """The breaths of one channel, in seconds from its first sample; ``is_interrupted`` where the time since the breath
    before had missing samples. ``contrast`` is how clearly they stand out, 0 without any."""

    seconds: Numbers
    is_interrupted: npt.NDArray[np.bool_]
    contrast: float


@dataclass(frozen=True, slots=True)
class BreathRate:
    """Breaths a minute over the last ``BREATHS``, and when the last of them was."""

    seconds: float
    per_minute: float


def find_breaths(read: Samples, count: int, rate_hz: float) -> Breaths:
    """The breaths of a channel of ``count`` samples; none at a rate that is too slow for a newborn's breath."""
    if rate_hz < SLOWEST_HZ:
        return Breaths(np.zeros(0), np.zeros(0, np.bool_), 0.0)
    found, contrasts, missing = [], [], []
    step, margin = int(STRETCH_SECONDS * rate_hz), int(MARGIN_SECONDS * rate_hz)
    for begin in range(0, count, step):
        first, last = max(begin - margin, 0), min(begin + step + margin, count)
        values = read(first, last)
        missing.append((first + np.flatnonzero(~np.isfinite(values))) / rate_hz)
        seconds, contrast = _breaths_of(values, rate_hz)
        seconds = seconds + first / rate_hz
        found.append(seconds[(seconds >= begin / rate_hz) & (seconds < (begin + step) / rate_hz)])
        contrasts += [contrast] if contrast else []
    breaths = np.concatenate(found) if found else np.zeros(0)
    breaths = breaths[np.diff(breaths, prepend=-np.inf) >= SHORTEST_SECONDS]
    lost = np.concatenate(missing) if missing else np.zeros(0)
    return Breaths(breaths, interrupted(breaths, np.unique(lost)), float(np.median(contrasts)) if contrasts else 0.0)


def rates_of(breaths: Breaths) -> list[BreathRate]:
    """A rate at each breath that follows enough others without a pause or missing samples between them."""
    spans = np.diff(breaths.seconds)
    is_broken = breaths.is_interrupted[1:] | (spans > LONGEST_SECONDS)
    rates, unbroken = [], 0
    for number, broken in enumerate(is_broken.tolist(), start=1):
        unbroken = 0 if broken else unbroken + 1
        if unbroken >= BREATHS:
            length = breaths.seconds[number] - breaths.seconds[number - BREATHS]
            rates.append(BreathRate(float(breaths.seconds[number]), float(60.0 * BREATHS / length)))
    return rates


def _breaths_of(values: Numbers, rate_hz: float) -> tuple[Numbers, float]:
    """The breaths of one stretch, in seconds from its first sample, and their contrast; none if nothing stands out."""
    whole = filled(values)
    smooth = averaged(whole, FINE_SECONDS * rate_hz)
    band = averaged(smooth - averaged(whole, COARSE_SECONDS * rate_hz), FINE_SECONDS * rate_hz)
    contrast = float(band.var()) / max(float((whole - smooth).var()), 1e-12 * float(whole.var()), 1e-30)
    if band.size < 3 or contrast < LEAST_CONTRAST:
        return np.zeros(0), 0.0
    below, above = _swings(band, rate_hz)
    rises = _rises(band, below, above)
    if _alike_share(np.diff(rises)) < LEAST_ALIKE_SHARE:
        return np.zeros(0), 0.0
    return rises[np.isfinite(values)[rises.astype(np.intp)]] / rate_hz, contrast


def _alike_share(spans: Numbers) -> float:
    """The share of intervals that fit those around them."""
    around = [np.median(spans[max(at - NEIGHBOURS, 0) : at + NEIGHBOURS + 1]) for at in range(spans.size)]
    return float((np.abs(spans - around) <= ALIKE * np.array(around)).mean()) if spans.size else 0.0


def _swings(band: Numbers, rate_hz: float) -> tuple[Numbers, Numbers]:
    """How far down and up the band must go around each sample, from the heights that are usual there."""
    reach = int(AROUND_SECONDS * rate_hz)
    places = np.arange(0, band.size, max(int(rate_hz), 1))
    usual = [np.percentile(np.abs(band[max(at - reach, 0) : at + reach]), 75) for at in places]
    height = SWING * np.interp(np.arange(band.size), places, usual)
    return -height, height


def _rises(band: Numbers, below: Numbers, above: Numbers) -> Numbers:
    """Where the band comes through zero on its way from below to above, between samples."""
    state = np.where(band > above, 1, np.where(band < below, -1, 0))
    turns = np.flatnonzero(state)
    is_rise = np.diff(state[turns]) == 2
    pairs = zip(turns[:-1][is_rise].tolist(), turns[1:][is_rise].tolist(), strict=True)
    return np.array([_zero(band, low, high) for low, high in pairs], np.float64)


def _zero(band: Numbers, low: int, high: int) -> float:
    """The last place between the two, below zero before and not after it, by a straight line."""
    last = low + int(np.flatnonzero(band[low : high + 1] < 0)[-1])
    return last - float(band[last]) / float(band[last + 1] - band[last])
