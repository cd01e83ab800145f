"""How well windows can be scored at all from what they show: strong readers of what no recording has blurred.

A reader (gradient boosting on the absolute error) learns from some infants and reads the windows of others, with what a
presence pattern leaves. Another reader of the same may be better, so its error is no proof of a limit: how much infants
to learn from still change it says how near it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingRegressor

from neopain.domain.calibration import PATTERNS
from neopain.domain.scales import NIPS_X10_7
from neopain.training.figures.presence import MODALITY_NAMES
from neopain.training.figures.sample import Node, Resampling, estimate, number
from neopain.training.leg import Told
from neopain.training.statistics.bootstrap import cluster_bootstrap
from neopain.training.statistics.sample import Floats, Indices

WHOLE: Final = PATTERNS[0]
ONE_GONE: Final = {name: WHOLE.replace(letter, "") for letter, name in MODALITY_NAMES.items()}

AGES: Final = "ages"
"""The key of the columns that every reader has."""

View = Literal["signs", "devices"]
VIEWS: Final[tuple[View, ...]] = ("signs", "devices")

TREES: Final = 150

Names = npt.NDArray[np.str_]
Columns = Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class Shown:
    """n rated windows: ``labels`` float64 [n] on 0..10, each one's infant and support of breath, and what there is to
    see of it, float64 [n, k] for ``AGES`` and each letter of a pattern; NaN for what cannot be seen of an infant.

    ``signs`` are what the infant does, ``devices`` what perfect ones would tell of it.
    """

    labels: Floats
    infants: Names
    supports: Names
    signs: Columns
    devices: Columns

    def columns(self, view: View, pattern: str) -> Floats:
        """What a reader of that pattern has, [n, k]."""
        by_key: Columns = getattr(self, view)
        return np.concatenate([by_key[key] for key in (AGES, *pattern)], axis=1)


def joined(parts: Sequence[Shown]) -> Shown:
    """The windows of all parts, one after another; at least one."""
    return Shown(
        labels=np.concatenate([part.labels for part in parts]),
        infants=np.concatenate([part.infants for part in parts]),
        supports=np.concatenate([part.supports for part in parts]),
        signs=_below([part.signs for part in parts]),
        devices=_below([part.devices for part in parts]),
    )


def _below(parts: Sequence[Columns]) -> Columns:
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


@dataclass(frozen=True, slots=True)
class Readers:
    """Readers that learn from ``taught`` and are asked about ``asked``, who are other infants."""

    taught: Shown
    asked: Shown
    trees: int = TREES

    def errors(self, view: View, pattern: str) -> Floats:
        """The absolute error [n], of 10, of the reader of that pattern."""
        reader = HistGradientBoostingRegressor(
            loss="absolute_error",
            max_iter=self.trees,
            learning_rate=0.08,
            max_leaf_nodes=16,
            min_samples_leaf=40,
            early_stopping=False,
            random_state=0,
        )
        known = self.taught.columns(view, pattern)
        # Gradient boosting refuses a column without any value.
        told = np.isfinite(known).any(axis=0)
        reader.fit(known[:, told], self.taught.labels)
        asked = self.asked.columns(view, pattern)[:, told]
        said = np.clip(reader.predict(asked), 0.0, NIPS_X10_7.reported_max)
        return np.asarray(np.abs(said - self.asked.labels), np.float64)


def bound_figures(readers: Readers, patterns: Iterable[str], resampling: Resampling, told: Told) -> Node:
    """For each view: ``patterns``, the error of each of these, of the whole and of those with one modality gone;
    ``missing``, by how much of 1 the error rises with one gone."""
    wanted = list(dict.fromkeys([WHOLE, *ONE_GONE.values(), *patterns]))
    told.begin("readers", len(VIEWS) * len(wanted), 0)
    figures = _Figures(readers.asked, resampling)
    found: Node = {}
    for place, view in enumerate(VIEWS):
        errors: dict[str, Floats] = {}
        for pattern in wanted:
            errors[pattern] = readers.errors(view, pattern)
            told.advance(place * len(wanted) + len(errors), f"{view} {pattern}")
        found[view] = {
            "patterns": {pattern: figures.error(errors[pattern]) for pattern in wanted},
            "missing": {name: figures.rise(errors[rest], errors[WHOLE]) for name, rest in ONE_GONE.items()},
        }
    return found


@dataclass(frozen=True, slots=True)
class _Figures:
    asked: Shown
    resampling: Resampling

    def error(self, errors: Floats) -> Node:
        """The mean with its interval over infants, and that of each support of breath."""
        supports = self.asked.supports
        return {
            "mae": self._estimated(lambda rows: float(errors[rows].mean())),
            "by_support": {str(name): number(errors[supports == name].mean()) for name in np.unique(supports)},
        }

    def rise(self, errors: Floats, of_whole: Floats) -> Node:
        """By how much errors are above those of the reader who has everything."""
        return self._estimated(lambda rows: float(errors[rows].mean() / of_whole[rows].mean() - 1.0))

    def _estimated(self, statistic: Callable[[Indices], float]) -> Node:
        drawn = self.resampling
        return estimate(
            cluster_bootstrap(statistic, self.asked.infants.tolist(), seed=drawn.seed, resamples=drawn.resamples)
        )
