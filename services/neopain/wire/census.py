"""The state of a bed."""

from __future__ import annotations

from neopain.domain.census import (
    Arrival,
    BedState,
    CensusEventKind,
    Departure,
    DeviceAssociation,
    Dispute,
    Infant,
    Release,
)
from neopain.domain.identity import BedId, PatientId
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
        source=state.source,
        rivals=[_infant_to_wire(infant) for infant in state.rivals],
        disputes=[_dispute_to_wire(dispute) for dispute in state.disputes],
        left=[common.patient_to_wire(patient) for patient in _left(state)],
        arrivals=[_arrival_to_wire(arrival) for arrival in state.arrivals],
        departures=[_departure_to_wire(departure) for departure in state.departures],
        overruled=[_dispute_to_wire(dispute) for dispute in state.overruled],
        associations=[_association_to_wire(association) for association in state.associations],
    )
    if state.infant is not None:
        wire.infant.CopyFrom(_infant_to_wire(state.infant))
    if state.held_since is not None:
        wire.held_since_us = common.to_us(state.held_since)
    if state.release is not None:
        wire.release.CopyFrom(pb.Release(by=state.release.by, reason=state.release.reason))
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
        source=wire.source,
        rivals=tuple(_infant_from_wire(infant) for infant in wire.rivals),
        disputes=tuple(_dispute_from_wire(dispute) for dispute in wire.disputes),
        arrivals=tuple(_arrival_from_wire(arrival) for arrival in wire.arrivals),
        departures=tuple(_departure_from_wire(one) for one in wire.departures) or _departures_of_before(wire),
        held_since=common.from_us(wire.held_since_us) if wire.HasField("held_since_us") else None,
        overruled=tuple(_dispute_from_wire(dispute) for dispute in wire.overruled),
        associations=tuple(_association_from_wire(association) for association in wire.associations),
        release=Release(wire.release.by, wire.release.reason) if wire.HasField("release") else None,
    )


def _left(state: BedState) -> list[PatientId]:
    return [patient for one in state.departures if one.is_final for patient in one.infant.identifiers[:1]]


def _departures_of_before(wire: pb.BedState) -> tuple[Departure, ...]:
    """What a version without departures says of those who were discharged."""
    went = common.from_us(wire.since_us)
    gone = (Infant((common.patient_from_wire(patient),)) for patient in wire.left)
    return tuple(Departure(infant, CensusEventKind.DISCHARGED, went) for infant in gone)


def _infant_to_wire(infant: Infant) -> pb.Infant:
    wire = pb.Infant(
        identifiers=[common.patient_to_wire(identifier) for identifier in infant.identifiers],
        visit=infant.visit,
        sex=infant.sex,
        formerly=[common.patient_to_wire(identifier) for identifier in infant.formerly],
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
        formerly=tuple(common.patient_from_wire(identifier) for identifier in wire.formerly),
    )


def _dispute_to_wire(dispute: Dispute) -> pb.Dispute:
    patient = common.patient_to_wire(dispute.patient)
    return pb.Dispute(source=dispute.source, reason=dispute.reason, patient=patient, bed=dispute.bed or "")


def _dispute_from_wire(wire: pb.Dispute) -> Dispute:
    bed = BedId(wire.bed) if wire.bed else None
    return Dispute(wire.source, wire.reason, common.patient_from_wire(wire.patient), bed)


def _association_to_wire(association: DeviceAssociation) -> pb.DeviceAssociation:
    patient = common.patient_to_wire(association.patient)
    return pb.DeviceAssociation(device=association.device, patient=patient, since_us=common.to_us(association.since))


def _association_from_wire(wire: pb.DeviceAssociation) -> DeviceAssociation:
    return DeviceAssociation(wire.device, common.patient_from_wire(wire.patient), common.from_us(wire.since_us))


def _arrival_to_wire(arrival: Arrival) -> pb.Arrival:
    patient = common.patient_to_wire(arrival.patient)
    return pb.Arrival(patient=patient, cause=arrival.cause.value, came_from=arrival.came_from)


def _arrival_from_wire(wire: pb.Arrival) -> Arrival:
    cause = common.named(CensusEventKind, wire.cause)
    return Arrival(common.patient_from_wire(wire.patient), cause, BedId(wire.came_from))


def _departure_to_wire(departure: Departure) -> pb.Departure:
    wire = pb.Departure(
        infant=_infant_to_wire(departure.infant),
        cause=departure.cause.value,
        went_us=common.to_us(departure.went),
        processing=common.PROCESSING[departure.processing],
        disputes=[_dispute_to_wire(dispute) for dispute in departure.disputes],
    )
    if departure.came is not None:
        wire.came_us = common.to_us(departure.came)
    if departure.arrival is not None:
        wire.arrival.CopyFrom(_arrival_to_wire(departure.arrival))
    return wire


def _departure_from_wire(wire: pb.Departure) -> Departure:
    return Departure(
        infant=_infant_from_wire(wire.infant),
        cause=common.named(CensusEventKind, wire.cause),
        went=common.from_us(wire.went_us),
        came=common.from_us(wire.came_us) if wire.HasField("came_us") else None,
        arrival=_arrival_from_wire(wire.arrival) if wire.HasField("arrival") else None,
        processing=common.known(common.PROCESSING_BACK, wire.processing, "Processing"),
        disputes=tuple(_dispute_from_wire(dispute) for dispute in wire.disputes),
    )
