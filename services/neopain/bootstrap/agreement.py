"""``neopain agreement report``: suggestions against what nurses made of them, by unit and month.

Both in whole points of NIPS: a suggestion is x7/10 and rounded, halves up; accepting it says that it is right, a
nurse's own score is its total. A rejection has no number. She had seen the suggestion: this is not the agreement of
independent raters, and higher than that.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec

from neopain.charting.agreement import ReviewedEntry, read_reviewed, read_study_pairs
from neopain.charting.settings import ChartingSettings
from neopain.domain.identity import unit_of
from neopain.domain.review import ReviewAct
from neopain.domain.scales import NIPS_X10_7
from neopain.errors import ConfigurationError
from neopain.runtime.settings import read_settings

NOTICE = "nurses had seen the suggestion: not the agreement of independent raters"
STUDY_NOTICE = "of studies: nurses scored before they could see the suggestion"
ALL = "all"
MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
SEED = 1
RESAMPLES = 2000
HEADS = ("unit", "month", "reviewed", "accepted", "rejected", "changed", "pairs", "infants", "kappa", "ICC(2,1)", "MAE")


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 95 % interval over infants; None where it cannot be told."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """One unit's month, or all. ``pairs`` have both numbers; the figures are of them, in points of NIPS.

    ``kappa`` has quadratic weights; ``difference_changed`` is the nurse's less the suggestion's where she changed it.
    """

    unit: str
    month: str
    reviewed: int
    accepted: int
    rejected: int
    changed: int
    pairs: int
    infants: int
    kappa: Interval
    icc: Interval
    mean_absolute_difference: float | None
    difference_changed: float | None


def report_agreement(*, unit: str, month: str, as_json: bool, of_study: bool = False) -> int:
    """Prints a line for each unit and month, and one for all. ``ConfigurationError`` for a month that is none."""
    if month and not MONTH.fullmatch(month):
        raise ConfigurationError(f"--month is {month}, and a month is written YYYY-MM")
    if find_spec("scipy") is None:
        raise ConfigurationError("scipy is not installed: run './neopain install training', then try again")
    read, notice = (read_study_pairs, STUDY_NOTICE) if of_study else (read_reviewed, NOTICE)
    reviewed = [
        one
        for one in read(read_settings(ChartingSettings).database_url)
        if unit in ("", _unit(one), unit_of(one.bed).name) and month in ("", _month(one))
    ]
    found = list(agreements(reviewed))
    told = (
        json.dumps({"notice": notice, "agreement": [asdict(one) for one in found]}) if as_json else _text(found, notice)
    )
    print(told)
    return 0


def agreements(reviewed: Sequence[ReviewedEntry], *, resamples: int = RESAMPLES) -> Iterator[Agreement]:
    """Of each unit and month (UTC, of the review) in order, and at last of all of them.

    ``resamples`` are what the intervals are made from.
    """
    groups: dict[tuple[str, str], list[ReviewedEntry]] = {}
    for one in reviewed:
        groups.setdefault((_unit(one), _month(one)), []).append(one)
    for (unit, month), ones in sorted(groups.items()):
        yield _agreement(unit, month, ones, resamples)
    yield _agreement(ALL, ALL, reviewed, resamples)


def _agreement(unit: str, month: str, reviewed: Sequence[ReviewedEntry], resamples: int) -> Agreement:
    acts = [one.act for one in reviewed]
    pairs = [(one, *pair) for one in reviewed if (pair := _pair(one)) is not None]
    changed = [nurse - ours for one, ours, nurse in pairs if one.act is ReviewAct.CHANGE]
    kappa, icc = _figures(pairs, resamples)
    return Agreement(
        unit=unit,
        month=month,
        reviewed=len(reviewed),
        accepted=acts.count(ReviewAct.ACCEPT),
        rejected=acts.count(ReviewAct.REJECT),
        changed=acts.count(ReviewAct.CHANGE),
        pairs=len(pairs),
        infants=len({one.infant for one, _, _ in pairs}),
        kappa=kappa,
        icc=icc,
        mean_absolute_difference=_mean(abs(nurse - ours) for _, ours, nurse in pairs),
        difference_changed=_mean(changed),
    )


def _pair(one: ReviewedEntry) -> tuple[int, int] | None:
    """The suggestion and the nurse, both 0 to 7."""
    if one.suggested is None or one.act is ReviewAct.REJECT:
        return None
    # Rounded as a flowsheet rounds it: 3.5 is 4.
    ours = math.floor(NIPS_X10_7.to_raw(one.suggested) + 0.5)
    nurse = ours if one.act is ReviewAct.ACCEPT else one.nips
    return None if nurse is None else (ours, nurse)


def _figures(pairs: Sequence[tuple[ReviewedEntry, int, int]], resamples: int) -> tuple[Interval, Interval]:
    import numpy as np

    from neopain.training.statistics.bootstrap import cluster_bootstrap
    from neopain.training.statistics.icc import IccForm, icc_value
    from neopain.training.statistics.kappa import KappaWeights, kappa_by_subject

    if len(pairs) < 2:
        return Interval(None, None, None), Interval(None, None, None)
    ours, nurse = (np.array(column, float) for column in zip(*((a, b) for _, a, b in pairs), strict=True))
    infants = [one.infant for one, _, _ in pairs]
    both = np.column_stack([ours, nurse])
    kappa = kappa_by_subject(ours, nurse, infants, weights=KappaWeights.QUADRATIC, seed=SEED, resamples=resamples)
    icc = cluster_bootstrap(
        lambda rows: icc_value(both[rows], IccForm.AGREEMENT), infants, seed=SEED, resamples=resamples
    )
    return Interval(*map(_told, (kappa.value, kappa.low, kappa.high))), Interval(
        *map(_told, (icc.value, icc.low, icc.high))
    )


def _told(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return round(sum(found) / len(found), 4) if found else None


def _unit(one: ReviewedEntry) -> str:
    unit = unit_of(one.bed)
    return f"{unit.name}@{unit.facility}" if unit.facility else unit.name


def _month(one: ReviewedEntry) -> str:
    return f"{one.moment:%Y-%m}"


def _text(found: Sequence[Agreement], notice: str) -> str:
    rows = [HEADS, *(_row(one) for one in found)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEADS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, f"In whole points of NIPS; intervals of 95 % over infants. {notice.capitalize()}."])


def _row(one: Agreement) -> tuple[str, ...]:
    counts = (one.reviewed, one.accepted, one.rejected, one.changed, one.pairs, one.infants)
    mae = "-" if one.mean_absolute_difference is None else f"{one.mean_absolute_difference:.2f}"
    return (one.unit, one.month, *map(str, counts), _interval(one.kappa), _interval(one.icc), mae)


def _interval(one: Interval) -> str:
    if one.value is None:
        return "-"
    if one.low is None or one.high is None:
        return f"{one.value:.2f}"
    return f"{one.value:.2f} ({one.low:.2f} to {one.high:.2f})"
