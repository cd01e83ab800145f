"""Facts about drugs, and what a score carries of them."""

from __future__ import annotations

from neopain.domain.drugs import Basis, DrugClass, DrugFact, DrugMark
from neopain.wire import common
from neopain.wire.v1 import drugs_pb2 as pb
from neopain.wire.v1 import score_pb2


def encode_drug(fact: DrugFact) -> bytes:
    """A fact as bytes."""
    wire = pb.DrugFact(
        id=fact.id,
        patients=[common.patient_to_wire(patient) for patient in fact.patients],
        classes=[one.value for one in fact.classes],
        ingredient=fact.ingredient,
        code=fact.code,
        system=fact.system,
        text=fact.text,
        basis=fact.basis.value,
        begun_us=common.to_us(fact.begun),
        told_us=common.to_us(fact.told),
        outlasts_us=fact.outlasts // common.MICROSECOND,
        order=fact.order,
        route=fact.route,
        is_infusion=fact.is_infusion,
        is_stop=fact.is_stop,
        is_retracted=fact.is_retracted,
        source=fact.source,
        control_id=fact.control_id,
        processing=common.PROCESSING[fact.processing],
    )
    if fact.ended is not None:
        wire.ended_us = common.to_us(fact.ended)
    return wire.SerializeToString()


def decode_drug(data: bytes) -> DrugFact:
    """A fact from bytes; ``ContractBroken`` when they are not one."""
    wire = common.parse(pb.DrugFact(), data)
    return DrugFact(
        id=wire.id,
        patients=tuple(common.patient_from_wire(patient) for patient in wire.patients),
        classes=tuple(common.named(DrugClass, one) for one in wire.classes),
        ingredient=wire.ingredient,
        code=wire.code,
        system=wire.system,
        text=wire.text,
        basis=common.named(Basis, wire.basis),
        begun=common.from_us(wire.begun_us),
        told=common.from_us(wire.told_us),
        ended=common.from_us(wire.ended_us) if wire.HasField("ended_us") else None,
        outlasts=wire.outlasts_us * common.MICROSECOND,
        order=wire.order,
        route=wire.route,
        is_infusion=wire.is_infusion,
        is_stop=wire.is_stop,
        is_retracted=wire.is_retracted,
        source=wire.source,
        control_id=wire.control_id,
        processing=common.known(common.PROCESSING_BACK, wire.processing, "Processing"),
    )


def mark_to_wire(mark: DrugMark) -> score_pb2.DrugMark:
    """What a score carries of a drug, as its message."""
    return score_pb2.DrugMark(
        drug_class=mark.drug_class, ingredient=mark.ingredient, basis=mark.basis, begun_us=common.to_us(mark.begun)
    )


def mark_from_wire(wire: score_pb2.DrugMark) -> DrugMark:
    """What a score carries of a drug, from its message."""
    drug_class = common.named(DrugClass, wire.drug_class)
    basis = common.named(Basis, wire.basis)
    return DrugMark(drug_class.value, wire.ingredient, basis.value, common.from_us(wire.begun_us))
