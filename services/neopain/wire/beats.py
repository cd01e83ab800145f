"""What is kept of a waveform between two of its pieces."""

from __future__ import annotations

import numpy as np

from neopain.domain.waveform import BeatTrack, WaveKind
from neopain.errors import ContractBroken
from neopain.wire import common
from neopain.wire.v1 import beats_pb2 as pb

SAMPLE = np.dtype("<f4")


def encode_track(track: BeatTrack) -> bytes:
    """A track as bytes."""
    wire = pb.BeatTrack(
        code=track.code,
        kind=track.kind.value,
        rate_hz=track.rate_hz,
        begun_us=common.to_us(track.begun),
        samples=track.samples.astype(SAMPLE).tobytes(),
        last_beat=track.last_beat,
        heard=track.heard,
        doubtful_until=track.doubtful_until,
    )
    if track.patient is not None:
        wire.patient.CopyFrom(common.patient_to_wire(track.patient))
    return wire.SerializeToString()


def decode_track(data: bytes) -> BeatTrack:
    """A track from bytes; ``ContractBroken`` when they are not one."""
    wire = common.parse(pb.BeatTrack(), data)
    if wire.rate_hz <= 0 or len(wire.samples) % SAMPLE.itemsize:
        raise ContractBroken(f"{len(wire.samples)} bytes at {wire.rate_hz:g} Hz are no track of a waveform")
    return BeatTrack(
        code=wire.code,
        kind=common.named(WaveKind, wire.kind),
        rate_hz=wire.rate_hz,
        patient=common.patient_from_wire(wire.patient) if wire.HasField("patient") else None,
        begun=common.from_us(wire.begun_us),
        samples=np.frombuffer(wire.samples, SAMPLE).astype(np.float32),
        last_beat=wire.last_beat if wire.HasField("last_beat") else None,
        heard=wire.heard if wire.HasField("heard") else None,
        doubtful_until=wire.doubtful_until if wire.HasField("doubtful_until") else None,
    )
