"""Dead letters, and what a person does with them."""

from __future__ import annotations

from neopain.domain.deadletter import DeadLetter, Replay, ReplayOutcome
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
        address=letter.address,
        fault=letter.fault,
        certificate_names=letter.names,
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
        address=wire.address,
        fault=wire.fault,
        names=tuple(wire.certificate_names),
    )


def encode_replay(replay: Replay) -> bytes:
    """A replay as bytes."""
    return pb.Replay(
        letter=replay.letter,
        outcome=replay.outcome.value,
        by=replay.by,
        reason=replay.reason,
        moment_us=common.to_us(replay.moment),
        why=replay.why,
        source=common.source_to_wire(replay.source),
        control_id=replay.control_id,
    ).SerializeToString()


def decode_replay(data: bytes) -> Replay:
    """A replay from bytes; ``ContractBroken`` when they are not one."""
    wire = common.parse(pb.Replay(), data)
    return Replay(
        letter=wire.letter,
        outcome=common.named(ReplayOutcome, wire.outcome),
        by=wire.by,
        reason=wire.reason,
        moment=common.from_us(wire.moment_us),
        source=common.source_from_wire(wire.source),
        control_id=wire.control_id,
        why=wire.why,
    )
