"""How well the raters of a data set agree, before their scores become labels.

Takes a table of ratings; ``training.statistics`` knows the formulae, ``training.resolution`` what becomes of
disagreements. Segments of one infant resemble each other: every interval comes from a bootstrap of whole infants, and
the ICC of segments rated by the same raters has its F interval as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt

from neopain.domain.annotation import Scale
from neopain.training.rating_table import RatingTable, check_threshold
from neopain.training.statistics.bland_altman import BlandAltman, bland_altman
from neopain.training.statistics.bootstrap import RESAMPLES, cluster_bootstrap
from neopain.training.statistics.deviation import bias, mae
from neopain.training.statistics.icc import IccForm, icc, icc_one_way_unbalanced, icc_value
from neopain.training.statistics.kappa import KappaWeights, kappa_by_subject, mean_pair_kappa
from neopain.training.statistics.sample import UNKNOWN, Estimated, Floats, Indices

LEAST_ICC: Final = 0.75
"""Where "good" begins (Koo & Li 2016, J Chiropr Med 15:155-163)."""
LEAST_KAPPA: Final = 0.61
"""Where "substantial" begins (Landis & Koch 1977, Biometrics 33:159-174), applied to the quadratic weights."""

SEED: Final = 1


@dataclass(frozen=True, slots=True)
class IccFigures:
    """An ICC with its F interval, and the interval over infants; the F interval takes segments as independent."""

    by_f: Estimated
    by_infant: Estimated


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two raters over the segments that both rated. Differences are the second rater's score minus the first's."""

    raters: tuple[str, str]
    n_segments: int
    n_infants: int
    kappa_linear: Estimated
    kappa_quadratic: Estimated
    icc_agreement: IccFigures
    icc_consistency: IccFigures
    mean_difference: float
    mean_absolute_difference: float
    limits: BlandAltman
    share_within_threshold: float


@dataclass(frozen=True, slots=True)
class OverallAgreement:
    """All raters together.

    Kappa is the mean over pairs. ``icc_one_way`` counts every segment with two ratings or more, whoever gave them;
    ``icc_agreement`` and ``icc_consistency`` those that every rater rated, of which there may be few or none.
    """

    n_segments: int
    n_infants: int
    kappa_linear: Estimated
    kappa_quadratic: Estimated
    icc_one_way: Estimated
    n_rated_by_all: int
    icc_agreement: IccFigures
    icc_consistency: IccFigures


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was found, and in ``shortfalls`` one sentence for each figure that is below its limit or not computable."""

    scale: Scale
    threshold: float
    raters: tuple[str, ...]
    n_segments: int
    n_infants: int
    n_rated_once: int
    pairs: tuple[PairAgreement, ...]
    overall: OverallAgreement
    shortfalls: tuple[str, ...]


def agreement(table: RatingTable, *, threshold: float, seed: int = SEED, resamples: int = RESAMPLES) -> Agreement:
    """Compares the raters, each pair and all together; ``threshold`` is in points of the scale."""
    check_threshold(threshold, table.scale)
    bootstrap = _Bootstrap(seed, resamples)
    compared = [_pair(table, pair, threshold, bootstrap) for pair in combinations(range(len(table.raters)), 2)]
    pairs = tuple(pair for pair in compared if pair is not None)
    overall = _overall(table, bootstrap)
    return Agreement(
        scale=table.scale,
        threshold=threshold,
        raters=table.raters,
        n_segments=len(table.segments),
        n_infants=len(set(table.subjects)),
        n_rated_once=int((np.isfinite(table.scores).sum(axis=1) == 1).sum()),
        pairs=pairs,
        overall=overall,
        shortfalls=_shortfalls(pairs, overall),
    )


@dataclass(frozen=True, slots=True)
class _Bootstrap:
    seed: int
    resamples: int

    def over(self, statistic: Callable[[Indices], float], subjects: Sequence[str]) -> Estimated:
        return cluster_bootstrap(statistic, subjects, seed=self.seed, resamples=self.resamples)

    def icc(self, scores: Floats, subjects: Sequence[str], form: IccForm) -> IccFigures:
        by_infant = self.over(lambda rows: icc_value(scores[rows], form), subjects)
        return IccFigures(by_f=icc(scores, form), by_infant=by_infant)

    def kappa(self, scores: Floats, subjects: Sequence[str], weights: KappaWeights) -> Estimated:
        return kappa_by_subject(
            scores[:, 0], scores[:, 1], subjects, weights=weights, seed=self.seed, resamples=self.resamples
        )


def _rows(table: RatingTable, kept: npt.ArrayLike) -> tuple[Floats, list[str]]:
    rows = np.flatnonzero(np.asarray(kept))
    return table.scores[rows], [table.subjects[row] for row in rows]


def _pair(table: RatingTable, pair: tuple[int, int], threshold: float, bootstrap: _Bootstrap) -> PairAgreement | None:
    """None for two raters who share no segment."""
    both, subjects = _rows(table, np.isfinite(table.scores[:, pair]).all(axis=1))
    if not subjects:
        return None
    scores = both[:, pair]
    first, second = scores.T
    return PairAgreement(
        raters=(table.raters[pair[0]], table.raters[pair[1]]),
        n_segments=len(subjects),
        n_infants=len(set(subjects)),
        kappa_linear=bootstrap.kappa(scores, subjects, KappaWeights.LINEAR),
        kappa_quadratic=bootstrap.kappa(scores, subjects, KappaWeights.QUADRATIC),
        icc_agreement=bootstrap.icc(scores, subjects, IccForm.AGREEMENT),
        icc_consistency=bootstrap.icc(scores, subjects, IccForm.CONSISTENCY),
        mean_difference=bias(second, first),
        mean_absolute_difference=mae(second, first),
        limits=bland_altman(second - first, subjects),
        share_within_threshold=float((np.abs(second - first) <= threshold).mean()),
    )


def _overall(table: RatingTable, bootstrap: _Bootstrap) -> OverallAgreement:
    several, subjects = _rows(table, np.isfinite(table.scores).sum(axis=1) >= 2)
    by_all, their_subjects = _rows(table, np.isfinite(table.scores).all(axis=1))

    def kappa(weights: KappaWeights) -> Estimated:
        return bootstrap.over(lambda rows: mean_pair_kappa(several[rows], weights), subjects)

    def crossed(form: IccForm) -> IccFigures:
        return bootstrap.icc(by_all, their_subjects, form) if their_subjects else IccFigures(UNKNOWN, UNKNOWN)

    return OverallAgreement(
        n_segments=len(subjects),
        n_infants=len(set(subjects)),
        kappa_linear=kappa(KappaWeights.LINEAR),
        kappa_quadratic=kappa(KappaWeights.QUADRATIC),
        icc_one_way=bootstrap.over(lambda rows: icc_one_way_unbalanced(several[rows]), subjects),
        n_rated_by_all=len(their_subjects),
        icc_agreement=crossed(IccForm.AGREEMENT),
        icc_consistency=crossed(IccForm.CONSISTENCY),
    )


def _shortfalls(pairs: Sequence[PairAgreement], overall: OverallAgreement) -> tuple[str, ...]:
    found = [_shortfall("all raters", "quadratic kappa", overall.kappa_quadratic.value, LEAST_KAPPA)]
    found.append(_shortfall("all raters", IccForm.ONE_WAY.value, overall.icc_one_way.value, LEAST_ICC))
    for pair in pairs:
        who = " and ".join(pair.raters)
        found.append(_shortfall(who, "quadratic kappa", pair.kappa_quadratic.value, LEAST_KAPPA))
        found.append(_shortfall(who, IccForm.AGREEMENT.value, pair.icc_agreement.by_f.value, LEAST_ICC))
    return tuple(told for told in found if told)


def _shortfall(who: str, figure: str, value: float, least: float) -> str:
    if np.isnan(value):
        return f"{who}: {figure} cannot be computed: too few segments, or every score is the same"
    return f"{who}: {figure} {value:.2f} is below {least:g}" if value < least else ""
