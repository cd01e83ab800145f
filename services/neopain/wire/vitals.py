"""Vitals and their baseline."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from neopain.domain.identity import BedId
from neopain.domain.time import Timing
from neopain.domain.vitals import Baseline, Validity, VitalKind, VitalSample, VitalsBatch
from neopain.wire import common
from neopain.wire.v1 import common_pb2 as pb_common
from neopain.wire.v1 import vitals_pb2 as pb

# Field number and wire type (protobuf encoding, "Message Structure"): a length follows, or eight bytes.
_SAMPLE = bytes([pb.VitalsBatch.SAMPLES_FIELD_NUMBER << 3 | 2])
_TIMING = bytes([pb.VitalSample.TIMING_FIELD_NUMBER << 3 | 2])
_CONTROL_ID = bytes([pb.VitalsBatch.CONTROL_ID_FIELD_NUMBER << 3 | 2])
_VALUE = bytes([pb.VitalSample.VALUE_FIELD_NUMBER << 3 | 1])
_DOUBLE = struct.Struct("<d").pack
_VALUE_LENGTH = len(_VALUE) + 8
_BYTES = [bytes([number]) for number in range(256)]
_LONGEST_KEPT = 64
"""Codes up to this length are kept in their encoded form."""

KIND = {kind: pb.VitalKind.Value(f"VITAL_KIND_{kind.name}") for kind in VitalKind}
KIND_BACK = {wire: domain for domain, wire in KIND.items()}
VALIDITY = {validity: pb.Validity.Value(f"VALIDITY_{validity.name}") for validity in Validity}
VALIDITY_BACK = {wire: domain for domain, wire in VALIDITY.items()}


def encode_batch(batch: VitalsBatch) -> bytes:
    """A batch as bytes."""
    wire = pb.VitalsBatch(
        bed=batch.bed,
        source=common.source_to_wire(batch.source),
        processing=common.PROCESSING[batch.processing],
        control_id=batch.control_id,
        unmapped=batch.unmapped,
    )
    if batch.patient is not None:
        wire.patient.CopyFrom(common.patient_to_wire(batch.patient))
    return wire.SerializeToString() + b"".join(_samples_as_bytes(batch.samples))


def encode_kind(kind: VitalKind, validity: Validity, code: str) -> bytes:
    """What a sample of a batch says beside its value and its time, for ``encode_repeated``."""
    return _kind_as_bytes.__wrapped__(kind, validity, code)


def encode_unmapped(labels: Sequence[str]) -> bytes:
    """The codes of a batch that no table knows, as bytes by themselves."""
    return pb.VitalsBatch(unmapped=labels).SerializeToString()


def encode_repeated(
    before: bytes, control_id: str, kinds: tuple[bytes, ...], values: Iterable[float], timing: Timing
) -> bytes:
    """A batch of which only control id, values and times are new, as bytes. ``before`` is the batch without those, as
    ``encode_batch`` writes it; all samples have one timing; ``kinds`` and ``values`` are of the same length."""
    encoded = common.encode_timing(timing)
    after = _TIMING + _varint(len(encoded)) + encoded
    own = control_id.encode()
    heads = _before_values(kinds, len(after))
    samples = [head + _DOUBLE(value) + after for head, value in zip(heads, values, strict=True)]
    return b"".join((before, _CONTROL_ID, _varint(len(own)), own, *samples))


@lru_cache(maxsize=1024)
def _before_values(kinds: tuple[bytes, ...], after: int) -> tuple[bytes, ...]:
    """What stands before the value of each sample, where so many bytes follow it."""
    return tuple(_SAMPLE + _varint(len(kind) + _VALUE_LENGTH + after) + kind + _VALUE for kind in kinds)


def decode_batch(data: bytes, *, kinds: frozenset[VitalKind] | None = None) -> VitalsBatch:
    """A batch from bytes, of its samples only those of ``kinds`` if given; ``ContractBroken`` when they are not one."""
    wire = common.parse(pb.VitalsBatch(), data)
    timing_of = _Timings().of
    wanted = None if kinds is None else {KIND[kind] for kind in kinds}
    return VitalsBatch(
        bed=BedId(wire.bed),
        source=common.source_from_wire(wire.source),
        samples=tuple(
            _sample_from_wire(one, timing_of(one)) for one in wire.samples if wanted is None or one.kind in wanted
        ),
        processing=common.known(common.PROCESSING_BACK, wire.processing, "Processing"),
        patient=common.patient_from_wire(wire.patient) if wire.HasField("patient") else None,
        control_id=wire.control_id,
        unmapped=tuple(wire.unmapped),
    )


def encode_baseline(baseline: Baseline) -> bytes:
    """A baseline as bytes."""
    wire = pb.Baseline(
        bed=baseline.bed,
        computed_us=common.to_us(baseline.computed),
        span_seconds=baseline.span_seconds,
        median_by_kind={kind.value: value for kind, value in baseline.medians.items()},
    )
    if baseline.pressure is not None:
        wire.pressure.CopyFrom(next(_samples_to_wire([baseline.pressure])))
    return wire.SerializeToString()


def decode_baseline(data: bytes) -> Baseline:
    """A baseline from bytes; ``ContractBroken`` when they are not one."""
    wire = common.parse(pb.Baseline(), data)
    return Baseline(
        bed=BedId(wire.bed),
        computed=common.from_us(wire.computed_us),
        span_seconds=wire.span_seconds,
        medians={common.named(VitalKind, kind): value for kind, value in wire.median_by_kind.items()},
        pressure=_sample_from_wire(wire.pressure, common.timing_from_wire(wire.pressure.timing))
        if wire.HasField("pressure")
        else None,
    )


def _samples_as_bytes(samples: Iterable[VitalSample]) -> Iterator[bytes]:
    """Each sample as a field of its batch. Parts that were encoded by themselves make one message when they are put
    together (protobuf encoding, "Last One Wins"): what samples repeat is encoded once."""
    timing, after_value = None, b""
    for sample in samples:
        if sample.timing is not timing:  # most messages have one for all
            timing = sample.timing
            encoded = common.timing_to_wire(timing).SerializeToString()
            after_value = _TIMING + _varint(len(encoded)) + encoded
        code = sample.code
        before = _kind_as_bytes if len(code) <= _LONGEST_KEPT else _kind_as_bytes.__wrapped__
        content = before(sample.kind, sample.validity, code) + _VALUE + _DOUBLE(sample.value) + after_value
        yield _SAMPLE + _varint(len(content)) + content


@lru_cache(maxsize=1024)
def _kind_as_bytes(kind: VitalKind, validity: Validity, code: str) -> bytes:
    return pb.VitalSample(kind=KIND[kind], validity=VALIDITY[validity], code=code).SerializeToString()


def _varint(number: int) -> bytes:
    """A length (protobuf encoding, "Base 128 Varints")."""
    if number < 0x80:
        return _BYTES[number]
    return _BYTES[number & 0x7F | 0x80] + _varint(number >> 7)


def _samples_to_wire(samples: Iterable[VitalSample]) -> Iterator[pb.VitalSample]:
    timing, wire = None, None
    for sample in samples:
        if wire is None or sample.timing is not timing:  # most messages have one for all
            timing, wire = sample.timing, common.timing_to_wire(sample.timing)
        yield pb.VitalSample(
            kind=KIND[sample.kind],
            value=sample.value,
            timing=wire,
            validity=VALIDITY[sample.validity],
            code=sample.code,
        )


@dataclass(slots=True)
class _Timings:
    """The timings of a batch's samples; most batches have one for all, which is read once."""

    wire: pb_common.Timing | None = None
    timing: Timing | None = None

    def of(self, sample: pb.VitalSample) -> Timing:
        """The sample's timing."""
        wire, timing = sample.timing, self.timing
        if timing is None or wire != self.wire:
            self.wire, self.timing = wire, (timing := common.timing_from_wire(wire))
        return timing


def _sample_from_wire(wire: pb.VitalSample, timing: Timing) -> VitalSample:
    return VitalSample(
        kind=common.known(KIND_BACK, wire.kind, "VitalKind"),
        value=wire.value,
        timing=timing,
        validity=common.known(VALIDITY_BACK, wire.validity, "Validity"),
        code=wire.code,
    )
