"""Conformal margins per infant: how much intervals grow or shrink to hold their share of new infants' labels.

Conformalised quantile regression (Romano, Patterson, Candès 2019, arXiv 1905.03222) takes how far each label lies
outside of its interval, and widens all intervals by a quantile of that. It counts on exchangeable windows, and windows
of one infant are alike. So each infant has one vote, shared by its windows, and what is to come has one at infinity
(hierarchical conformal prediction: Lee, Barber, Willett 2023, arXiv 2306.06342).

How much weight the one at infinity has is the price of a finite sample. As an infant's, 1/(n + 1), it covers at least
the nominal share however alike the windows of an infant are, and too much where they are not: 93 % in place of 90 with
30 infants. So from ``LEAST_COMPARED`` infants on it has the weight of one independent window, of which there are as
many as the infants' own shares of covered windows say (design effect, Kish 1965): the nominal share on average. With
one window per infant both are the ordinary split-conformal quantile.

That share is held on average over the calibrations that there might have been; this one may be lucky. How much a margin
holds among new windows is a Beta variable (training-conditional coverage: Vovk 2012, PMLR 25), here with as many voices
as the windows are worth. ``sure`` asks for a margin that holds the share in so many of the calibrations.

Repeated subsampling of one window per infant (Dunn, Wasserman, Ramdas 2018, arXiv 1809.07441) was not taken: averaging
its draws is valid only at twice the error, and a calibration should not depend on draws.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

from neopain.domain.calibration import Floats

Ints = npt.NDArray[np.int64]

LEAST_COMPARED = 20
"""With fewer infants nothing can be said of how alike their windows are."""
ROUNDING = 1e-9
"""A share that is reached but for the rounding of sums is reached."""


def nonconformity(low: Floats, high: Floats, label: Floats) -> Floats:
    """How far each label lies outside of its interval; negative inside, by the distance to the nearer end.

    An open end is infinite: no label lies beyond it. The arrays broadcast.
    """
    return np.maximum(low - label, label - high)


def margin(scores: Floats, infants: Ints, *, level: float, sure: float | None = None) -> float:
    """The smallest margin that covers ``level``, from nonconformity [n] and the infant of each window [n].

    It covers it on average over calibrations, or in the share ``sure`` of them, as far as there are infants to say.

    Infinite where too few infants can say: 90 % needs 9 of them, 95 % needs 19.
    """
    _, codes, counts = np.unique(infants, return_inverse=True, return_counts=True)
    votes = 1 / (len(counts) * counts[codes])
    order = np.argsort(scores)
    reached = np.cumsum(votes[order])
    voices = float(len(counts))
    if voices >= LEAST_COMPARED:
        alone = scores[order[np.searchsorted(reached, level - ROUNDING)]]
        voices = _voices(np.bincount(codes, scores <= alone) / counts, windows=len(scores))
    place = int(np.searchsorted(reached * voices / (voices + 1), level - ROUNDING))
    if place == len(scores):
        return float("inf")
    if sure is not None:
        covered = reached[place:] * voices
        held = beta.sf(level, covered, voices + 1 - covered)
        place += min(int(np.searchsorted(held, sure - ROUNDING)), len(covered) - 1)
    return float(scores[order[place]])


def _voices(covered: Floats, *, windows: int) -> float:
    """How many independent windows the windows are worth, from the share of each infant's that is covered.

    Independent ones would have shares that differ as those of a coin do; the more they differ, the fewer voices.
    """
    infants, share, variance = len(covered), covered.mean(), covered.var()
    if variance == 0:
        return infants
    return float(np.clip(infants * share * (1 - share) / variance, infants, windows))
