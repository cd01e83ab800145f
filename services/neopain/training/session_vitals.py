"""A session's vitals table as scoring would have read it: samples in the order of time, and baselines."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

from neopain.codecs.vitals_table import BASELINE_KINDS, VitalRow, read_vitals
from neopain.domain.identity import recording_bed
from neopain.domain.time import recorded_timing
from neopain.domain.vitals import Baseline, VitalKind, VitalSample
from neopain.domain.window import VITALS_SPAN
from neopain.errors import ConfigurationError, UnreadableRecording
from neopain.features.baseline import BACK, BLOOD_PRESSURE_LIFE, baseline_of, newest_pressure
from neopain.features.context import BASELINE_LIFE

SESSION_START: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Data sets carry no dates, windows need one: every session starts here."""
BED: Final = recording_bed("data-set")

LEAST_BEFORE: Final = timedelta(minutes=2)
"""With less of a session before the window, no baseline is computed."""
_SESSIONS_KEPT: Final = 8


@dataclass(frozen=True, slots=True)
class SessionVitals:
    """``seconds`` are the times of ``samples`` since the start of the session; ``baselines`` those of the table."""

    seconds: tuple[float, ...]
    samples: tuple[VitalSample, ...]
    baselines: tuple[Baseline, ...]
    has_movement: bool

    def between(self, first: float, last: float) -> tuple[VitalSample, ...]:
        """The samples from one time to another, both included."""
        return self.samples[bisect_left(self.seconds, first) : bisect_right(self.seconds, last)]

    def baselines_before(self, end: float) -> tuple[Baseline, ...]:
        """The baseline that scoring would have had, with the newest blood pressure of the last hour; at most one.

        It is the table's newest, where it has one of the last three minutes, or computed at ``end`` if there is enough
        before the window.
        """
        now = moment(end)
        fresh = [one for one in self.baselines if timedelta(0) <= now - one.computed <= BASELINE_LIFE]
        found = max(fresh, key=lambda one: one.computed) if fresh else self._computed(end)
        if found is None:
            return ()
        pressures = self.between(end - BLOOD_PRESSURE_LIFE.total_seconds(), end)
        return (replace(found, pressure=newest_pressure(pressures, now)),)

    def _computed(self, end: float) -> Baseline | None:
        before_window = end - VITALS_SPAN.total_seconds()
        found = [
            sample
            for sample in self.between(end - BACK.total_seconds(), before_window)
            if sample.kind in BASELINE_KINDS
        ]
        if not found or found[0].timing.aligned > moment(before_window) - LEAST_BEFORE:
            return None
        return baseline_of(BED, found, moment(end))


NO_VITALS: Final = SessionVitals((), (), (), has_movement=False)


def moment(seconds: float) -> datetime:
    """The time so many seconds after the start of a session."""
    return SESSION_START + timedelta(seconds=seconds)


def read_session_vitals(path: Path) -> SessionVitals:
    """The vitals of a file; the last few files are kept, since the segments of a session share one.

    ``UnreadableRecording`` names the file and the reason.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise UnreadableRecording(f"{path}: cannot be opened ({error.strerror})") from error
    return _read(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=_SESSIONS_KEPT)
def _read(path: Path, _size: int, _changed: int) -> SessionVitals:
    try:
        rows = read_vitals(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableRecording(f"{path}: cannot be opened ({error.strerror})") from error
    except (UnicodeDecodeError, ConfigurationError) as error:
        raise UnreadableRecording(f"{path}: {error}") from error
    return session_vitals(rows)


def session_vitals(rows: Iterable[VitalRow]) -> SessionVitals:
    """The rows of a vitals table, in whatever order they come."""
    ordered = sorted(rows, key=lambda row: row.seconds)
    values = [row for row in ordered if not row.is_baseline]
    medians: dict[float, dict[VitalKind, float]] = defaultdict(dict)
    for row in ordered:
        if row.is_baseline:
            medians[row.seconds][row.kind] = row.value
    return SessionVitals(
        seconds=tuple(row.seconds for row in values),
        samples=tuple(_sample(row) for row in values),
        baselines=tuple(
            Baseline(BED, moment(seconds), BACK.total_seconds(), found) for seconds, found in medians.items()
        ),
        has_movement=any(row.kind is VitalKind.MOVEMENT for row in values),
    )


def _sample(row: VitalRow) -> VitalSample:
    at = moment(row.seconds)
    return VitalSample(row.kind, row.value, recorded_timing(received=at, source=at), row.validity)
