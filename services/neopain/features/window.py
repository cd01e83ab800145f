"""A window: from everything that was read of a bed to the five arrays, and which modalities are in them.

Pure and stateless: the same items in any order give the same window, and what lies outside of it changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from neopain.domain.census import BedState
from neopain.domain.drugs import DrugMark
from neopain.domain.media import AudioChunk, FaceFrame, MovementSample
from neopain.domain.score import Modality, Presence
from neopain.domain.vitals import Baseline, VitalKind, VitalsBatch
from neopain.domain.window import SHORTEST_DATA
from neopain.features.absence import Absence, Heard, why_absent
from neopain.features.clip import face_clip
from neopain.features.context import ContextItems, context_vector
from neopain.features.cry import cry_window
from neopain.features.pack import WindowTensors
from neopain.features.signature import VITALS_RATE_HZ, VITALS_STEPS
from neopain.features.vitals_grid import Channel, emptied, stack, vitals_channels

PHYSIOLOGY_CHANNELS = (
    VitalKind.RR_INTERVAL.value,
    VitalKind.HEART_RATE.value,
    VitalKind.SPO2.value,
    VitalKind.RESPIRATION.value,
)
OF_MEDIA = (Modality.FACE, Modality.CRY, Modality.MOVEMENT)
LEAST_STEPS = int(SHORTEST_DATA.total_seconds() * VITALS_RATE_HZ)


@dataclass(frozen=True, slots=True)
class WindowItems:
    """What was read for the window of one bed that ends at ``end``; more than the window needs does no harm."""

    end: datetime
    batches: tuple[VitalsBatch, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    frames: tuple[FaceFrame, ...] = ()
    chunks: tuple[AudioChunk, ...] = ()
    movements: tuple[MovementSample, ...] = ()
    bed_state: BedState | None = None
    drugs: tuple[DrugMark, ...] = ()
    """What hides pain and is in effect in the window, of whoever may lie in the bed."""
    is_media_away: bool = False
    """Whether frames, sound and movement could not be read, which is not to say that there were none."""

    @property
    def measured(self) -> tuple[VitalsBatch | FaceFrame | AudioChunk | MovementSample, ...]:
        """Everything that a device at the bed sent."""
        return (*self.batches, *self.frames, *self.chunks, *self.movements)


@dataclass(frozen=True, slots=True)
class Window:
    """The arrays, and one ``Presence`` for each modality: face, cry, physiology, movement."""

    tensors: WindowTensors
    presences: tuple[Presence, ...]

    @property
    def is_empty(self) -> bool:
        """Whether no modality is present: there is nothing to score."""
        return not any(presence.is_present for presence in self.presences)


def since_arrival(items: WindowItems) -> WindowItems:
    """The items without what is from before the bed's present state: from whoever lay there before, or from nobody.

    A window that spans a transfer would else be one infant's face with another's heart.
    """
    if items.bed_state is None:
        return items
    since = items.bed_state.since
    return replace(
        items,
        batches=tuple(kept for batch in items.batches if (kept := _samples_since(batch, since)).samples),
        baselines=tuple(_baseline_since(baseline, since) for baseline in items.baselines),
        frames=tuple(frame for frame in items.frames if frame.timing.aligned >= since),
        chunks=tuple(chunk for chunk in items.chunks if chunk.timing.aligned >= since),
        movements=tuple(sample for sample in items.movements if sample.timing.aligned >= since),
    )


def _samples_since(batch: VitalsBatch, since: datetime) -> VitalsBatch:
    samples = tuple(sample for sample in batch.samples if sample.timing.aligned >= since)
    return replace(batch, samples=samples)


def _baseline_since(baseline: Baseline, since: datetime) -> Baseline:
    """Without medians of a time that began before, and without a pressure from before."""
    is_own = baseline.computed - timedelta(seconds=baseline.span_seconds) >= since
    pressure = baseline.pressure
    return replace(
        baseline,
        medians=baseline.medians if is_own else {},
        pressure=pressure if pressure is not None and pressure.timing.aligned >= since else None,
    )


def assemble(items: WindowItems) -> Window:
    """The window of the items; ``ContractBroken`` when an item is not what ingest promises."""
    face = face_clip(items.frames, items.end)
    cry = cry_window(items.chunks, items.end)
    channels = vitals_channels(items.batches, items.movements, items.end)
    physiology = _presence(Modality.PHYSIOLOGY, channels, PHYSIOLOGY_CHANNELS, Absence.NO_MONITOR)
    movement = _presence(Modality.MOVEMENT, channels, (VitalKind.MOVEMENT.value,), Absence.NO_CAMERA)
    channels = _without_absent(channels, has_physiology=physiology.is_present, has_movement=movement.is_present)
    context = ContextItems(items.batches, items.baselines, items.bed_state)
    has_vitals = physiology.is_present or movement.is_present
    tensors = WindowTensors(
        clip=face.frames,
        cry=cry.samples,
        vitals=stack(channels),
        context=context_vector(context, channels, items.end),
        present=np.array([face.presence.is_present, cry.presence.is_present, has_vitals], np.bool_),
    )
    presences = (face.presence, cry.presence, physiology, movement)
    return Window(tensors, tuple(map(_not_read, presences)) if items.is_media_away else presences)


def _not_read(presence: Presence) -> Presence:
    return replace(presence, reason=Absence.MEDIA_AWAY.value) if presence.modality in OF_MEDIA else presence


def _presence(modality: Modality, channels: Mapping[str, Channel], names: tuple[str, ...], silent: Absence) -> Presence:
    """Present when one of the channels holds the shortest data; coverage is where any of them may be read."""
    own = [channels[name] for name in names]
    coverage = float(np.any([channel.mask for channel in own], axis=0).sum()) / VITALS_STEPS
    if max(int(channel.mask.sum()) for channel in own) >= LEAST_STEPS:
        return Presence(modality, True, coverage)
    heard = sum((channel.heard for channel in own), Heard())
    return Presence(modality, False, coverage, why_absent(heard, silent).value)


def _without_absent(channels: Mapping[str, Channel], *, has_physiology: bool, has_movement: bool) -> dict[str, Channel]:
    keep = dict.fromkeys(PHYSIOLOGY_CHANNELS, has_physiology) | {VitalKind.MOVEMENT.value: has_movement}
    return {name: channel if keep[name] else emptied(channel) for name, channel in channels.items()}
