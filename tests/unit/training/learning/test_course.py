"""A whole training on windows that can be learnt from, with nets that learn in a moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neopain.models.config import NetConfig
from neopain.models.networks import Networks
from neopain.training.baselines.models import Baseline
from neopain.training.config import (
    AudioStageConfig,
    FaceStageConfig,
    FusionStageConfig,
    SplitConfig,
    Steps,
    TokensStageConfig,
    TrainConfig,
    VideoStageConfig,
    VitalsStageConfig,
)
from neopain.training.course import Course, Outcome, Start
from neopain.training.encoded import Encoded
from neopain.training.leg import Leg, LegOver
from neopain.training.nets import rows_of
from neopain.training.pool import Pool
from neopain.training.predict import encode_windows, predict_encoded, predict_networks
from neopain.training.stage import Workplace

Fake = Callable[..., Any]
PLAN = Steps(steps=20, batch=8, lr=0.01, average=0.9, check_every=10, check_windows=8, weight_decay=0.0)


@pytest.fixture(scope="module")
def config(tiny: NetConfig) -> TrainConfig:
    return TrainConfig(
        nets=tiny,
        split=SplitConfig(tune=0.2, fusion_only=0.2),
        face=FaceStageConfig(replace(PLAN, steps=15), frame_px=32, sharp_px=0),
        video=VideoStageConfig(replace(PLAN, steps=1, batch=2, check_windows=2), clip_px=32, statistics_clips=2),
        audio=AudioStageConfig(replace(PLAN, steps=10, batch=4)),
        vitals=VitalsStageConfig(replace(PLAN, steps=30)),
        tokens=TokensStageConfig(face_views=1, cry_views=2, vitals_views=2, served=False),
        fusion=FusionStageConfig(replace(PLAN, steps=30, batch=16, lr=0.04, check_every=10), trials=2, far_share=0.05),
    )


@pytest.fixture(scope="module")
def brief(config: TrainConfig) -> TrainConfig:
    """All of it with a few steps each: for what does not depend on what was learnt."""
    return replace(
        config,
        face=replace(config.face, plan=replace(PLAN, steps=3)),
        audio=replace(config.audio, plan=replace(PLAN, steps=3, batch=4)),
        vitals=replace(config.vitals, plan=replace(PLAN, steps=3)),
        fusion=replace(config.fusion, plan=replace(PLAN, steps=2)),
    )


def windows(fake_windows: Fake, *, each: int = 4) -> Any:
    return fake_windows(infants=10, each=each, patterns_of_each=("FCPM", "FCPM", "CPM", "FP"), strangers=4)


def course(
    fake_windows: Fake, config: TrainConfig, place: Workplace, *, each: int = 4, is_trained: bool = False
) -> Course:
    torch.manual_seed(5)
    start = Start(Networks(config.nets).state_dict(), is_given=is_trained, is_trained=is_trained)
    return Course(Pool([windows(fake_windows, each=each)]), config, start, key="k", place=place)


@pytest.fixture(scope="module")
def outcome(
    fake_windows: Fake, config: TrainConfig, work_in: Callable[..., Workplace], tmp_path_factory: pytest.TempPathFactory
) -> Outcome:
    # So few steps do not learn from any seed.
    return course(fake_windows, config, replace(work_in(tmp_path_factory.mktemp("run")), seed=2)).run()


@pytest.fixture(scope="module")
def encoded(outcome: Outcome, fake_windows: Fake) -> Encoded:
    """The windows that it learnt from, strangers last."""
    return encode_windows(outcome.networks, windows(fake_windows), range(44))


def test_the_encoders_of_a_course_never_meet_the_infants_of_the_heads(
    fake_windows: Fake, config: TrainConfig, place: Workplace
) -> None:
    pool = Pool([fake_windows(infants=10, each=1), fake_windows(infants=3, each=1, seed=1, name="T")])
    start = Start(Networks(config.nets).state_dict())
    infants = Course(pool, config, start, key="k", place=place, heads_from=10)._infants
    assert set(infants.fusion_only) >= {10, 11, 12}
    assert max(*infants.encoders, *infants.tune) < 10


def test_every_stage_is_done_and_says_how_well(outcome: Outcome) -> None:
    assert list(outcome.figures) == [
        "face", "video", "audio", "vitals",
        *(f"{name}-{trial}" for name in ("fusion", "face", "cry", "vitals", "early") for trial in (1, 2)),
    ]  # fmt: skip
    assert all(np.isfinite(figures["tune_mae"]) for figures in outcome.figures.values())


def test_the_nets_have_learnt(outcome: Outcome, fake_windows: Fake) -> None:
    unseen = fake_windows(infants=4, each=4, patterns_of_each=("FCPM",), seed=9)
    found = predict_networks(outcome.networks, unseen, range(16))
    assert np.abs(found.quantiles[:, 4] - unseen.labels).mean() < 1.5


def test_the_figures_of_the_tune_infants_are_of_the_nets_that_are_kept(outcome: Outcome) -> None:
    best = min(outcome.figures[f"fusion-{trial}"]["tune_mae"] for trial in (1, 2))
    assert outcome.tune["mae"] == pytest.approx(best, abs=0.02)
    assert 0 <= outcome.tune["coverage90"] <= 1
    assert 0 < outcome.tune["width90"] <= 10


def test_training_windows_are_seldom_far(outcome: Outcome, encoded: Encoded) -> None:
    distance = predict_encoded(outcome.networks, rows_of(encoded, np.arange(40))).distance
    assert np.mean(distance > 1) < 0.15


def test_every_baseline_is_there_with_the_same_number_of_trials(outcome: Outcome) -> None:
    assert list(outcome.baselines) == ["face", "cry", "vitals", "early", "late", "ridge"]
    assert {baseline.effort.trials for baseline in outcome.baselines.values()} == {2}


def test_every_baseline_predicts_every_pattern(outcome: Outcome, encoded: Encoded) -> None:
    some = rows_of(encoded, np.arange(8))
    models: list[Baseline] = list(outcome.baselines.values())
    for pattern in (None, "F", "CM"):
        for model in models:
            assert np.isfinite(model.predict(some, pattern).quantiles).all(), (model.name, pattern)


def test_a_training_in_many_legs_is_the_same_training(
    fake_windows: Fake,
    brief: TrainConfig,
    tmp_path: Path,
    *,
    work_in: Callable[..., Workplace],
    counted_leg: Callable[[int], Leg],
) -> None:
    whole = course(fake_windows, brief, work_in(tmp_path / "whole"), each=2).run()
    found: Outcome | None = None
    legs = 0
    while found is None and legs < 60:
        legs += 1
        try:
            found = course(fake_windows, brief, work_in(tmp_path / "legs", counted_leg(3 + legs)), each=2).run()
        except LegOver:
            continue
    assert legs > 5
    assert found is not None
    wanted = whole.networks.state_dict()
    for name, tensor in found.networks.state_dict().items():
        assert torch.equal(tensor, wanted[name]), name
    encoded = encode_windows(found.networks, windows(fake_windows), range(4))
    for name, baseline in found.baselines.items():
        assert np.array_equal(baseline.predict(encoded).quantiles, whole.baselines[name].predict(encoded).quantiles), (
            name
        )


def test_without_any_sound_the_rest_is_learnt_and_a_cry_is_far(
    fake_windows: Fake, brief: TrainConfig, place: Workplace
) -> None:
    quick = replace(brief, fusion=replace(brief.fusion, trials=1))
    torch.manual_seed(5)
    deaf = fake_windows(infants=10, each=2, patterns_of_each=("FPM",))
    start = Start(Networks(brief.nets).state_dict())
    outcome = Course(Pool([deaf]), quick, start, key="k", place=place).run()
    assert "audio" not in outcome.figures
    hearing = fake_windows(infants=1, each=4, seed=4)
    assert (predict_networks(outcome.networks, hearing, range(4)).distance > 1).all()


def test_a_trained_start_gives_its_head_to_every_trial(
    fake_windows: Fake, config: TrainConfig, place: Workplace
) -> None:
    nothing = replace(PLAN, steps=0)
    still = replace(
        config,
        face=replace(config.face, plan=nothing),
        video=replace(config.video, plan=replace(nothing, batch=2, check_windows=2)),
        audio=replace(config.audio, plan=nothing),
        vitals=replace(config.vitals, plan=nothing),
        fusion=replace(config.fusion, plan=nothing, trials=1),
    )
    torch.manual_seed(5)
    state = Networks(config.nets).state_dict()
    outcome = course(fake_windows, still, place, each=1, is_trained=True).run()
    found = outcome.networks.state_dict()
    assert torch.equal(found["fusion_head.attentive.latents"], state["fusion_head.attentive.latents"])
    assert torch.allclose(
        found["video_encoder.backbone.stem_conv.weight"], state["video_encoder.backbone.stem_conv.weight"], atol=1e-6
    )


def test_encoders_that_are_kept_stay_as_they_came_and_the_heads_learn(
    fake_windows: Fake, brief: TrainConfig, place: Workplace
) -> None:
    kept = replace(
        brief,
        face=replace(brief.face, keep=True),
        audio=replace(brief.audio, keep=True),
        fusion=replace(brief.fusion, trials=1),
    )
    torch.manual_seed(5)
    state = Networks(brief.nets).state_dict()
    outcome = course(fake_windows, kept, place, each=1).run()
    found = outcome.networks.state_dict()
    changed = {name.split(".")[0] for name, tensor in found.items() if not torch.equal(tensor, state[name])}
    assert changed == {"vitals_encoder", "fusion_head"}
    assert [name for name in outcome.figures if not name.endswith("-1")] == ["vitals"]


def test_strangers_are_told_from_infants(outcome: Outcome, encoded: Encoded) -> None:
    some = rows_of(encoded, np.array([*range(0, 40, 4), *range(40, 44)]))
    distance = predict_encoded(outcome.networks, some, "F").distance
    assert distance[10:].min() > np.median(distance[:10])
