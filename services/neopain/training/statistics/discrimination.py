"""Pain or not at a cut-off: area under the ROC curve, accuracy, sensitivity, specificity, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri
from scipy.stats import rankdata

from neopain.errors import ContractBroken
from neopain.training.statistics.bootstrap import RESAMPLES, cluster_bootstrap, cluster_rows
from neopain.training.statistics.sample import LEVEL, NAN, UNKNOWN, Estimated, Floats, is_usable

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class AtCutOff:
    """What a cut-off gives: predicted positive is a value above it. Shares in 0..1 with Wilson intervals."""

    cut_off: float
    accuracy: Estimated
    sensitivity: Estimated
    specificity: Estimated
    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int


def auc(values: Floats, positives: Flags) -> float:
    """Chance that a positive has the higher value, ties half (Hanley & McNeil 1982, Radiology 143:29-36).

    NaN when all are positive or none is.
    """
    _check(values, positives)
    n_positive = int(positives.sum())
    n_negative = positives.size - n_positive
    if n_positive == 0 or n_negative == 0 or not is_usable(values):
        return NAN
    rank_sum = float(rankdata(values)[positives].sum())
    return (rank_sum - n_positive * (n_positive + 1) / 2.0) / (n_positive * n_negative)


def auc_by_subject(
    values: Floats,
    positives: Flags,
    subjects: Sequence[str],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Estimated:
    """Area under the ROC curve with a percentile interval from a bootstrap of whole infants."""
    return cluster_bootstrap(
        lambda rows: auc(values[rows], positives[rows]), subjects, seed=seed, resamples=resamples, level=level
    )


def at_cut_off(
    values: Floats, positives: Flags, cut_off: float, *, subjects: Sequence[str] | None = None, level: float = LEVEL
) -> AtCutOff:
    """Accuracy, sensitivity and specificity of ``values`` above ``cut_off``; intervals as ``proportion`` makes them.

    ``positives`` says what is truly above the cut-off; NaN for a share of nothing.
    """
    _check(values, positives)
    if not is_usable(values):
        return AtCutOff(cut_off, UNKNOWN, UNKNOWN, UNKNOWN, 0, 0, 0, 0)
    called = values > cut_off
    right = called == positives

    def share(rows: Flags) -> Estimated:
        within = None if subjects is None else list(np.asarray(subjects, dtype=np.str_)[rows])
        return proportion(right[rows], subjects=within, level=level)

    return AtCutOff(
        cut_off=cut_off,
        accuracy=share(np.ones_like(positives)),
        sensitivity=share(positives),
        specificity=share(~positives),
        true_positives=int((called & positives).sum()),
        false_positives=int((called & ~positives).sum()),
        true_negatives=int((~called & ~positives).sum()),
        false_negatives=int((~called & positives).sum()),
    )


def proportion(hits: Flags, *, subjects: Sequence[str] | None = None, level: float = LEVEL) -> Estimated:
    """The share of hits with its Wilson interval (Wilson 1927, J Am Stat Assoc 22:209-212).

    Without ``subjects`` rows count as independent. With them the interval is that of the effective sample size: n over
    the design effect (Rao & Scott 1992, Biometrics 48:577-585), never more than n, and the number of infants where all
    are hits or none is; one infant alone gives no interval.
    """
    if hits.size == 0:
        return UNKNOWN
    share = float(hits.mean())
    effective = float(hits.size) if subjects is None else _effective_size(hits, share, subjects)
    return wilson(share, effective, level=level)


def wilson(share: float, n: float, *, level: float = LEVEL) -> Estimated:
    """Wilson's score interval of a share of n; no interval when n is not above 0."""
    if not n > 0.0:
        return Estimated(share)
    z = float(ndtri((1.0 + level) / 2.0))
    middle = (share + z * z / (2.0 * n)) / (1.0 + z * z / n)
    half = z * float(np.sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n))) / (1.0 + z * z / n)
    return Estimated(share, max(0.0, middle - half), min(1.0, middle + half))


def _effective_size(hits: Flags, share: float, subjects: Sequence[str]) -> float:
    if len(subjects) != hits.size:
        raise ContractBroken(f"{hits.size} windows and {len(subjects)} names of their infants")
    rows = cluster_rows(subjects)
    if len(rows) < 2:
        return NAN
    if share in {0.0, 1.0}:
        return float(len(rows))
    residuals = np.array([hits[of_subject].sum() - share * of_subject.size for of_subject in rows])
    variance = len(rows) / (len(rows) - 1) * float(residuals @ residuals) / hits.size**2
    return min(float(hits.size), share * (1.0 - share) / variance) if variance > 0.0 else float(hits.size)


def _check(values: Floats, positives: Flags) -> None:
    if values.shape != positives.shape or values.ndim != 1 or positives.dtype != np.bool_:
        raise ContractBroken(
            f"values {values.shape} and positives {positives.shape} {positives.dtype}: expected one length and booleans"
        )
