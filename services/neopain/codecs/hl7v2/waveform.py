"""Waveforms in ORU^R01: OBX of type NA with the rows that describe them (IHE PCD WCM; ISO/IEEE 11073-10101).

A waveform is one OBX whose OBX-5 holds a sample in each component, and the rows after it up to the next one: sample
rate, resolution, range, and the numbers that stand for a missing or invalid sample. Monitors differ in all of it but
the shape. Of a waveform without a rate or a start nothing is read: neither is guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

import numpy as np
import numpy.typing as npt

from neopain.codecs.hl7v2.codes import Code, VitalCodes
from neopain.codecs.hl7v2.message import Segment, text_of
from neopain.codecs.hl7v2.observation import UnknownCode, identify, unknown_code
from neopain.codecs.hl7v2.time import to_the_second
from neopain.codecs.hl7v2.validity import validity_of
from neopain.domain.vitals import Validity
from neopain.domain.waveform import WaveKind, WavePiece

RATE, RESOLUTION, RANGE, SENTINEL, INOPERABLE = "rate", "resolution", "range", "sentinel", "inoperable"

FACETS = {
    **dict.fromkeys(("68320", "MDC_ATTR_SAMP_RATE", "MDC_ATTR_SAMPLE_RATE"), RATE),
    **dict.fromkeys(("2327", "67917", "67945", "MDC_ATTR_NU_MSMT_RES", "MDC_ATTR_SA_MSMT_RES"), RESOLUTION),
    **dict.fromkeys(("68323", "MDC_ATTR_DATA_RANGE"), RANGE),
    **dict.fromkeys(("197376", "197378", "MDC_EVT_DATA_INVALID", "MDC_EVT_DATA_MISSING"), SENTINEL),
    **dict.fromkeys(("196660", "262196", "MDC_EVT_INOP"), INOPERABLE),
}
"""What a row says of the waveform above it, by OBX-3.1 or OBX-3.2."""

PER_SECOND = frozenset(
    ("Hz", "264640", "MDC_DIM_HZ", "/s", "1/s", "264608", "MDC_DIM_PER_SEC", "{samples}/s", "s", "MDC_DIM_SEC")
)
"""Units of a sample rate. Monitors write seconds, too, and mean samples a second: no waveform is that slow."""
RATES_HZ = (10.0, 5000.0)
SENTINELS = (32767.0, -32768.0, 8388607.0, 8388608.0, -8388608.0)
"""Samples that stand for none although no row says so; small numbers that do in numerics are samples here."""
SMALLEST_SENTINEL = 16384.0
"""A row of inoperability holds a sentinel of at least this size, 0 for a channel that works, or else a fault."""
LARGEST_DISAGREEMENT = 0.2
"""Share by which samples and rate may differ from the span from OBR-7 to OBR-8, beyond a second."""

_WHOLE_SECOND = re.compile(r"(?:[0-9]{14}|[0-9-]{10}T[0-9:]{8})(?![0-9.])")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,12}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(?:[eE][+-]?[0-9]{1,2})?")


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something of a known kind that cannot be used: where it is, its code, and why. Never the value itself.

    ``unknown`` is there where the tables are at fault: what the sender calls it, for a person to see.
    """

    location: str
    code: str
    reason: str
    unknown: UnknownCode | None = None


@dataclass(frozen=True, slots=True)
class Waveforms:
    """The waveforms of one infant in one message."""

    pieces: tuple[WavePiece, ...]
    skipped: tuple[Skipped, ...]
    unmapped: tuple[UnknownCode, ...]


@dataclass(slots=True)
class _Channel:
    """An OBX of type NA, the order it belongs to, and the rows that describe it."""

    obx: Segment
    order: Segment | None
    facets: list[tuple[str, Segment]] = field(default_factory=list)

    def all(self, facet: str) -> list[Segment]:
        return [row for name, row in self.facets if name == facet]


class _Unusable(Exception):
    """The waveform cannot be used: at which field, and why."""

    def __init__(self, segment: Segment, position: int, reason: str) -> None:
        super().__init__(reason)
        self.location = segment.place(position)
        self.reason = reason


def read_waveforms(segments: list[Segment], *, zone: tzinfo, known: VitalCodes) -> Waveforms:
    """The waveforms with heart beats among one infant's segments; ``zone`` holds for times without an offset.

    One that cannot be used is skipped with its reason and the rest kept. Of a channel that the device calls invalid
    every sample is missing.
    """
    pieces, skipped, unmapped = [], [], []
    for channel in _channels(segments):
        obx = channel.obx
        found = identify(obx.raw(3), obx.delimiters, known)
        if found.row is None:
            unmapped.append(unknown_code(obx.raw(3), obx.raw(6), obx.delimiters))
            continue
        if found.is_contradictory:
            sent = unknown_code(obx.raw(3), obx.raw(6), obx.delimiters)
            skipped.append(Skipped(obx.place(3), found.label, "the code and its name mean different things", sent))
            continue
        try:
            if isinstance(found.row.kind, WaveKind):
                pieces.append(_piece(channel, found.row, found.row.kind, zone))
            elif found.row.kind is not None:
                skipped.append(Skipped(obx.place(5), found.label, "expected one number"))
        except _Unusable as error:
            skipped.append(Skipped(error.location, found.label, error.reason))
    return Waveforms(tuple(pieces), tuple(skipped), tuple(unmapped))


def _channels(segments: list[Segment]) -> list[_Channel]:
    channels: list[_Channel] = []
    order, is_open = None, False
    for segment in segments:
        if segment.name == "OBR":
            order, is_open = segment, False
        elif segment.name == "OBX" and segment.raw(2).strip().upper() == "NA":
            channels.append(_Channel(segment, order))
            is_open = True
        elif segment.name == "OBX" and is_open:
            facet = FACETS.get(segment.text(3, 1)) or FACETS.get(segment.text(3, 2))
            if facet is not None:
                channels[-1].facets.append((facet, segment))
    return channels


def _piece(channel: _Channel, row: Code, kind: WaveKind, zone: tzinfo) -> WavePiece:
    obx = channel.obx
    raw = _samples(obx)
    rate_hz = _rate(channel)
    start, text, is_coarse = _start(channel, zone)
    _require_span(channel, raw.size / rate_hz, zone)
    validity = validity_of(obx.raw(8), obx.raw(11), obx.delimiters)
    resolution, unit = _resolution(channel)
    is_there = _present(channel, raw) if validity is not Validity.INVALID else np.zeros(raw.size, np.bool_)
    values = np.where(is_there, raw * resolution, np.nan)
    return WavePiece(row.code, kind, rate_hz, values, unit, start, text, is_coarse, validity, row.rank)


def _samples(obx: Segment) -> npt.NDArray[np.float64]:
    """The samples as sent, NaN for an empty component."""
    text, delimiters = obx.raw(5), obx.delimiters
    if not text.strip():
        raise _Unusable(obx, 5, "no value")
    if delimiters.repetition and delimiters.repetition in text:
        raise _Unusable(obx, 5, "more than one channel")
    parts = [one.strip() for one in text.split(delimiters.component)] if delimiters.component else [text.strip()]
    if not all(_NUMBER.fullmatch(one) for one in parts if one):
        raise _Unusable(obx, 5, "expected numbers")
    return np.array([float(one) if one else np.nan for one in parts])


def _rate(channel: _Channel) -> float:
    rows = channel.all(RATE)
    if not rows:
        raise _Unusable(channel.obx, 5, "no sample rate")
    row = rows[0]
    units = {row.text(6, 1), row.text(6, 2)} - {""}
    if units and not units & PER_SECOND:
        raise _Unusable(row, 6, "a unit that no table knows")
    rate_hz = _number(row)
    if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
        raise _Unusable(row, 5, "no sample rate of a waveform")
    return rate_hz


def _resolution(channel: _Channel) -> tuple[float, str]:
    """What a sample is multiplied with, and the unit that it then has."""
    rows = channel.all(RESOLUTION)
    named = [row for row in (*rows, channel.obx) if row.raw(6)]
    unit = (named[0].text(6, 2) or named[0].text(6, 1)) if named else ""
    resolution = _number(rows[0]) if rows else 1.0
    if resolution <= 0:
        raise _Unusable(rows[0], 5, "expected a number above 0")
    return resolution, unit


def _present(channel: _Channel, raw: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which samples are there: none that a row, or everybody, takes for a sign, and none out of the range."""
    signs = [*SENTINELS, *(_number(row) for row in channel.all(SENTINEL) if row.raw(5).strip())]
    for row in channel.all(INOPERABLE):
        sign = _number(row) if row.raw(5).strip() else 0.0
        if abs(sign) >= SMALLEST_SENTINEL:
            signs.append(sign)
        elif sign != 0:
            return np.zeros(raw.size, np.bool_)
    is_there = np.isfinite(raw) & ~np.isin(raw, signs)
    for row in channel.all(RANGE):
        low, high = (_as_number(row, row.text(5, component)) for component in (1, 2))
        is_there &= (raw >= low) & (raw <= high)
    return is_there


def _start(channel: _Channel, zone: tzinfo) -> tuple[datetime, str, bool]:
    """When the first sample was taken, as sent, and whether that is cut to whole seconds: OBX-14, else OBR-7."""
    obx, order = channel.obx, channel.order
    texts = [text_of(one, 1, 1, obx.delimiters) for one in (obx.raw(14), order.raw(7) if order else "")]
    for text in texts:
        found = to_the_second(text, zone=zone)
        if found is not None:
            return found, text, _WHOLE_SECOND.match(text.strip()) is not None
    raise _Unusable(obx, 14, "no start time")


def _require_span(channel: _Channel, seconds: float, zone: tzinfo) -> None:
    """Refuses a rate that the order's own times contradict; many orders name one time for both."""
    if channel.order is None:
        return
    begin, end = (to_the_second(channel.order.text(field), zone=zone) for field in (7, 8))
    if begin is None or end is None or end <= begin:
        return
    span = (end - begin).total_seconds()
    if abs(seconds - span) > max(1.0, LARGEST_DISAGREEMENT * span):
        raise _Unusable(channel.obx, 5, "samples and rate do not fill the time of the order")


def _number(row: Segment) -> float:
    return _as_number(row, row.text(5))


def _as_number(row: Segment, text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise _Unusable(row, 5, "expected one number")
    return float(text)
