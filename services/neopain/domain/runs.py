"""The windows that an entry rests on, kept with it in short: when each ended, and whom its sources named.

Windows themselves are forgotten soon after their entry; whose they were may be asked for much later.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from neopain.domain.identity import PatientId
from neopain.domain.score import Score


@dataclass(frozen=True, slots=True)
class Run:
    """Windows of the same distance whose sources named the same patients: ``first``, ``first + step``, and so on."""

    first: datetime
    step: timedelta
    count: int
    named: tuple[PatientId, ...] = ()

    @property
    def last(self) -> datetime:
        """End of the last window."""
        return self.first + (self.count - 1) * self.step

    def ends(self) -> list[datetime]:
        """End of each window, in order."""
        return [self.first + number * self.step for number in range(self.count)]

    def first_from(self, moment: datetime) -> datetime | None:
        """End of the first window that does not end before the moment; None if they all do."""
        if moment <= self.first:
            return self.first
        if moment > self.last:
            return None
        return self.first + -((self.first - moment) // self.step) * self.step


def runs_of(windows: Iterable[Score]) -> tuple[Run, ...]:
    """The windows as runs; of one that was scored twice, both, where their sources named others."""
    seen = sorted({(score.window_end, score.patients) for score in windows}, key=lambda one: (one[0], str(one[1])))
    runs: list[Run] = []
    for end, named in seen:
        longer = _with(runs[-1], end, named) if runs else None
        if longer is not None:
            runs[-1] = longer
        else:
            runs.append(Run(end, timedelta(0), 1, named))
    return tuple(runs)


def _with(run: Run, end: datetime, named: tuple[PatientId, ...]) -> Run | None:
    """The run with one more window; None if that is none of it."""
    if named != run.named:
        return None
    if run.count == 1:
        return replace(run, step=end - run.first, count=2)
    return replace(run, count=run.count + 1) if end - run.last == run.step else None
