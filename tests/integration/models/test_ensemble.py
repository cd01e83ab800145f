"""The exported nets in a real Triton: what the ensemble answers."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from neopain.features import signature
from neopain.models.repository import Arrays, GoldenWindow, deviation, read_golden, read_model, within
from neopain.models.sample_windows import Window, sample_window

from .conftest import Ask


def batch(*windows: Window) -> Arrays:
    return {name: np.stack([window[name] for window in windows]) for name in windows[0]}


@pytest.fixture(scope="module")
def golden(nets: Path) -> list[GoldenWindow]:
    """The golden windows of the nets."""
    return read_golden(nets)


@pytest.fixture(scope="module")
def answers(ask: Ask, golden: list[GoldenWindow]) -> list[Arrays]:
    """What is served of each golden window."""
    return [ask(window.inputs) for window in golden]


def test_golden_windows_are_within_the_stated_tolerance(
    nets: Path, golden: list[GoldenWindow], answers: list[Arrays]
) -> None:
    reached = deviation(golden, answers)
    assert within(reached, read_model(nets).tolerance), reached


def test_golden_windows_cover_every_pattern_and_silence(golden: list[GoldenWindow]) -> None:
    patterns = {tuple(window.inputs["PRESENT"][0].tolist()) for window in golden}
    silent = [w for w in golden if w.inputs["PRESENT"][0, 1] and not w.inputs["CRY"].any()]
    assert patterns == set(product([False, True], repeat=3)) - {(False, False, False)}
    assert len(silent) == 1


def test_every_pattern_gives_full_finite_outputs(golden: list[GoldenWindow], answers: list[Arrays]) -> None:
    for window, outputs in zip(golden, answers, strict=True):
        assert_full(outputs, window.inputs["PRESENT"][0].tolist())


def test_a_window_of_nothing_gives_full_finite_outputs(ask: Ask) -> None:
    assert_full(ask(batch(sample_window(11, (0, 0, 0)))), [False, False, False])


def assert_full(outputs: Arrays, present: list[bool]) -> None:
    """Every output is finite and as the signature says; what is present alone is attended to; quantiles ascend."""
    for spec in signature.OUTPUTS:
        assert outputs[spec.name].shape == (1, *spec.shape)
        assert outputs[spec.name].dtype == spec.dtype
        assert np.isfinite(outputs[spec.name]).all()
    assert (outputs["ATTENTION"][0] > 0).tolist() == present
    assert (np.diff(outputs["SCORE_QUANTILES"][0]) > 0).all()


def test_different_windows_get_different_scores(ask: Ask) -> None:
    scores = [ask(batch(sample_window(seed)))["SCORE_QUANTILES"][0, 4] for seed in range(2)]
    assert abs(scores[0] - scores[1]) > 1e-3


def test_silence_is_not_absence(ask: Ask) -> None:
    window = sample_window(12, (0, 1, 1))
    silent = window | {"CRY": np.zeros_like(window["CRY"])}
    absent = silent | {"PRESENT": np.array([False, False, True])}
    heard, missing = ask(batch(silent)), ask(batch(absent))
    assert heard["SCORE_BY_MODALITY"][0, 1] > 0
    assert missing["SCORE_BY_MODALITY"][0, 1] == 0
    assert abs(heard["SCORE_QUANTILES"][0, 4] - missing["SCORE_QUANTILES"][0, 4]) > 1e-3


def test_what_is_sent_for_an_absent_modality_has_no_effect(ask: Ask) -> None:
    absent, noisy = sample_window(13, (0, 1, 1)), sample_window(13)
    noisy = noisy | {"PRESENT": absent["PRESENT"]}
    one, other = ask(batch(absent)), ask(batch(noisy))
    assert all(np.array_equal(one[spec.name], other[spec.name]) for spec in signature.OUTPUTS)


def test_windows_of_a_batch_do_not_leak_into_each_other(ask: Ask) -> None:
    windows = [sample_window(14), sample_window(15, (0, 1, 0)), sample_window(16, (1, 0, 1))]
    together = ask(batch(*windows))
    for index, window in enumerate(windows):
        alone = ask(batch(window))
        for spec in signature.OUTPUTS:
            assert np.array_equal(together[spec.name][index : index + 1], alone[spec.name]), spec.name
