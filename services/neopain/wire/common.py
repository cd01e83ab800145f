"""Times, identities and the closed sets that every message shares."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum
from struct import Struct
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from neopain.domain.identity import PatientId, SourceId
from neopain.domain.time import TimeQuality, Timing
from neopain.domain.vitals import Processing
from neopain.errors import ContractBroken
from neopain.wire.v1 import common_pb2 as pb

M = TypeVar("M", bound=Message)
W = TypeVar("W")
D = TypeVar("D")
E = TypeVar("E", bound=Enum)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

TIME_QUALITY = {
    TimeQuality.SOURCE: pb.TIME_QUALITY_SOURCE,
    TimeQuality.NO_SOURCE_TIME: pb.TIME_QUALITY_NO_SOURCE_TIME,
    TimeQuality.SKEWED: pb.TIME_QUALITY_SKEWED,
    TimeQuality.UNUSABLE: pb.TIME_QUALITY_UNUSABLE,
}
TIME_QUALITY_BACK = {wire: domain for domain, wire in TIME_QUALITY.items()}

# Field number and wire type (protobuf encoding, "Message Structure"): eight bytes, a varint, or a length.
_TIMING_TAGS = tuple(
    pb.Timing.DESCRIPTOR.fields_by_name[name].number << 3 | wire_type
    for name, wire_type in (("received_us", 1), ("aligned_us", 1), ("quality", 0), ("source_us", 1), ("source_text", 2))
)
_TIMING = Struct("<BqBqBBBqBB")
_ONE_BYTE = 0x80
"""The smallest varint of two bytes."""

PROCESSING = {
    Processing.PRODUCTION: pb.PROCESSING_PRODUCTION,
    Processing.DEBUGGING: pb.PROCESSING_DEBUGGING,
    Processing.TRAINING: pb.PROCESSING_TRAINING,
}
PROCESSING_BACK = {wire: domain for domain, wire in PROCESSING.items()}


def parse(message: M, data: bytes) -> M:
    """Fills the message from the bytes; ``ContractBroken`` when they are not one."""
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise ContractBroken(f"{len(data)} bytes are no {type(message).__name__}: {error}") from error
    return message


def to_us(moment: datetime) -> int:
    """Microseconds since the epoch of an aware time."""
    return (moment - EPOCH) // MICROSECOND


def from_us(microseconds: int) -> datetime:
    """The UTC time of microseconds since the epoch; ``ContractBroken`` when no calendar has it."""
    try:
        return EPOCH + microseconds * MICROSECOND
    except OverflowError as error:
        raise ContractBroken(f"{microseconds} microseconds since 1970 are no time of this calendar") from error


def timing_to_wire(timing: Timing) -> pb.Timing:
    """A timing as its message."""
    wire = pb.Timing(
        received_us=to_us(timing.received),
        aligned_us=to_us(timing.aligned),
        quality=TIME_QUALITY[timing.quality],
        source_text=timing.source_text,
    )
    if timing.source is not None:
        wire.source_us = to_us(timing.source)
    return wire


def encode_timing(timing: Timing) -> bytes:
    """What ``timing_to_wire`` gives, as bytes: put together here, since each message of a monitor has a new one."""
    text = timing.source_text.encode()
    if timing.source is None or not text or len(text) >= _ONE_BYTE:
        return timing_to_wire(timing).SerializeToString()
    tags, quality = _TIMING_TAGS, TIME_QUALITY[timing.quality]
    received, aligned, source = to_us(timing.received), to_us(timing.aligned), to_us(timing.source)
    return (
        _TIMING.pack(tags[0], received, tags[1], aligned, tags[2], quality, tags[3], source, tags[4], len(text)) + text
    )


def timing_from_wire(wire: pb.Timing) -> Timing:
    """A timing from its message."""
    return Timing(
        received=from_us(wire.received_us),
        aligned=from_us(wire.aligned_us),
        quality=known(TIME_QUALITY_BACK, wire.quality, "TimeQuality"),
        source=from_us(wire.source_us) if wire.HasField("source_us") else None,
        source_text=wire.source_text,
    )


def source_to_wire(source: SourceId) -> pb.Source:
    """A source as its message."""
    return pb.Source(kind=source.kind, name=source.name)


def source_from_wire(wire: pb.Source) -> SourceId:
    """A source from its message."""
    return SourceId(wire.kind, wire.name)


def patient_to_wire(patient: PatientId) -> pb.PatientIdentifier:
    """A patient identifier as its message."""
    return pb.PatientIdentifier(
        value=patient.value, assigning_authority=patient.assigning_authority, type_code=patient.type_code
    )


def patient_from_wire(wire: pb.PatientIdentifier) -> PatientId:
    """A patient identifier from its message."""
    return PatientId(wire.value, wire.assigning_authority, wire.type_code)


def known(table: dict[W, D], value: W, name: str) -> D:
    """The domain value of a wire one; a newer sender's unknown value is a broken contract."""
    try:
        return table[value]
    except KeyError as error:
        raise ContractBroken(f"{name} has no value {value} in this version") from error


def named(kind: type[E], name: str) -> E:
    """The member of a closed set of words; a newer sender's unknown word is a broken contract."""
    try:
        return kind(name)
    except ValueError as error:
        raise ContractBroken(f"{kind.__name__} has no value {name!r} in this version") from error
