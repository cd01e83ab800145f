"""Margins of the intervals for each group of windows: by presence pattern and band of gestational age.

A group of fewer than ``LEAST_INFANTS`` has none of its own; ``domain.calibration.fallbacks`` says whose it takes.

Intervals shrink only where the windows that are in doubt can spare it. Many windows are certain (no pain: the interval
is 0) and covered at any level; what they have too much must not be taken from the windows with pain.

Intervals widen when evidence shrinks: a pattern's margins are raised until its intervals, on the same windows, are
wider on average than those of every pattern that has one modality more. The widths are compared and not the margins,
since the model itself gives wider quantiles for less; where it does so enough, nothing is raised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from neopain.domain.calibration import (
    ANY,
    INTERVALS,
    PATTERNS,
    POOLED,
    Calibration,
    Floats,
    Group,
    Margins,
    ends_of,
    identity,
)
from neopain.domain.gestation import GA_BAND_NAMES
from neopain.domain.score import SCALE_MAX
from neopain.training.conformal import Ints, margin, nonconformity
from neopain.training.rated import Bools, Rated

LEAST_INFANTS = 20
"""With fewer, a 95 % interval is the whole scale, and the coverage of any is a matter of luck."""
CERTAIN = 0.35
"""Width of an interval that holds one label at most: half a step of two raters' mean NIPS x10/7."""
WIDER = 1.03
"""How many times as wide intervals are at least when a modality is gone, on the infants of the calibration; on others
it was less by up to two hundredths (simulated ones: 250 of seed 103 in halves, 127 of seed 2001)."""
SURE = 2 / 3
"""Share of the calibrations, with other infants each time, whose margins hold what is said. On average over them a half
would do; more than this makes intervals of large groups wider than they say."""
DECIMALS = 4
MOST_STEPS = 200


def group_margins(rated: Rated, mapped: Floats) -> dict[Group, Margins]:
    """Margins of every group that has enough infants, and of all windows pooled.

    ``mapped`` [n, 9] are the quantiles of the rows after a map (``Calibration.mapped``) that did not see the row's
    infant.
    """
    fitting = _Fitting(rated, mapped, identity())
    found = {POOLED: fitting.margins(POOLED)}
    for group in _groups():
        if rated.count_infants(rated.of_group(group)) >= LEAST_INFANTS:
            found[group] = fitting.widened(group, found)
    return found


def _groups() -> Iterator[Group]:
    """All but the pooled one; a pattern comes after those that have more, and before its bands."""
    yield from ((ANY, band) for band in GA_BAND_NAMES)
    yield from ((pattern, band) for pattern in PATTERNS for band in (ANY, *GA_BAND_NAMES))


@dataclass(frozen=True, slots=True)
class _Fitting:
    """Rows with their mapped quantiles, and what applies margins to these: a calibration that maps no more."""

    rated: Rated
    quantiles: Floats
    served: Calibration

    def margins(self, group: Group) -> Margins:
        """The conformal margins of a group."""
        rows = self.rated.of_group(group)
        label, infants = self.rated.label[rows, None], self.rated.infants[rows]
        median, low, high = ends_of(self.quantiles[rows])
        # No margin uncovers the median, or what lies at an end of the scale that is the interval's.
        open_low = np.where((low > 0) & (label < median), low, -np.inf)
        open_high = np.where((high < SCALE_MAX) & (label > median), high, np.inf)
        scores = nonconformity(open_low, open_high, label)
        in_doubt = high - low > CERTAIN
        widths = [_margin(scores[:, k], infants, in_doubt[:, k], level=level) for k, level in enumerate(INTERVALS)]
        return Margins(_stored(widths), infants=self.rated.count_infants(rows))

    def widened(self, group: Group, found: Mapping[Group, Margins]) -> Margins:
        """The margins of a group, raised where it has less evidence than groups that are found already."""
        margins = self.margins(group)
        served = replace(self.served, margins=dict(found))
        for fuller in _one_more(group[0]):
            rows, others = self._in_both(group, (fuller, group[1]))
            if self.rated.count_infants(rows) >= LEAST_INFANTS:
                wide = self._mean_widths(others, served.margins_for(pattern=fuller, band=group[1]))
                floor = (WIDER * wide).clip(max=SCALE_MAX)
                margins = replace(margins, widths=self._raised(margins.widths, rows, floor))
        return margins

    def _in_both(self, group: Group, other: Group) -> tuple[Bools, Bools]:
        """The rows of either group whose moments have a row in the other one, too."""
        one, two = self.rated.of_group(group), self.rated.of_group(other)
        moments = self.rated.moments
        return one & np.isin(moments, moments[two]), two & np.isin(moments, moments[one])

    def _mean_widths(self, rows: Bools, margins: npt.ArrayLike) -> Floats:
        """Mean width [4] of the intervals of the rows with those margins."""
        _, low, high = ends_of(self.served.with_margins(self.quantiles[rows], margins))
        widths: Floats = (high - low).mean(axis=0)
        return widths

    def _raised(self, widths: tuple[float, ...], rows: Bools, floor: Floats) -> tuple[float, ...]:
        """Margins with which the intervals of the rows are at least as wide as the floor, or the whole scale."""
        raised = widths
        for _ in range(MOST_STEPS):
            lacking = floor - self._mean_widths(rows, raised)
            if not (lacking > 0).any():
                break
            # Both ends move: half of what is lacking never goes too far, and less than half where an end is reached.
            raised = _stored(np.array(raised) + lacking.clip(min=0) / 2)
        return raised


def _margin(scores: Floats, infants: Ints, in_doubt: Bools, *, level: float) -> float:
    """The margin for all of the windows; below 0 only as far as those in doubt keep the level by themselves."""
    spared = margin(scores[in_doubt], infants[in_doubt], level=level, sure=SURE)
    return max(margin(scores, infants, level=level, sure=SURE), min(spared, 0.0))


def _one_more(pattern: str) -> Iterator[str]:
    return (fuller for fuller in PATTERNS if pattern and len(fuller) == len(pattern) + 1 and set(pattern) < set(fuller))


def _stored(widths: npt.ArrayLike) -> tuple[float, ...]:
    """Margins as they are kept: finite, and rounded up so that what lay on the border is inside."""
    bounded = np.clip(widths, -SCALE_MAX, SCALE_MAX)
    return tuple((np.ceil(bounded * 10**DECIMALS) / 10**DECIMALS + 0.0).tolist())  # no -0.0
