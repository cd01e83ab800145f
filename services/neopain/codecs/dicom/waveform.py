"""Waveforms: multiplex groups of channels, each with its sensitivity and unit (PS3.3 C.10.9 and C.10.10)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from neopain.codecs.dicom import g711
from neopain.errors import MalformedMessage

TAGS = ("WaveformSequence",)

Numbers = npt.NDArray[np.float64]

SAMPLES: dict[tuple[int, str], str] = {
    (8, "SB"): "<i1",
    (8, "UB"): "<u1",
    (8, "MB"): "<u1",
    (8, "AB"): "<u1",
    (16, "SS"): "<i2",
    (16, "US"): "<u2",
    (32, "SL"): "<i4",
    (32, "UL"): "<u4",
    (64, "SV"): "<i8",
    (64, "UV"): "<u8",
}
"""WaveformBitsAllocated and WaveformSampleInterpretation by what one sample is in memory."""

FASTEST_HZ = 1_000_000.0


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept: value, coding scheme, meaning (PS3.3 table 8.8-1)."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel. A sample's value is (sample x sensitivity + baseline) in ``unit``; without a unit it is a number of
    unknown meaning. ``skew_seconds`` is how much later than the group's clock it was sampled."""

    label: str
    source: Code | None
    unit: Code | None
    sensitivity: float = 1.0
    baseline: float = 0.0
    skew_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class MultiplexGroup:
    """Channels that were sampled together. ``offset_seconds`` is how long after the acquisition time they begin."""

    rate_hz: float
    samples: int
    offset_seconds: float
    bits: int
    interpretation: str
    padding: int | None
    channels: tuple[Channel, ...]
    data: bytes

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.samples / self.rate_hz

    def raw(self, first: int = 0, last: int | None = None) -> npt.NDArray[np.generic]:
        """The samples from number ``first`` up to before ``last`` as they are stored, [samples, channels]."""
        everything = np.frombuffer(
            self.data, SAMPLES[self.bits, self.interpretation], self.samples * len(self.channels)
        )
        return everything.reshape(self.samples, len(self.channels))[first:last]

    def values(self, channel: int, first: int = 0, last: int | None = None) -> Numbers:
        """The channel's values in its unit, float64; NaN where the sample is padding."""
        raw, one = self.raw(first, last)[:, channel], self.channels[channel]
        values = g711.expand(raw, self.interpretation) * one.sensitivity + one.baseline
        return self._without_padding(raw, values)

    def sound(self, first: int = 0, last: int | None = None) -> npt.NDArray[np.float32]:
        """The mean of all channels as sound, float32, -1 to 1 of full scale; NaN where a sample is padding."""
        raw = self.raw(first, last)
        amplitudes = g711.amplitude(raw, self.interpretation, self.bits)
        return np.asarray(self._without_padding(raw, amplitudes).mean(axis=1), np.float32)

    def _without_padding(self, raw: npt.NDArray[np.generic], values: Numbers) -> Numbers:
        return values if self.padding is None else np.where(raw == self.padding, np.nan, values)


def read_groups(dataset: Dataset) -> tuple[MultiplexGroup, ...]:
    """The multiplex groups of an object; ``MalformedMessage`` names the item and attribute that break a rule."""
    items: Sequence[Dataset] = dataset.get("WaveformSequence") or ()
    if not items:
        raise MalformedMessage("WaveformSequence", "is missing or empty")
    return tuple(_group(item, f"WaveformSequence[{number}]") for number, item in enumerate(items, start=1))


def _group(item: Dataset, place: str) -> MultiplexGroup:
    bits, interpretation = _whole(item, "WaveformBitsAllocated", place), str(item.get("WaveformSampleInterpretation"))
    if (bits, interpretation) not in SAMPLES:
        raise MalformedMessage(f"{place}.WaveformSampleInterpretation", f"{interpretation} of {bits} bits is not known")
    rate_hz = _number(item, "SamplingFrequency", place)
    if not 0 < rate_hz <= FASTEST_HZ:
        raise MalformedMessage(f"{place}.SamplingFrequency", f"{rate_hz:g} Hz, expected above 0 to {FASTEST_HZ:g}")
    channels = _channels(item, place, rate_hz)
    samples = _whole(item, "NumberOfWaveformSamples", place)
    data = item.get("WaveformData")
    needed = samples * len(channels) * bits // 8
    if not isinstance(data, bytes) or len(data) < needed:
        there = len(data) if isinstance(data, bytes) else 0
        raise MalformedMessage(f"{place}.WaveformData", f"{there} bytes, expected {needed}")
    return MultiplexGroup(
        rate_hz=rate_hz,
        samples=samples,
        offset_seconds=_number(item, "MultiplexGroupTimeOffset", place, default=0.0) / 1000,
        bits=bits,
        interpretation=interpretation,
        padding=_padding(item, SAMPLES[bits, interpretation]),
        channels=channels,
        data=data,
    )


def _channels(item: Dataset, place: str, rate_hz: float) -> tuple[Channel, ...]:
    count = _whole(item, "NumberOfWaveformChannels", place)
    definitions: Sequence[Dataset] = item.get("ChannelDefinitionSequence") or ()
    if len(definitions) != count:
        rule = f"describes {len(definitions)} channels, NumberOfWaveformChannels says {count}"
        raise MalformedMessage(f"{place}.ChannelDefinitionSequence", rule)
    return tuple(
        _channel(one, f"{place}.ChannelDefinitionSequence[{number}]", rate_hz)
        for number, one in enumerate(definitions, start=1)
    )


def _channel(item: Dataset, place: str, rate_hz: float) -> Channel:
    sensitivity = _number(item, "ChannelSensitivity", place, default=1.0)
    correction = _number(item, "ChannelSensitivityCorrectionFactor", place, default=1.0)
    # A channel gives its skew in seconds or in samples (PS3.3 C.10.9.1.4.4).
    skew = _number(item, "ChannelTimeSkew", place, default=0.0)
    skew_samples = _number(item, "ChannelSampleSkew", place, default=0.0)
    return Channel(
        label=str(item.get("ChannelLabel") or "").strip(),
        source=_code(item, "ChannelSourceSequence"),
        unit=_code(item, "ChannelSensitivityUnitsSequence"),
        sensitivity=sensitivity * correction,
        baseline=_number(item, "ChannelBaseline", place, default=0.0),
        skew_seconds=skew or skew_samples / rate_hz,
    )


def _code(item: Dataset, keyword: str) -> Code | None:
    found: Sequence[Dataset] = item.get(keyword) or ()
    if not found:
        return None
    first = found[0]
    value = first.get("CodeValue") or first.get("LongCodeValue") or first.get("URNCodeValue") or ""
    return Code(str(value), str(first.get("CodingSchemeDesignator") or ""), str(first.get("CodeMeaning") or ""))


def _padding(item: Dataset, kind: str) -> int | None:
    value = item.get("WaveformPaddingValue")
    if isinstance(value, int):
        return value
    size = np.dtype(kind).itemsize
    if not isinstance(value, bytes) or len(value) < size:
        return None
    return int(np.frombuffer(value[:size], kind)[0])


def _whole(item: Dataset, keyword: str, place: str) -> int:
    number = _number(item, keyword, place)
    if number < 1 or number != int(number):
        raise MalformedMessage(f"{place}.{keyword}", f"{number:g}, expected a whole number from 1 on")
    return int(number)


def _number(item: Dataset, keyword: str, place: str, *, default: float | None = None) -> float:
    value = item.get(keyword)
    if value is None or value == "":
        if default is None:
            raise MalformedMessage(f"{place}.{keyword}", "is missing")
        return default
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise MalformedMessage(f"{place}.{keyword}", "is not one number") from error
    if not math.isfinite(number):
        raise MalformedMessage(f"{place}.{keyword}", "is not finite")
    return number
