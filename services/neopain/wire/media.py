"""Frames, sound and movement."""

from __future__ import annotations

from neopain.domain.identity import BedId
from neopain.domain.media import AudioChunk, FaceAbsence, FaceFrame, MovementSample
from neopain.wire import common
from neopain.wire.v1 import media_pb2 as pb


def encode_frame(frame: FaceFrame) -> bytes:
    """A frame as bytes."""
    return pb.FaceFrame(
        bed=frame.bed,
        source=common.source_to_wire(frame.source),
        timing=common.timing_to_wire(frame.timing),
        crop=frame.crop,
        absence=frame.absence.value if frame.absence else "",
        processing=common.PROCESSING[frame.processing],
    ).SerializeToString()


def decode_frame(data: bytes) -> FaceFrame:
    """A frame from bytes; ``ContractBroken`` when they are not one."""
    wire = common.parse(pb.FaceFrame(), data)
    return FaceFrame(
        bed=BedId(wire.bed),
        source=common.source_from_wire(wire.source),
        timing=common.timing_from_wire(wire.timing),
        crop=wire.crop,
        absence=common.named(FaceAbsence, wire.absence) if wire.absence else None,
        processing=common.known(common.PROCESSING_BACK, wire.processing, "Processing"),
    )


def encode_audio(chunk: AudioChunk) -> bytes:
    """A chunk of sound as bytes."""
    return pb.AudioChunk(
        bed=chunk.bed,
        source=common.source_to_wire(chunk.source),
        timing=common.timing_to_wire(chunk.timing),
        pcm=chunk.pcm,
        processing=common.PROCESSING[chunk.processing],
    ).SerializeToString()


def decode_audio(data: bytes) -> AudioChunk:
    """A chunk of sound from bytes; ``ContractBroken`` when they are not one."""
    wire = common.parse(pb.AudioChunk(), data)
    return AudioChunk(
        bed=BedId(wire.bed),
        source=common.source_from_wire(wire.source),
        timing=common.timing_from_wire(wire.timing),
        pcm=wire.pcm,
        processing=common.known(common.PROCESSING_BACK, wire.processing, "Processing"),
    )


def encode_movement(sample: MovementSample) -> bytes:
    """A movement sample as bytes."""
    return pb.MovementSample(
        bed=sample.bed,
        source=common.source_to_wire(sample.source),
        timing=common.timing_to_wire(sample.timing),
        energy=sample.energy,
        processing=common.PROCESSING[sample.processing],
    ).SerializeToString()


def decode_movement(data: bytes) -> MovementSample:
    """A movement sample from bytes; ``ContractBroken`` when they are not one."""
    wire = common.parse(pb.MovementSample(), data)
    return MovementSample(
        bed=BedId(wire.bed),
        source=common.source_from_wire(wire.source),
        timing=common.timing_from_wire(wire.timing),
        energy=wire.energy,
        processing=common.known(common.PROCESSING_BACK, wire.processing, "Processing"),
    )
