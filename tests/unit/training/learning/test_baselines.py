from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from neopain.errors import ConfigurationError
from neopain.models.config import NetConfig
from neopain.models.networks import Networks
from neopain.training.baselines.fit import fit_late, fit_ridge
from neopain.training.baselines.linear import Rated, fit_linear, penalties
from neopain.training.baselines.models import LEARNED, Effort, LearnedBaseline
from neopain.training.baselines.saved import load_baselines, save_baselines
from neopain.training.encoded import Encoded
from neopain.training.heads import HEADS, SideBySide
from neopain.training.machine import Machine
from neopain.training.patterns import letters_of
from neopain.training.pool import Pool
from neopain.training.tokens import encode

EFFORT = Effort(trials=2, steps=10, seconds=1.5, tune_mae=2.5)
NAN = float("nan")


def line(count: int, *, seed: int) -> Rated:
    """The label is 5 + 2 a - b, give or take 0.1; b is missing in a third."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 2))
    labels = 5 + 2 * features[:, 0] - features[:, 1] + 0.1 * rng.standard_normal(count)
    features[::3, 1] = NAN
    return Rated(features, labels)


def test_a_linear_map_finds_the_line_and_its_quantiles_hold() -> None:
    linear = fit_linear(line(600, seed=0), line(300, seed=1), penalties(5))
    unseen = line(3000, seed=2)
    quantiles = linear.quantiles(unseen.features)
    known = ~np.isnan(unseen.features[:, 1])
    assert np.abs(quantiles[known, 4] - unseen.labels[known]).mean() < 0.3
    inside = (quantiles[:, 1] <= unseen.labels) & (unseen.labels <= quantiles[:, 7])
    assert inside.mean() == pytest.approx(0.9, abs=0.05)


def test_quantiles_of_a_linear_map_are_ordered_and_on_the_scale() -> None:
    linear = fit_linear(line(100, seed=0), line(100, seed=1), penalties(3))
    quantiles = linear.quantiles(np.array([[9.0, NAN], [-9.0, 4.0]]))
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert quantiles[0].tolist() == [10.0] * 9
    assert quantiles[1].tolist() == [0.0] * 9


def test_a_feature_that_nobody_has_does_no_harm() -> None:
    rated = line(50, seed=0)
    features = np.concatenate([rated.features, np.full((50, 1), NAN)], axis=1)
    linear = fit_linear(Rated(features, rated.labels), Rated(features[:0], rated.labels[:0]), penalties(1))
    assert np.isfinite(linear.values(features)).all()


def test_the_ridge_is_scikit_learn_s() -> None:
    from sklearn.linear_model import Ridge

    rated = line(60, seed=0)
    features = np.nan_to_num(rated.features)
    linear = fit_linear(Rated(features, rated.labels), Rated(features[:0], rated.labels[:0]), (10.0,))
    standard = (features - features.mean(axis=0)) / features.std(axis=0)
    wanted = Ridge(alpha=10.0).fit(standard, rated.labels)
    assert np.allclose(linear.values(features), wanted.predict(standard))


def test_so_many_penalties_are_tried() -> None:
    assert penalties(1) == (10.0,)
    assert penalties(3) == pytest.approx((0.1, 10.0, 1000.0))


@pytest.fixture(scope="module")
def encoded(fake_windows: Callable[..., Any], networks: Networks) -> Encoded:
    pool = Pool([fake_windows(infants=10, each=4, patterns_of_each=("FCPM", "FCP", "CPM", "FM"))])
    machine = Machine(torch.device("cpu"), None)
    return encode(networks, pool, np.arange(len(pool)), machine)


@pytest.fixture
def labels(fake_windows: Callable[..., Any]) -> NDArray[np.float64]:
    return np.asarray(fake_windows(infants=10, each=4).labels, np.float64)


def learned(tiny: NetConfig) -> dict[str, LearnedBaseline]:
    torch.manual_seed(1)
    return {name: LearnedBaseline(name, EFFORT, HEADS[name](tiny)) for name in LEARNED}


def changed(encoded: Encoded, name: str) -> Encoded:
    """The same windows with other tokens of one modality."""
    return replace(encoded, **{name: getattr(encoded, name) + np.float16(3)})


@pytest.mark.parametrize(("name", "others"), [("face", ("cry", "vitals")), ("vitals", ("face", "cry"))])
def test_a_unimodal_baseline_sees_its_own_modality_alone(
    encoded: Encoded, tiny: NetConfig, name: str, others: tuple[str, ...]
) -> None:
    model = learned(tiny)[name]
    whole = model.predict(encoded).quantiles
    for other in others:
        assert np.array_equal(model.predict(changed(encoded, other)).quantiles, whole)
    assert not np.array_equal(model.predict(changed(encoded, name)).quantiles, whole)


def test_only_vitals_alone_read_the_monitor_s_part_of_the_context(tiny: NetConfig) -> None:
    assert int(SideBySide(tiny, ["vitals"]).get_buffer("fields").sum()) == 22
    assert int(SideBySide(tiny, ["face"]).get_buffer("fields").sum()) == 4


def test_early_fusion_reads_all_and_nothing_behind_a_flag(encoded: Encoded, tiny: NetConfig) -> None:
    torch.manual_seed(0)
    model = LearnedBaseline("early", EFFORT, HEADS["early"](tiny))
    whole = model.predict(encoded).quantiles
    has_face = encoded.letters[:, 0]
    moved = np.abs(model.predict(changed(encoded, "face")).quantiles - whole).max(axis=1) > 0
    assert moved.tolist() == has_face.tolist()


def test_the_ridge_on_hand_features_finds_what_is_in_them(encoded: Encoded, labels: NDArray[np.float64]) -> None:
    ridge = fit_ridge(encoded, labels, train=np.arange(28), tune=np.arange(28, 40), trials=3)
    found = ridge.predict(encoded).quantiles[28:, 4]
    assert np.abs(found - labels[28:]).mean() < 1.7
    assert ridge.effort.trials == 3


def test_late_fusion_has_a_map_for_each_combination_that_is_frequent_enough(
    encoded: Encoded, labels: NDArray[np.float64], tiny: NetConfig
) -> None:
    alone = {name: one for name, one in learned(tiny).items() if name != "early"}
    late = fit_late(alone, encoded, labels, train=np.arange(28), tune=np.arange(28, 40), trials=2)
    assert set(late.linear) == {"face", "cry", "vitals", "face+cry", "face+vitals", "cry+vitals", "face+cry+vitals"}
    quantiles = late.predict(encoded).quantiles
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=1) >= 0).all()


def test_with_a_pattern_a_baseline_is_given_less(encoded: Encoded, labels: NDArray[np.float64]) -> None:
    ridge = fit_ridge(encoded, labels, train=np.arange(28), tune=np.arange(28, 40), trials=1)
    hidden = ridge.predict(encoded, "C")
    assert [reason != "" for reason in hidden.abstained] == (~encoded.letters[:, 1]).tolist()
    alone = replace(encoded, letters=letters_of(["C"] * 40))
    assert np.array_equal(ridge.predict(alone).quantiles[0], hidden.quantiles[0])


def test_saved_baselines_say_the_same_when_they_are_read(
    encoded: Encoded, labels: NDArray[np.float64], tiny: NetConfig, tmp_path: Path
) -> None:
    nets = learned(tiny)
    alone = {name: one for name, one in nets.items() if name != "early"}
    parts = {"train": np.arange(28), "tune": np.arange(28, 40), "trials": 2}
    models = {
        **nets,
        "late": fit_late(alone, encoded, labels, **parts),
        "ridge": fit_ridge(encoded, labels, **parts),
    }
    save_baselines(tmp_path, tiny, models)
    found = load_baselines(tmp_path)
    assert list(found) == ["face", "cry", "vitals", "early", "late", "ridge"]
    for name in (*LEARNED, "ridge"):
        wanted = models[name].predict(encoded).quantiles
        assert np.allclose(found[name].predict(encoded).quantiles, wanted, atol=0.05), name
    for combination, linear in models["late"].linear.items():
        assert np.array_equal(found["late"].linear[combination].weights, linear.weights)
    assert {name: one.effort for name, one in found.items()} == {name: one.effort for name, one in models.items()}


def test_a_run_without_baselines_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"baselines\.pt does not exist: let 'neopain train"):
        load_baselines(tmp_path)
