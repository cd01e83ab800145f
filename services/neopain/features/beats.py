"""Heart beats in an ECG or a pleth: when they were, and the intervals between them; pure.

The energy of the slope in the band of a newborn's QRS, smoothed over its length; a beat is a maximum of it that stands
out from the maxima around it, after Pan and Tompkins (IEEE Trans Biomed Eng 1985;32:230). What is noise has no such
maxima: of it nothing is said. Of a pleth the upstrokes are looked at in the same way: where the volume rises fastest is
the beat, since a pulse has no sharp top.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neopain.domain.vitals import PLAUSIBLE, Validity, VitalKind, is_plausible
from neopain.domain.waveform import WaveKind
from neopain.features.hrv import good_beats
from neopain.features.smoothing import Numbers, averaged, filled

STRETCH_SECONDS, MARGIN_SECONDS = 30.0, 2.0
"""An ECG is looked at in stretches, each with a margin of its neighbours, so that a day of it needs no more memory."""
REFRACTORY_SECONDS = PLAUSIBLE[VitalKind.RR_INTERVAL].low / 1000 * 0.85
SLOW_BEAT_SECONDS = PLAUSIBLE[VitalKind.RR_INTERVAL].high / 2000
"""Within this on both sides of any moment there is a beat of even the slowest heart."""
THRESHOLD = 0.3
"""Share of the usual height around it that a beat has at least."""
AROUND_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class BeatShape:
    """What a beat is in one kind of waveform.

    ``slowest_hz``: at a lower rate it is a handful of samples. Moving averages over ``fine_seconds`` and
    ``coarse_seconds`` differ by its band; it is ``length_seconds`` long. Its energy stands out from the median of all
    by ``least_contrast``; that of noise in an ECG by about 2. ``rises``: only what rises is looked at.
    ``least_good_share``: with fewer intervals that fit those around them it is taken for a movement and no pulse.
    """

    slowest_hz: float
    fine_seconds: float
    coarse_seconds: float
    length_seconds: float
    least_contrast: float
    rises: bool = False
    least_good_share: float = 0.0


SHAPES = {
    # A QRS of 40 to 60 ms, 5 to 30 Hz.
    WaveKind.ECG: BeatShape(
        slowest_hz=100.0, fine_seconds=0.016, coarse_seconds=0.1, length_seconds=0.08, least_contrast=6.0
    ),
    # An upstroke of about 100 ms. Its contrast is less sharp than that of a QRS: a hand that moves has as much.
    WaveKind.PLETH: BeatShape(
        slowest_hz=50.0,
        fine_seconds=0.06,
        coarse_seconds=0.8,
        length_seconds=0.1,
        least_contrast=4.0,
        rises=True,
        least_good_share=0.8,
    ),
}


@dataclass(frozen=True, slots=True)
class BeatInterval:
    """The time from one beat to the next: when the later one was, and how far it may be believed."""

    seconds: float
    interval_ms: float
    validity: Validity


@dataclass(frozen=True, slots=True)
class Beats:
    """The beats of one channel, in seconds from its first sample; ``is_interrupted`` where the stretch since the beat
    before had missing samples. ``contrast`` is how clearly they stand out, 0 without any."""

    seconds: Numbers
    is_interrupted: npt.NDArray[np.bool_]
    contrast: float


Samples = Callable[[int, int], Numbers]
"""The values of the channel from one sample's number up to before another's, NaN where missing."""


def find_beats(read: Samples, count: int, rate_hz: float, kind: WaveKind = WaveKind.ECG) -> Beats:
    """The beats of a channel of ``count`` samples; none at a rate that is too slow for a newborn's beat."""
    shape = SHAPES[kind]
    if rate_hz < shape.slowest_hz:
        return Beats(np.zeros(0), np.zeros(0, np.bool_), 0.0)
    found, contrasts, missing = [], [], []
    step, margin = int(STRETCH_SECONDS * rate_hz), int(MARGIN_SECONDS * rate_hz)
    for begin in range(0, count, step):
        first, last = max(begin - margin, 0), min(begin + step + margin, count)
        values = read(first, last)
        lost = np.flatnonzero(~np.isfinite(values))
        missing.append((first + lost) / rate_hz)
        seconds, contrast = _beats_of(values, rate_hz, shape)
        seconds = seconds + first / rate_hz
        found.append(seconds[(seconds >= begin / rate_hz) & (seconds < (begin + step) / rate_hz)])
        contrasts += [contrast] if contrast else []
    beats = np.unique(np.concatenate(found)) if found else np.zeros(0)
    beats = beats[np.diff(beats, prepend=-np.inf) >= REFRACTORY_SECONDS]
    lost_seconds = np.unique(np.concatenate(missing)) if missing else np.zeros(0)
    return Beats(beats, interrupted(beats, lost_seconds), float(np.median(contrasts)) if contrasts else 0.0)


def interrupted(beats: Numbers, lost: Numbers) -> npt.NDArray[np.bool_]:
    """Of each beat, whether one of the missing samples lies between it and the beat before; all in seconds, sorted."""
    return np.diff(np.searchsorted(lost, beats), prepend=0) > 0


def intervals_of(beats: Beats) -> list[BeatInterval]:
    """An interval for each beat but the first. One across missing samples, or that no newborn has, is invalid; one that
    does not fit those around it, questionable."""
    intervals = np.diff(beats.seconds) * 1000
    is_broken = beats.is_interrupted[1:]
    good = good_beats(np.where(is_broken, np.nan, intervals))
    return [
        BeatInterval(float(seconds), float(interval), _validity(float(interval), bool(is_good), bool(broken)))
        for seconds, interval, is_good, broken in zip(beats.seconds[1:], intervals, good, is_broken, strict=True)
    ]


def _validity(interval_ms: float, is_good: bool, is_broken: bool) -> Validity:
    if is_broken or not is_plausible(VitalKind.RR_INTERVAL, interval_ms):
        return Validity.INVALID
    return Validity.GOOD if is_good else Validity.QUESTIONABLE


def _beats_of(values: Numbers, rate_hz: float, shape: BeatShape) -> tuple[Numbers, float]:
    """The beats of one stretch, in seconds from its first sample, and their contrast; none where nothing stands out."""
    whole = filled(values)
    band = averaged(whole, shape.fine_seconds * rate_hz) - averaged(whole, shape.coarse_seconds * rate_hz)
    slope = _slope(band)
    if shape.rises:
        band = slope = np.maximum(averaged(slope, shape.fine_seconds * rate_hz), 0.0)
    energy = averaged(slope**2, shape.length_seconds * rate_hz)
    maxima = _maxima(energy, REFRACTORY_SECONDS * rate_hz)
    background = float(np.median(energy)) if energy.size else 0.0
    if maxima.size < 2 or float(np.median(energy[maxima])) <= 0:
        return np.zeros(0), 0.0
    heights = energy[maxima]
    tallest = np.array([heights[np.abs(maxima - at) <= SLOW_BEAT_SECONDS * rate_hz].max() for at in maxima])
    usual = np.array([np.median(tallest[np.abs(maxima - at) <= AROUND_SECONDS * rate_hz]) for at in maxima])
    beats = maxima[(heights >= THRESHOLD * usual) & np.isfinite(values[maxima])]
    contrast = float(np.median(energy[beats])) / max(background, 1e-12 * float(heights.max())) if beats.size else 0.0
    if contrast < shape.least_contrast or _good_share(beats, rate_hz) < shape.least_good_share:
        return np.zeros(0), 0.0
    reach = max(int(shape.length_seconds * rate_hz), 1)
    return np.array([_summit(band, int(at), reach) for at in beats]) / rate_hz, contrast


def _good_share(beats: npt.NDArray[np.intp], rate_hz: float) -> float:
    intervals = np.diff(beats) / rate_hz * 1000
    return float(good_beats(intervals).mean()) if intervals.size else 0.0


def _summit(band: Numbers, at: int, reach: int) -> float:
    """Where the peak lies within so many samples of the maximum of the energy, between samples: a parabola's top."""
    first = max(at - reach, 0)
    top = first + int(np.argmax(np.abs(band[first : at + reach + 1])))
    if not 0 < top < band.size - 1:
        return float(top)
    before, here, after = np.abs(band[top - 1 : top + 2])
    bend = before - 2 * here + after
    return top + (float(0.5 * (before - after) / bend) if bend < 0 else 0.0)


def _maxima(energy: Numbers, reach: float) -> npt.NDArray[np.intp]:
    """The places that are the highest within ``reach`` samples on both sides, in their order."""
    chosen: list[int] = []
    tops = np.flatnonzero((energy[1:-1] >= energy[:-2]) & (energy[1:-1] > energy[2:])) + 1
    for top in tops:
        if chosen and top - chosen[-1] < reach:
            if energy[top] > energy[chosen[-1]]:
                chosen[-1] = int(top)
        else:
            chosen.append(int(top))
    return np.array(chosen, np.intp)


def _slope(values: Numbers) -> Numbers:
    return np.gradient(values) if values.size > 1 else np.zeros_like(values)
