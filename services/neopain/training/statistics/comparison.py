"""Whether a model is better than others: Wilcoxon's signed-rank test on per-infant errors, corrected for many tests.

Wilcoxon 1945, Biometrics Bull 1:80-83 (infants without a difference do not count); Holm 1979, Scand J Stat 6:65-70.
One infant is one observation: windows of the same infant are averaged first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata, wilcoxon

from neopain.errors import ContractBroken
from neopain.training.statistics.bootstrap import cluster_rows
from neopain.training.statistics.sample import NAN, Floats, is_usable


@dataclass(frozen=True, slots=True)
class Comparison:
    """The reference model against one other, over the same infants.

    ``p_better`` is one-sided: how likely so clear an advantage of the reference would be if it had none. ``p_differs``
    is two-sided. Each has its Holm-adjusted twin over all comparisons made together; ``rank_sum`` is that of the
    infants whose error is lower with the reference (W+).
    """

    model: str
    n_infants: int
    median_difference: float
    """The other's error minus the reference's: above 0 the reference is better."""
    share_better: float
    """Share of infants whose error is lower with the reference."""
    rank_sum: float
    p_better: float
    p_better_holm: float
    p_differs: float
    p_differs_holm: float


def compare(errors: Mapping[str, Floats], *, reference: str) -> tuple[Comparison, ...]:
    """Compares ``reference`` with every other model, in the order of ``errors``.

    ``errors`` gives each model's mean absolute error per infant, infants in the same order throughout. Equal errors
    throughout give p = 1. A model with a NaN gets NaN and still counts in the correction. ``ContractBroken`` for an
    unknown reference or different numbers of infants.
    """
    if reference not in errors:
        raise ContractBroken(f"no errors of {reference!r} among {', '.join(sorted(errors)) or 'none'}")
    others = [model for model in errors if model != reference]
    tests = [_signed_rank(errors[model], errors[reference], model) for model in others]
    better = holm([test.p_better for test in tests])
    differs = holm([test.p_differs for test in tests])
    return tuple(
        Comparison(
            model=model,
            n_infants=test.differences.size,
            median_difference=float(np.median(test.differences)) if is_usable(test.differences) else NAN,
            share_better=float((test.differences > 0).mean()) if is_usable(test.differences) else NAN,
            rank_sum=test.rank_sum,
            p_better=test.p_better,
            p_better_holm=float(better[number]),
            p_differs=test.p_differs,
            p_differs_holm=float(differs[number]),
        )
        for number, (model, test) in enumerate(zip(others, tests, strict=True))
    )


def holm(p_values: Sequence[float] | Floats) -> Floats:
    """Holm's step-down adjustment, in the order given. NaN stays NaN and counts as a test that was made."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)  # NaN last
    factors = p.size - np.arange(p.size)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * factors))
    return adjusted


def mean_per_subject(values: Floats, subjects: Sequence[str]) -> tuple[tuple[str, ...], Floats]:
    """The subjects in alphabetical order, and the mean of each one's values."""
    if values.shape != (len(subjects),):
        raise ContractBroken(f"values have the shape {values.shape}, expected one for each of {len(subjects)} windows")
    means = np.array([values[rows].mean() for rows in cluster_rows(subjects)], dtype=np.float64)
    return tuple(sorted(set(subjects))), means


@dataclass(frozen=True, slots=True)
class _SignedRank:
    differences: Floats
    rank_sum: float
    p_better: float
    p_differs: float


def _signed_rank(other: npt.ArrayLike, reference: npt.ArrayLike, model: str) -> _SignedRank:
    theirs, ours = np.asarray(other, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if theirs.shape != ours.shape or ours.ndim != 1:
        raise ContractBroken(f"errors of {model!r} have the shape {theirs.shape}, the reference's {ours.shape}")
    differences = theirs - ours
    if not is_usable(differences):
        return _SignedRank(differences, NAN, NAN, NAN)
    changed = differences[differences != 0.0]
    if changed.size == 0:
        return _SignedRank(differences, 0.0, 1.0, 1.0)
    rank_sum = float(rankdata(np.abs(changed))[changed > 0].sum())
    p_better = float(wilcoxon(changed, alternative="greater").pvalue)
    p_differs = float(wilcoxon(changed, alternative="two-sided").pvalue)
    return _SignedRank(differences, rank_sum, p_better, p_differs)
