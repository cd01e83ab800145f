"""CONTEXT: what changes slowly around a window, each value with a mask; 0 and mask 0 where it is not known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from neopain.domain.census import BedState
from neopain.domain.vitals import Baseline, VitalKind, VitalsBatch
from neopain.features.baseline import newest_pressure
from neopain.features.hrv import heart_rate_variability
from neopain.features.signature import CONTEXT_FIELDS
from neopain.features.vitals_grid import Channel, readings_of

BASELINE_LIFE = timedelta(minutes=3)
"""A baseline comes once a minute; an older one is not a baseline of now."""

BASELINE_KINDS = {
    "baseline_heart_rate_delta": VitalKind.HEART_RATE,
    "baseline_spo2_delta": VitalKind.SPO2,
    "baseline_respiration_delta": VitalKind.RESPIRATION,
}

MONITORED = (VitalKind.RR_INTERVAL, *BASELINE_KINDS.values())
DAYS_PER_WEEK = 7


@dataclass(frozen=True, slots=True)
class ContextItems:
    """What the context is made of, in any order; ``bed_state`` is None where no census is known."""

    batches: tuple[VitalsBatch, ...]
    baselines: tuple[Baseline, ...]
    bed_state: BedState | None


def context_vector(items: ContextItems, channels: Mapping[str, Channel], end: datetime) -> npt.NDArray[np.float32]:
    """CONTEXT, float32 [2k]: the fields of ``CONTEXT_FIELDS`` in their units, then their masks as 0 and 1.

    ``channels`` are those that VITALS is stacked from: a value that is masked there has no delta here.
    """
    known = {
        **_baseline_deltas(items.baselines, channels, end),
        **_beats(items.batches, channels, end),
        **_blood_pressure(items, channels, end),
        **_ages(items.bed_state, end),
    }
    values = [known.get(field, 0.0) for field in CONTEXT_FIELDS]
    masks = [float(field in known) for field in CONTEXT_FIELDS]
    return np.array([*values, *masks], np.float32)


def _baseline_deltas(baselines: Iterable[Baseline], channels: Mapping[str, Channel], end: datetime) -> dict[str, float]:
    """Mean of the window's valid values less the median of the newest baseline."""
    fresh = [one for one in baselines if one.medians and timedelta(0) <= end - one.computed <= BASELINE_LIFE]
    if not fresh:
        return {}
    medians = max(fresh, key=lambda one: (one.computed, one.span_seconds)).medians
    deltas: dict[str, float] = {}
    for field, kind in BASELINE_KINDS.items():
        channel = channels[kind.value]
        if kind in medians and channel.mask.any():
            deltas[field] = float(channel.values[channel.mask].mean()) - medians[kind]
    return deltas


def _beats(batches: Iterable[VitalsBatch], channels: Mapping[str, Channel], end: datetime) -> dict[str, float]:
    """Whether there are beats, and their variability; how long a monitor averages is not said on the wire yet."""
    has_beats = bool(channels[VitalKind.RR_INTERVAL.value].mask.any())
    if not any(channels[kind.value].mask.any() for kind in MONITORED):
        return {}
    known = {"source_has_beats": float(has_beats)}
    if has_beats:
        sources = readings_of(VitalKind.RR_INTERVAL, batches, end)
        most = max(sorted(sources, key=str), key=lambda source: len(sources[source]))
        variability = heart_rate_variability(sources[most])
        if variability is not None:
            known |= {"rmssd_ms": variability.rmssd_ms, "sdnn_ms": variability.sdnn_ms}
    return known


def _blood_pressure(items: ContextItems, channels: Mapping[str, Channel], end: datetime) -> dict[str, float]:
    """The newest usable mean pressure of the last hour, and how old it is at ``end``; it is a part of physiology, and
    absent where that is. One that is older than what is read of the vitals comes with the baseline."""
    if not any(channels[kind.value].mask.any() for kind in MONITORED):
        return {}
    kept = [one.pressure for one in items.baselines if one.pressure is not None]
    newest = newest_pressure([*(sample for batch in items.batches for sample in batch.samples), *kept], end)
    if newest is None:
        return {}
    age = (end - newest.timing.aligned).total_seconds()
    return {"blood_pressure_mean": newest.value, "blood_pressure_age_seconds": age}


def _ages(state: BedState | None, end: datetime) -> dict[str, float]:
    """Gestational and postmenstrual age in weeks; of a held bed nobody knows whose they would be."""
    if state is None or state.infant is None or state.is_held or state.infant.gestational_age_days is None:
        return {}
    gestational_days = float(state.infant.gestational_age_days)
    known = {"gestational_age_weeks": gestational_days / DAYS_PER_WEEK}
    if state.infant.born is not None and state.infant.born <= end:
        lived_days = (end - state.infant.born) / timedelta(days=1)
        known["postmenstrual_age_weeks"] = (gestational_days + lived_days) / DAYS_PER_WEEK
    return known
