"""What was told to whom."""

from __future__ import annotations

from neopain.domain.identity import BedId
from neopain.domain.query import Disclosure
from neopain.wire import common
from neopain.wire.v1 import disclosure_pb2 as pb


def encode_disclosure(disclosure: Disclosure) -> bytes:
    """A disclosure as bytes."""
    return pb.Disclosure(
        source=common.source_to_wire(disclosure.source),
        address=disclosure.address,
        control_id=disclosure.control_id,
        asked=disclosure.asked,
        moment_us=common.to_us(disclosure.moment),
        patients=[common.patient_to_wire(patient) for patient in disclosure.patients],
        place=disclosure.place,
        visit=disclosure.visit,
        told=[common.patient_to_wire(patient) for patient in disclosure.told],
        held=disclosure.held,
    ).SerializeToString()


def decode_disclosure(data: bytes) -> Disclosure:
    """A disclosure from bytes; ``ContractBroken`` when they are not one."""
    wire = common.parse(pb.Disclosure(), data)
    return Disclosure(
        source=common.source_from_wire(wire.source),
        address=wire.address,
        control_id=wire.control_id,
        asked=wire.asked,
        moment=common.from_us(wire.moment_us),
        patients=tuple(common.patient_from_wire(patient) for patient in wire.patients),
        place=wire.place,
        visit=wire.visit,
        told=tuple(common.patient_from_wire(patient) for patient in wire.told),
        held=tuple(BedId(bed) for bed in wire.held),
    )
