"""Dead letters."""

from __future__ import annotations

from neopain.domain.deadletter import DeadLetter
from neopain.wire import common
from neopain.wire.v1 import deadletter_pb2 as pb


def encode_dead_letter(letter: DeadLetter) -> bytes:
    """A dead letter as bytes."""
    return pb.DeadLetter(
        origin=letter.origin,
        source=common.source_to_wire(letter.source),
        raw=letter.raw,
        location=letter.location,
        reason=letter.reason,
        received_us=common.to_us(letter.received),
        control_id=letter.control_id,
    ).SerializeToString()


def decode_dead_letter(data: bytes) -> DeadLetter:
    """A dead letter from bytes; ``ContractBroken`` when they are not one."""
    wire = common.parse(pb.DeadLetter(), data)
    return DeadLetter(
        origin=wire.origin,
        source=common.source_from_wire(wire.source),
        raw=wire.raw,
        location=wire.location,
        reason=wire.reason,
        received=common.from_us(wire.received_us),
        control_id=wire.control_id,
    )
