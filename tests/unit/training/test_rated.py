"""Rated windows as arrays."""

from __future__ import annotations

import numpy as np
import pytest

from neopain.errors import ConfigurationError
from neopain.training.predictions import FUSION, ModelPredictions, Predictions, RatedWindow
from neopain.training.rated import rated_windows


def window(subject: str, pattern: str, *, label: float = 5.0, end: float = 30.0, band: str = "<28") -> RatedWindow:
    """A window of the only segment of a subject."""
    return RatedWindow(subject, "1", "a", end, pattern, label, (label, label), groups={"ga_band": band} if band else {})


def predictions(*windows: RatedWindow) -> Predictions:
    """The windows, each with quantiles of its place."""
    count = len(windows)
    unused = np.zeros(count)
    quantiles = np.repeat(np.arange(count, dtype=np.float64)[:, None], 9, axis=1)
    return Predictions(
        windows,
        {
            FUSION: ModelPredictions(
                quantiles, unused, unused, np.zeros((count, 3)), np.zeros((count, 3)), ("",) * count
            )
        },
    )


def test_a_window_is_fullest_in_the_pattern_with_all_that_was_there() -> None:
    rows = rated_windows(
        predictions(window("a", "FC"), window("a", "C"), window("b", "PM"), window("b", "P"), window("b", "P", end=31)),
        FUSION,
    )
    assert rows.fullest.tolist() == [True, False, True, False, True]


def test_a_window_without_a_label_is_left_out() -> None:
    rows = rated_windows(predictions(window("a", "F"), window("b", "F", label=float("nan")), window("c", "F")), FUSION)
    assert rows.quantiles[:, 0].tolist() == [0.0, 2.0]


def test_a_window_that_the_model_gave_no_number_for_is_left_out() -> None:
    given = predictions(window("a", "F"), window("b", "F"))
    given.models[FUSION].quantiles[0, 3] = np.nan
    assert rated_windows(given, FUSION).quantiles[:, 0].tolist() == [1.0]


def test_groups_are_found_by_pattern_and_band() -> None:
    rows = rated_windows(predictions(window("a", "F"), window("b", "F", band=""), window("c", "C", band="")), FUSION)
    assert rows.of_group(("F", "")).tolist() == [True, True, False]
    assert rows.of_group(("", "unknown")).tolist() == [False, True, True]
    assert rows.of_group(("F", "unknown")).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [(window("a", "MF"), "pattern of a rated window is 'MF'"), (window("a", "F", band="old"), "ga_band .* is 'old'")],
)
def test_a_group_that_nobody_knows_is_refused(wrong: RatedWindow, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        rated_windows(predictions(wrong), FUSION)


def test_a_model_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"no predictions of 'late', only of \['fusion'\]"):
        rated_windows(predictions(window("a", "F")), "late")
