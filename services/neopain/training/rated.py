"""Rated windows of one model as arrays, for calibration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neopain.domain.calibration import ANY, PATTERNS, Floats, Group
from neopain.domain.gestation import GA_BAND_NAMES, GA_UNKNOWN
from neopain.errors import ConfigurationError
from neopain.training.conformal import Ints
from neopain.training.predictions import Predictions, RatedWindow

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rated:
    """n rows, one for each window and presence pattern that it was scored in.

    ``quantiles`` is [n, 9], the rest [n]. ``infants`` and ``moments`` are numbers; rows of one moment are the same
    window in several patterns. ``patterns`` and ``bands`` are the names of ``domain.calibration``.
    """

    quantiles: Floats
    label: Floats
    distance: Floats
    infants: Ints
    moments: Ints
    patterns: npt.NDArray[np.str_]
    bands: npt.NDArray[np.str_]

    @property
    def fullest(self) -> Bools:
        """The rows in which a window has all that was there of it."""
        letters = np.char.str_len(self.patterns)
        most = np.zeros(self.moments.max() + 1, letters.dtype)
        np.maximum.at(most, self.moments, letters)
        full: Bools = letters == most[self.moments]
        return full

    def of_group(self, group: Group) -> Bools:
        """The rows of a group."""
        pattern, band = group
        every = np.ones(len(self.label), np.bool_)
        chosen: Bools = (self.patterns == pattern if pattern != ANY else every) & (
            self.bands == band if band != ANY else every
        )
        return chosen

    def count_infants(self, rows: Bools) -> int:
        """How many infants the rows are of."""
        return len(np.unique(self.infants[rows]))


def rated_windows(predictions: Predictions, model: str) -> Rated:
    """The windows with a label and finite quantiles; ``ConfigurationError`` when a model or a group is not known."""
    if model not in predictions.models:
        raise ConfigurationError(
            f"there are no predictions of '{model}', only of {sorted(predictions.models)}: name one of them"
        )
    found = predictions.models[model]
    windows = predictions.windows
    label = np.array([window.label for window in windows], np.float64)
    usable = np.isfinite(label) & np.isfinite(found.quantiles).all(axis=1)
    kept = [window for window, is_usable in zip(windows, usable, strict=True) if is_usable]
    return Rated(
        quantiles=found.quantiles[usable],
        label=label[usable],
        distance=found.distance[usable],
        infants=_numbers(window.subject for window in kept),
        moments=_numbers((window.subject, window.session, window.segment, window.end_seconds) for window in kept),
        patterns=_names([window.pattern for window in kept], "pattern", PATTERNS),
        bands=_names([band_of(window) for window in kept], "ga_band", GA_BAND_NAMES),
    )


def band_of(window: RatedWindow) -> str:
    """The band of gestational age that the window counts to."""
    return window.groups.get("ga_band", GA_UNKNOWN)


def _numbers(names: Iterable[object]) -> Ints:
    """A number for each, in the order of the names: the order of the windows does not matter."""
    listed = list(names)
    places = {name: place for place, name in enumerate(sorted(set(listed), key=repr))}
    return np.array([places[name] for name in listed], np.int64)


def _names(found: list[str], field: str, known: tuple[str, ...]) -> npt.NDArray[np.str_]:
    if unknown := sorted(set(found) - set(known)):
        raise ConfigurationError(f"{field} of a rated window is '{unknown[0]}', expected one of {list(known)}")
    return np.array(found, np.str_)
