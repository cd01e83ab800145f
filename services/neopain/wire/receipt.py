"""Receipts of many messages, column by column: small and quick, since a listener writes thousands a second."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from neopain.domain.identity import BedId, SourceId
from neopain.domain.receipt import Receipt, Stored
from neopain.errors import ContractBroken
from neopain.wire import common
from neopain.wire.common import MICROSECOND
from neopain.wire.v1 import receipt_pb2 as pb

T = TypeVar("T")


def encode_receipts(receipts: Sequence[Receipt]) -> bytes:
    """The receipts as bytes, at least one."""
    begun = min(one.received for one in receipts)
    sources: dict[SourceId, int] = {}
    words: dict[str, int] = {}
    stored = [(place, one.received, fact) for place, one in enumerate(receipts) for fact in one.stored]
    delays = [(place, one.delay) for place, one in enumerate(receipts) if one.delay is not None]
    ids = [fact.id.partition("-") for _, _, fact in stored]
    wire = pb.Receipts(
        begun_us=common.to_us(begun),
        source=[_place(sources, one.source) for one in receipts],
        control_id=[one.control_id for one in receipts],
        received_us=[(one.received - begun) // MICROSECOND for one in receipts],
        size_bytes=[one.size_bytes for one in receipts],
        message_type=[_place(words, one.message_type) for one in receipts],
        answer=[_place(words, one.answer) for one in receipts],
        reason=[_place(words, one.reason) for one in receipts],
        took_us=[one.took // MICROSECOND for one in receipts],
        delay_of=[place for place, _ in delays],
        delay_us=[delay // MICROSECOND for _, delay in delays],
        stored_of=[place for place, _, _ in stored],
        stored_bed=[_place(words, fact.bed) for _, _, fact in stored],
        stored_ms=[int(milliseconds) for milliseconds, _, _ in ids],
        stored_sequence=[int(sequence or 0) for _, _, sequence in ids],
        stored_is_new=[fact.is_new for _, _, fact in stored],
        measured_from_us=[(fact.measured_from - received) // MICROSECOND for _, received, fact in stored],
        measured_until_us=[(fact.measured_until - received) // MICROSECOND for _, received, fact in stored],
        stored_waveforms=[number for number, (_, _, fact) in enumerate(stored) if fact.is_waveform],
    )
    wire.sources.extend(common.source_to_wire(source) for source in sources)
    wire.words.extend(words)
    return wire.SerializeToString()


def decode_receipts(data: bytes) -> list[Receipt]:
    """The receipts from bytes; ``ContractBroken`` when they are none."""
    wire = common.parse(pb.Receipts(), data)
    try:
        return _decoded(wire)
    except (IndexError, ValueError, OverflowError) as error:
        raise ContractBroken(f"the columns of {len(data)} bytes of receipts do not fit together: {error}") from error


def _decoded(wire: pb.Receipts) -> list[Receipt]:
    begun = common.from_us(wire.begun_us)
    sources = [common.source_from_wire(one) for one in wire.sources]
    words = list(wire.words)
    received = [begun + _span(one) for one in wire.received_us]
    delays = {place: _span(delay) for place, delay in zip(wire.delay_of, wire.delay_us, strict=True)}
    stored = _stored(wire, received, words)
    columns = (wire.source, wire.control_id, wire.size_bytes, wire.message_type, wire.answer, wire.reason, wire.took_us)
    return [
        Receipt(
            source=sources[source],
            control_id=control_id,
            received=received[place],
            size_bytes=size_bytes,
            message_type=words[message_type],
            answer=words[answer],
            took=_span(took),
            reason=words[reason],
            delay=delays.get(place),
            stored=tuple(stored.get(place, ())),
        )
        for place, (source, control_id, size_bytes, message_type, answer, reason, took) in enumerate(
            zip(*columns, strict=True)
        )
    ]


def _stored(wire: pb.Receipts, received: list[datetime], words: list[str]) -> dict[int, list[Stored]]:
    found: dict[int, list[Stored]] = {}
    columns = (
        *(wire.stored_of, wire.stored_bed, wire.stored_ms, wire.stored_sequence),
        *(wire.stored_is_new, wire.measured_from_us, wire.measured_until_us),
    )
    waveforms = set(wire.stored_waveforms)
    rows = enumerate(zip(*columns, strict=True))
    for number, (place, bed, milliseconds, sequence, is_new, measured_from, measured_until) in rows:
        arrived = received[place]
        fact = Stored(
            bed=BedId(words[bed]),
            id=f"{milliseconds}-{sequence}",
            is_new=is_new,
            measured_from=arrived + _span(measured_from),
            measured_until=arrived + _span(measured_until),
            is_waveform=number in waveforms,
        )
        found.setdefault(place, []).append(fact)
    return found


def _span(microseconds: int) -> timedelta:
    return timedelta(microseconds=microseconds)


def _place(table: dict[T, int], value: T) -> int:
    return table.setdefault(value, len(table))
