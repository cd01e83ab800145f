"""How far scores are from labels, and how well both agree: errors, ICC, kappa, limits of agreement, decisions."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_curve

from neopain.domain.scales import NIPS_X10_7
from neopain.features.signature import QUANTILES
from neopain.training.figures.sample import Node, Resampling, Sample, estimate, number
from neopain.training.statistics import deviation
from neopain.training.statistics.bland_altman import bland_altman, bland_altman_intervals
from neopain.training.statistics.discrimination import at_cut_off, auc_by_subject
from neopain.training.statistics.icc import IccForm, icc, icc_value
from neopain.training.statistics.kappa import KappaWeights, weighted_kappa
from neopain.training.statistics.sample import Floats

BINS = 10
"""Groups of windows with about the same score, for the reliability of scores."""


def accuracy(sample: Sample, resampling: Resampling) -> Node:
    """Errors and agreement of the scores with the labels."""
    both = np.stack([sample.labels, sample.scores], axis=1)
    statistics = {
        "mae": deviation.mae,
        "rmse": deviation.rmse,
        "bias": deviation.bias,
        "pcc": deviation.pearson,
        "icc21": agreement,
        "icc31": consistency,
        "kappa": kappa_of_nips,
        "calibration_in_the_large": lambda scores, labels: deviation.calibration_line(scores, labels).in_the_large,
        "calibration_slope": lambda scores, labels: deviation.calibration_line(scores, labels).slope,
    }
    return {
        "infants": sample.infants,
        "windows": len(sample.windows),
        **{name: sample.estimated(statistic, resampling) for name, statistic in statistics.items()},
        "icc21_f": estimate(icc(both, IccForm.AGREEMENT)),
        "icc31_f": estimate(icc(both, IccForm.CONSISTENCY)),
    }


def agreement(scores: Floats, labels: Floats) -> float:
    """ICC(2,1) of scores and labels."""
    return icc_value(np.stack([labels, scores], axis=1), IccForm.AGREEMENT)


def consistency(scores: Floats, labels: Floats) -> float:
    """ICC(3,1) of scores and labels."""
    return icc_value(np.stack([labels, scores], axis=1), IccForm.CONSISTENCY)


def kappa_of_nips(scores: Floats, labels: Floats) -> float:
    """Quadratic kappa of both in whole NIPS points, halves rounded up."""
    return weighted_kappa(whole_points(scores), whole_points(labels), KappaWeights.QUADRATIC)


def whole_points(reported: Floats) -> Floats:
    """NIPS points 0..7 of values on 0..10."""
    raw = reported * NIPS_X10_7.raw_max / NIPS_X10_7.reported_max
    return np.clip(np.floor(raw + 0.5 + 1e-9), 0.0, NIPS_X10_7.raw_max)


def limits_of_agreement(sample: Sample, resampling: Resampling) -> Node:
    """Repeated-measures Bland-Altman of score minus label."""
    differences, subjects = sample.scores - sample.labels, sample.subjects
    found = bland_altman(differences, subjects)
    ends = bland_altman_intervals(differences, subjects, seed=resampling.seed, resamples=resampling.resamples)
    return {
        "bias": estimate(ends.bias),
        "low": estimate(ends.lower),
        "high": estimate(ends.upper),
        "sd_between": number(found.sd_between),
        "sd_within": number(found.sd_within),
    }


def decision(sample: Sample, resampling: Resampling, *, cutoff_nips: float) -> Node:
    """Pain or not, where pain is a label above the site's cut-off of so many NIPS points."""
    cutoff = NIPS_X10_7.to_reported(cutoff_nips)
    positives = sample.labels > cutoff
    found = at_cut_off(sample.scores, positives, cutoff, subjects=sample.subjects)
    area = auc_by_subject(
        sample.scores, positives, sample.subjects, seed=resampling.seed, resamples=resampling.resamples
    )
    return {
        "cutoff_nips": cutoff_nips,
        "cutoff": number(cutoff),
        "positives": int(positives.sum()),
        "auc": estimate(area),
        "accuracy": estimate(found.accuracy),
        "sensitivity": estimate(found.sensitivity),
        "specificity": estimate(found.specificity),
        "roc": _roc(sample.scores, positives),
    }


def _roc(scores: Floats, positives: np.ndarray) -> Node:
    if positives.all() or not positives.any():
        return {"false_alarms": [], "sensitivity": []}
    false_alarms, sensitivity, _ = roc_curve(positives, scores)
    return {name: [number(one) for one in side] for name, side in
            (("false_alarms", false_alarms), ("sensitivity", sensitivity))}  # fmt: skip


def reliability(sample: Sample, resampling: Resampling) -> Node:
    """Whether quantiles and scores mean what they say.

    Labels have few values, and many lie on an end of the scale: a quantile is right when its level lies between the
    share of labels ``below`` it and the share ``at_or_below`` it.
    """
    labels, quantiles = sample.labels[:, None], sample.quantiles
    return {
        "levels": list(QUANTILES),
        "below": [number(share) for share in (labels < quantiles).mean(axis=0)],
        "at_or_below": [number(share) for share in (labels <= quantiles).mean(axis=0)],
        "bins": [_bin(sample, rows, resampling) for rows in _equal_bins(sample.scores)],
    }


def _equal_bins(scores: Floats) -> list[np.ndarray]:
    order = np.argsort(scores, kind="stable")
    return [rows for rows in np.array_split(order, BINS) if len(rows)]


def _bin(sample: Sample, rows: np.ndarray, resampling: Resampling) -> Node:
    chosen = np.zeros(len(sample.windows), dtype=np.bool_)
    chosen[rows] = True
    part = sample.where(chosen)
    labels = part.labels
    label = part.over_rows(lambda some: float(labels[some].mean()), resampling)
    return {"score": number(part.scores.mean()), "label": label, "windows": len(rows)}
