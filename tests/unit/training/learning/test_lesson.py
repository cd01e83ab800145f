from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from neopain.errors import ConfigurationError
from neopain.training.config import SplitConfig, Steps
from neopain.training.course import split_infants
from neopain.training.pool import Pool
from neopain.training.stages.lesson import (
    Infants,
    Learner,
    Lesson,
    Order,
    item_targets,
    mean_error,
    settle_norms,
    spread_out,
)

PLAN = Steps(steps=1, batch=4, lr=0.1, check_windows=3)

Fake = Callable[..., Any]


def test_windows_of_two_data_sets_have_one_numbering(fake_windows: Fake) -> None:
    first, second = fake_windows(infants=2, each=2, seed=1), fake_windows(infants=1, each=3, seed=2, name="T")
    pool = Pool([first, second])
    assert len(pool) == 7
    assert [segment.subject.id for segment in pool.segments] == ["S0", "S0", "S1", "S1", "T0", "T0", "T0"]
    assert np.array_equal(pool.clip(5), second.clip(1))
    assert np.array_equal(pool.frame(3, 7), first.frame(3, 7))
    assert np.array_equal(pool.sound(4), second[0])
    assert pool.labels[4] == second.labels[0]
    assert np.array_equal(pool.vitals[6], second.vitals[2])


def test_no_infant_is_in_two_parts(fake_windows: Fake) -> None:
    pool = Pool([fake_windows(infants=10, each=3)])
    parts = split_infants(pool.segments, SplitConfig(tune=0.2, fusion_only=0.3), seed=0)
    ids = [
        {pool.segments[number].subject.id for number in part}
        for part in (parts.encoders, parts.fusion_only, parts.tune)
    ]
    assert [len(one) for one in ids] == [5, 3, 2]
    assert len(set.union(*ids)) == 10
    assert set(parts.fusion) == set(parts.encoders) | set(parts.fusion_only)


def test_infants_who_teach_only_the_heads_change_nothing_for_the_encoders(fake_windows: Fake) -> None:
    encoders, heads = fake_windows(infants=10, each=3), fake_windows(infants=4, each=2, seed=1, name="T")
    pool, shares = Pool([encoders, heads]), SplitConfig(tune=0.2, fusion_only=0.3)
    alone = split_infants(tuple(encoders.segments), shares, seed=0)
    parts = split_infants(pool.segments, shares, seed=0, heads_from=30)
    assert (list(parts.encoders), list(parts.tune)) == (list(alone.encoders), list(alone.tune))
    assert list(parts.fusion_only) == [*alone.fusion_only, *range(30, 38)]


def test_an_infant_that_teaches_encoders_and_is_said_to_teach_only_the_heads_is_refused(fake_windows: Fake) -> None:
    pool = Pool([fake_windows(infants=4, each=2), fake_windows(infants=1, each=2, seed=1)])
    with pytest.raises(ConfigurationError, match=r"infant 'S0' is in --data and in --heads-data \(1 are\)"):
        split_infants(pool.segments, SplitConfig(), seed=0, heads_from=8)


def test_each_round_has_every_window_once_in_another_order() -> None:
    order = Order(np.arange(6) + 100, 4, seed=0)
    drawn = np.concatenate([order.draw(unit) for unit in range(3)])
    assert sorted(drawn[:6]) == sorted(drawn[6:]) == list(range(100, 106))
    assert drawn[:6].tolist() != drawn[6:].tolist()


def test_a_batch_is_always_the_same() -> None:
    assert Order(np.arange(50), 4, seed=0).draw(31).tolist() == Order(np.arange(50), 4, seed=0).draw(31).tolist()
    assert Order(np.arange(50), 4, seed=0).draw(31).tolist() != Order(np.arange(50), 4, seed=1).draw(31).tolist()


def a_lesson(pool: Pool, infants: Infants, modality: int = 1) -> Lesson:
    return Lesson(pool, infants, PLAN, modality=modality, targets=item_targets(pool, ("cry",)), seed=0)


def some_infants(count: int) -> Infants:
    return Infants(np.arange(count - 4), np.array([], np.intp), np.arange(count - 4, count))


def test_windows_without_the_modality_are_left_out(fake_windows: Fake) -> None:
    pool = Pool([fake_windows(infants=3, each=4, patterns_of_each=("FCPM", "FP"))])
    assert a_lesson(pool, some_infants(12)).train.tolist() == [0, 2, 4, 6]


def test_windows_that_nobody_rated_are_left_out(fake_windows: Fake) -> None:
    windows = fake_windows(infants=3, each=4)
    windows.labels[:3] = math.nan
    windows.items[1:3] = math.nan
    assert a_lesson(Pool([windows]), some_infants(12)).train.tolist() == [0, 3, 4, 5, 6, 7]


def test_a_modality_that_nobody_has_cannot_be_learnt(fake_windows: Fake) -> None:
    pool = Pool([fake_windows(infants=3, each=4, patterns_of_each=("FP",))])
    with pytest.raises(ConfigurationError, match="none of 8 windows that encoders learn from has cry and a rating"):
        a_lesson(pool, some_infants(12))


def test_only_some_tune_windows_are_looked_at(fake_windows: Fake) -> None:
    pool = Pool([fake_windows(infants=3, each=4)])
    assert a_lesson(pool, some_infants(12)).tune.tolist() == [8, 10, 11]


def test_items_are_shares_of_their_highest_score(fake_windows: Fake) -> None:
    windows = fake_windows(infants=1, each=1)
    windows.items[0] = [1, 1, math.nan, 0, 0, 0]
    found = item_targets(Pool([windows]), ("cry", "face", "breathing"))
    assert found[0, :2].tolist() == [0.5, 1.0]
    assert math.isnan(found[0, 2])


def test_the_error_counts_windows_with_a_label() -> None:
    labels = np.array([1, math.nan, 3, 4], np.float32)
    assert mean_error(lambda some: torch.zeros(len(some)), np.array([0, 1, 2]), labels, at_once=2) == 2.0
    assert math.isnan(mean_error(lambda some: torch.zeros(len(some)), np.array([1]), labels, at_once=2))
    assert math.isnan(mean_error(lambda some: torch.zeros(len(some)), np.array([], np.intp), labels, at_once=2))


def test_evenly_spread_windows_reach_from_the_first_to_the_last() -> None:
    assert spread_out(np.arange(10), 4).tolist() == [0, 3, 6, 9]
    assert spread_out(np.arange(3), 4).tolist() == [0, 1, 2]


def test_settled_norms_have_the_mean_statistics_of_all_batches() -> None:
    net = nn.Sequential(nn.BatchNorm1d(1), nn.Dropout(0.9))
    net[0](torch.full((4, 1), 100.0))
    with torch.no_grad():
        settle_norms(net, lambda: [net(torch.tensor([[0.0], [2.0]])), net(torch.tensor([[4.0], [8.0]]))])
    assert net[0].running_mean.item() == 3.5
    assert net[0].running_var.item() == 5.0
    assert not net[0].training
    assert net[0].momentum == 0.1


def test_held_parts_stay_in_evaluation() -> None:
    learner = Learner(nn.Sequential(nn.BatchNorm1d(2), nn.BatchNorm1d(2)), width=2, parts=1)
    learner.held = (learner.encoder[0],)
    learner.train()
    assert [norm.training for norm in learner.encoder] == [False, True]


def test_fewer_infants_than_parts_are_refused(fake_windows: Fake) -> None:
    pool = Pool([fake_windows(infants=2, each=3)])
    with pytest.raises(ConfigurationError, match="2 infants for the parts encoders, fusion_only, tune"):
        split_infants(pool.segments, replace(SplitConfig(), tune=0.3), seed=0)
