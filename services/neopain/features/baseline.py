"""The baseline of a bed: medians of the minutes before a window, with which the window is compared, and the newest
blood pressure; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from statistics import median

from neopain.domain.identity import BedId
from neopain.domain.time import TimeQuality
from neopain.domain.vitals import Baseline, Validity, VitalKind, VitalSample, is_plausible
from neopain.domain.window import VITALS_SPAN

BACK = timedelta(minutes=10)
LEFT_OUT = VITALS_SPAN
"""The newest part is the window that will be compared with the baseline."""
BLOOD_PRESSURE_LIFE = timedelta(hours=1)
"""A cuff measures a few times a day in some wards; an older pressure says nothing of now."""


def newest_pressure(samples: Iterable[VitalSample], now: datetime) -> VitalSample | None:
    """The newest usable mean pressure of the last hour before ``now``; None if there is none."""
    usable = [one for one in samples if one.kind is VitalKind.BLOOD_PRESSURE_MEAN and _is_pressure(one, now)]
    return max(usable, key=lambda one: (one.timing.aligned, one.value), default=None)


def _is_pressure(sample: VitalSample, now: datetime) -> bool:
    return (
        timedelta(0) <= now - sample.timing.aligned <= BLOOD_PRESSURE_LIFE
        and sample.timing.quality is not TimeQuality.UNUSABLE
        and sample.validity is not Validity.INVALID
        and is_plausible(sample.kind, sample.value)
    )


def baseline_of(bed: BedId, samples: Iterable[VitalSample], now: datetime) -> Baseline | None:
    """The medians by kind of the good, plausible samples from 10 min to 30 s before ``now``; None if there are none."""
    first, last = now - BACK, now - LEFT_OUT
    values: dict[VitalKind, list[float]] = defaultdict(list)
    times: list[datetime] = []
    for sample in samples:
        if first <= sample.timing.aligned <= last and _is_usable(sample):
            values[sample.kind].append(sample.value)
            times.append(sample.timing.aligned)
    if not times:
        return None
    return Baseline(
        bed=bed,
        computed=now,
        span_seconds=(now - min(times)).total_seconds(),
        medians={kind: median(found) for kind, found in values.items()},
    )


def _is_usable(sample: VitalSample) -> bool:
    return sample.validity is Validity.GOOD and is_plausible(sample.kind, sample.value)
