"""Ticks and scores."""

from __future__ import annotations

from neopain.domain.identity import BedId
from neopain.domain.score import Estimate, Modality, ModelVersion, Outcome, Presence, Score, Weights
from neopain.domain.window import Tick
from neopain.wire import common
from neopain.wire.drugs import mark_from_wire, mark_to_wire
from neopain.wire.v1 import score_pb2 as pb

OUTCOME = {outcome: pb.Outcome.Value(f"OUTCOME_{outcome.name}") for outcome in Outcome}
OUTCOME_BACK = {wire: domain for domain, wire in OUTCOME.items()}


def encode_tick(tick: Tick) -> bytes:
    """A tick as bytes."""
    return pb.Tick(
        bed=tick.bed,
        window_end_us=common.to_us(tick.window_end),
        closed_us=common.to_us(tick.closed),
        last_ids=tick.last_ids,
        is_media_away=tick.is_media_away,
    ).SerializeToString()


def decode_tick(data: bytes) -> Tick:
    """A tick from bytes; ``ContractBroken`` when they are not one."""
    wire = common.parse(pb.Tick(), data)
    return Tick(
        bed=BedId(wire.bed),
        window_end=common.from_us(wire.window_end_us),
        closed=common.from_us(wire.closed_us),
        last_ids=dict(wire.last_ids),
        is_media_away=wire.is_media_away,
    )


def encode_score(score: Score) -> bytes:
    """A score as bytes."""
    wire = pb.Score(
        bed=score.bed,
        window_end_us=common.to_us(score.window_end),
        outcome=OUTCOME[score.outcome],
        model_name=score.model.name,
        model_weights=score.model.weights.value,
        presences=[_presence_to_wire(presence) for presence in score.presences],
        produced_us=common.to_us(score.produced),
        reason=score.reason,
        scale_map=score.scale_map,
        processing=common.PROCESSING[score.processing],
        patients=[common.patient_to_wire(patient) for patient in score.patients],
        latency_ms=score.latency_ms,
        drugs=[mark_to_wire(mark) for mark in score.drugs],
        read_until=score.read_until,
    )
    if score.occupied_since is not None:
        wire.occupied_since_us = common.to_us(score.occupied_since)
    if score.estimate is not None:
        wire.estimate.CopyFrom(_estimate_to_wire(score.estimate))
    return wire.SerializeToString()


def decode_score(data: bytes) -> Score:
    """A score from bytes; ``ContractBroken`` when they are not one."""
    wire = common.parse(pb.Score(), data)
    return Score(
        bed=BedId(wire.bed),
        window_end=common.from_us(wire.window_end_us),
        outcome=common.known(OUTCOME_BACK, wire.outcome, "Outcome"),
        model=ModelVersion(wire.model_name, common.named(Weights, wire.model_weights)),
        presences=tuple(_presence_from_wire(presence) for presence in wire.presences),
        produced=common.from_us(wire.produced_us),
        estimate=_estimate_from_wire(wire.estimate) if wire.HasField("estimate") else None,
        reason=wire.reason,
        scale_map=wire.scale_map,
        processing=common.known(common.PROCESSING_BACK, wire.processing, "Processing"),
        patients=tuple(common.patient_from_wire(patient) for patient in wire.patients),
        latency_ms=wire.latency_ms,
        drugs=tuple(mark_from_wire(mark) for mark in wire.drugs),
        read_until=dict(wire.read_until),
        occupied_since=common.from_us(wire.occupied_since_us) if wire.HasField("occupied_since_us") else None,
    )


def _presence_to_wire(presence: Presence) -> pb.Presence:
    return pb.Presence(
        modality=presence.modality.value,
        is_present=presence.is_present,
        coverage=presence.coverage,
        reason=presence.reason,
    )


def _presence_from_wire(wire: pb.Presence) -> Presence:
    return Presence(
        modality=common.named(Modality, wire.modality),
        is_present=wire.is_present,
        coverage=wire.coverage,
        reason=wire.reason,
    )


def _estimate_to_wire(estimate: Estimate) -> pb.Estimate:
    return pb.Estimate(
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        sedation=estimate.sedation,
        distance=estimate.distance,
        per_modality={modality.value: value for modality, value in estimate.per_modality.items()},
        attention={modality.value: value for modality, value in estimate.attention.items()},
    )


def _estimate_from_wire(wire: pb.Estimate) -> Estimate:
    return Estimate(
        value=wire.value,
        low=wire.low,
        high=wire.high,
        sedation=wire.sedation,
        distance=wire.distance,
        per_modality={common.named(Modality, name): value for name, value in wire.per_modality.items()},
        attention={common.named(Modality, name): value for name, value in wire.attention.items()},
    )
