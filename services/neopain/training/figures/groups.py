"""The same few figures for every group of windows, always with how many infants they rest on."""

from __future__ import annotations

import numpy as np

from neopain.domain.gestation import GA_BAND_NAMES, GA_UNKNOWN
from neopain.features.signature import QUANTILES
from neopain.training.figures.accuracy import agreement
from neopain.training.figures.doubt import NINETY
from neopain.training.figures.sample import Node, Resampling, Sample, estimate, number
from neopain.training.statistics import deviation
from neopain.training.statistics.coverage import interval_figures

KEYS = ("ga_band", "sex", "skin_tone", "illness", "site", "procedure", "sedation", "support")
RECORDED = "recorded"
"""A group of its own kind: what was recorded of a window."""


def group(sample: Sample, resampling: Resampling) -> Node:
    """Error, agreement, coverage and width of one group."""
    ninety = interval_figures(sample.quantiles, QUANTILES, sample.labels, at=(NINETY,), subjects=sample.subjects)[0]
    return {
        "infants": sample.infants,
        "windows": len(sample.windows),
        "mae": sample.estimated(deviation.mae, resampling),
        "bias": sample.estimated(deviation.bias, resampling),
        "icc21": sample.estimated(agreement, resampling),
        "coverage90": estimate(ninety.coverage),
        "width90": number(ninety.mean_width),
    }


def groups(sample: Sample, resampling: Resampling) -> dict[str, dict[str, Node]]:
    """Every value of every kind of group that the windows have; gestational age in its own order."""
    found: dict[str, dict[str, Node]] = {}
    for key in (*KEYS, RECORDED):
        values = np.array([_value(sample, row, key) for row in range(len(sample.windows))], dtype=np.str_)
        names = sorted(set(values.tolist()), key=_order)
        if names and names != [GA_UNKNOWN]:
            found[key] = {name: group(sample.where(values == name), resampling) for name in names}
    return found


def _value(sample: Sample, row: int, key: str) -> str:
    window = sample.windows[row]
    return (window.pattern if key == RECORDED else window.groups.get(key, "")) or GA_UNKNOWN


def _order(name: str) -> tuple[int, str]:
    return (GA_BAND_NAMES.index(name) if name in GA_BAND_NAMES else 0, name)
