"""The state of a bed."""

from __future__ import annotations

from neopain.domain.census import BedState, Dispute, Infant
from neopain.domain.identity import BedId
from neopain.wire import common
from neopain.wire.v1 import census_pb2 as pb


def encode_bed_state(state: BedState) -> bytes:
    """A bed's state as bytes."""
    wire = pb.BedState(
        bed=state.bed,
        since_us=common.to_us(state.since),
        held_reason=state.held_reason,
        processing=common.PROCESSING[state.processing],
        control_id=state.control_id,
        rivals=[_infant_to_wire(infant) for infant in state.rivals],
        disputes=[_dispute_to_wire(dispute) for dispute in state.disputes],
        left=[common.patient_to_wire(patient) for patient in state.left],
    )
    if state.infant is not None:
        wire.infant.CopyFrom(_infant_to_wire(state.infant))
    return wire.SerializeToString()


def decode_bed_state(data: bytes) -> BedState:
    """A bed's state from bytes; ``ContractBroken`` when they are not one."""
    wire = common.parse(pb.BedState(), data)
    return BedState(
        bed=BedId(wire.bed),
        since=common.from_us(wire.since_us),
        infant=_infant_from_wire(wire.infant) if wire.HasField("infant") else None,
        held_reason=wire.held_reason,
        processing=common.known(common.PROCESSING_BACK, wire.processing, "Processing"),
        control_id=wire.control_id,
        rivals=tuple(_infant_from_wire(infant) for infant in wire.rivals),
        disputes=tuple(_dispute_from_wire(dispute) for dispute in wire.disputes),
        left=tuple(common.patient_from_wire(patient) for patient in wire.left),
    )


def _infant_to_wire(infant: Infant) -> pb.Infant:
    wire = pb.Infant(
        identifiers=[common.patient_to_wire(identifier) for identifier in infant.identifiers],
        visit=infant.visit,
        sex=infant.sex,
    )
    if infant.gestational_age_days is not None:
        wire.gestational_age_days = infant.gestational_age_days
    if infant.born is not None:
        wire.born_us = common.to_us(infant.born)
    return wire


def _infant_from_wire(wire: pb.Infant) -> Infant:
    return Infant(
        identifiers=tuple(common.patient_from_wire(identifier) for identifier in wire.identifiers),
        visit=wire.visit,
        gestational_age_days=wire.gestational_age_days if wire.HasField("gestational_age_days") else None,
        born=common.from_us(wire.born_us) if wire.HasField("born_us") else None,
        sex=wire.sex,
    )


def _dispute_to_wire(dispute: Dispute) -> pb.Dispute:
    return pb.Dispute(source=dispute.source, reason=dispute.reason, patient=common.patient_to_wire(dispute.patient))


def _dispute_from_wire(wire: pb.Dispute) -> Dispute:
    return Dispute(wire.source, wire.reason, common.patient_from_wire(wire.patient))
