from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neopain.models.audio_encoder import AudioEncoder
from neopain.models.config import NetConfig
from neopain.models.inflation import FlatEncoder
from neopain.models.video_encoder import VideoEncoder
from neopain.models.vitals_encoder import VitalsEncoder
from neopain.training.config import (
    AudioStageConfig,
    FaceStageConfig,
    Steps,
    VideoStageConfig,
    VitalsStageConfig,
)
from neopain.training.loop import run_stage
from neopain.training.pool import Pool
from neopain.training.rows import Array
from neopain.training.stage import Workplace
from neopain.training.stages.audio import AudioStage, some_patches
from neopain.training.stages.face import FaceStage, face_targets
from neopain.training.stages.lesson import Infants
from neopain.training.stages.video import VideoStage
from neopain.training.stages.vitals import VitalsStage
from neopain.training.tokens import keep_log_mels

PLAN = Steps(steps=30, batch=8, lr=0.01, warmup=0.1, average=0.9, check_every=15, check_windows=8, weight_decay=0.0)
INFANTS = Infants(np.arange(24), np.array([], np.intp), np.arange(24, 32))

Fake = Callable[..., Any]


@pytest.fixture(scope="module")
def pool(fake_windows: Fake) -> Pool:
    return Pool([fake_windows(infants=8, each=4, patterns_of_each=("FCPM", "FCP", "FCM", "FCPM"))])


@pytest.fixture(scope="module")
def log_mels(pool: Pool, work_in: Callable[[Path], Workplace], tmp_path_factory: pytest.TempPathFactory) -> Array:
    return keep_log_mels(pool, key="k", place=work_in(tmp_path_factory.mktemp("log-mels")))


def agreement(scores: Callable[[Any], torch.Tensor], pool: Pool) -> float:
    """The correlation with the labels, of the infants that were not learnt from: of their eight labels, 6.7 every time
    is off by no more than some nets that learn are."""
    with torch.no_grad():
        found = scores(INFANTS.tune).numpy()
    return float(np.corrcoef(found, pool.labels[INFANTS.tune])[0, 1])


def test_the_face_stage_learns_from_frames(pool: Pool, place: Workplace, tiny: NetConfig) -> None:
    torch.manual_seed(0)
    config = FaceStageConfig(replace(PLAN, steps=50), frame_px=32, sharp_px=0)
    stage = FaceStage(pool, INFANTS, config, FlatEncoder(tiny), machine=place.machine, seed=0)
    assert run_stage(stage, place)["tune_mae"] < 1.7
    assert agreement(stage._scores, pool) > 0.5


def test_the_frames_are_sharp_in_the_last_part_of_the_face_stage(pool: Pool, place: Workplace, tiny: NetConfig) -> None:
    config = FaceStageConfig(PLAN, frame_px=32, sharp_px=64, sharp_share=0.2)
    stage = FaceStage(pool, INFANTS, config, FlatEncoder(tiny), machine=place.machine, seed=0)
    assert [stage.read(unit)["frames"].shape[1] for unit in (0, 23, 24, 29)] == [32, 32, 64, 64]


def test_the_video_stage_learns_from_clips_and_leaves_its_first_parts(
    pool: Pool, place: Workplace, tiny: NetConfig
) -> None:
    torch.manual_seed(0)
    encoder = VideoEncoder(tiny)
    config = VideoStageConfig(
        replace(PLAN, steps=2, batch=2, check_every=2, check_windows=2),
        clip_px=32,
        trained_from="res4",
        statistics_clips=2,
    )
    stage = VideoStage(pool, INFANTS, config, encoder, machine=place.machine, seed=0)
    before = {name: tensor.clone() for name, tensor in encoder.named_parameters()}
    run_stage(stage, place)
    changed = {
        name.split(".")[1] for name, tensor in encoder.named_parameters() if not torch.equal(tensor, before[name])
    }
    assert changed & {"stem_conv", "stem_norm", "res2", "res3", "res4", "res5"} == {"res4", "res5"}


def test_norms_of_the_video_keep_the_statistics_that_were_taken_first(
    pool: Pool, place: Workplace, tiny: NetConfig
) -> None:
    encoder = VideoEncoder(tiny)
    plan = replace(PLAN, steps=1, batch=2, check_windows=2)
    config = VideoStageConfig(plan, clip_px=32, trained_from="stem", statistics_clips=2, hold_statistics=True)
    stage = VideoStage(pool, INFANTS, config, encoder, machine=place.machine, seed=0)
    with torch.no_grad():
        stage.begin()
    taken = encoder.backbone.stem_norm.running_mean.clone()
    stage.nets.train()
    stage.loss(stage.read(0)).backward()
    assert torch.equal(encoder.backbone.stem_norm.running_mean, taken)
    assert encoder.backbone.stem_conv.weight.grad is not None


def test_at_its_end_the_video_is_looked_at_in_the_size_that_is_served(
    pool: Pool, place: Workplace, tiny: NetConfig
) -> None:
    encoder = VideoEncoder(tiny)
    seen: list[int] = []
    encoder.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].shape[2]))
    plan = replace(PLAN, steps=0, batch=2, check_windows=2)
    config = VideoStageConfig(plan, clip_px=32, statistics_clips=2)
    run_stage(VideoStage(pool, INFANTS, config, encoder, machine=place.machine, seed=0), place)
    assert seen == [32, 224, 224]


def test_the_audio_stage_learns_from_kept_log_mels(
    pool: Pool, log_mels: Array, place: Workplace, tiny: NetConfig
) -> None:
    torch.manual_seed(0)
    config = AudioStageConfig(replace(PLAN, steps=60, batch=4, lr=0.005), patches=2)
    encoder = AudioEncoder(tiny)
    stage = AudioStage(pool, INFANTS, config, encoder, log_mels=log_mels, machine=place.machine, seed=0)
    assert run_stage(stage, place)["tune_mae"] < 2.0
    assert agreement(stage._scores, pool) > 0.5


def test_the_audio_encoder_hears_in_training_what_it_hears_when_served(
    pool: Pool, log_mels: Array, place: Workplace, tiny: NetConfig
) -> None:
    torch.manual_seed(0)
    encoder = AudioEncoder(tiny).eval()
    with torch.no_grad():
        served = encoder(torch.from_numpy(pool.sound(2))[None])[1].item()
        config = AudioStageConfig(PLAN)
        stage = AudioStage(pool, INFANTS, config, encoder, log_mels=log_mels, machine=place.machine, seed=0)
        trained = stage._scores(np.array([2])).item()
    assert trained == pytest.approx(served, abs=1e-4)


def test_the_vitals_stage_learns_from_grids(pool: Pool, place: Workplace, tiny: NetConfig) -> None:
    torch.manual_seed(0)
    config = VitalsStageConfig(replace(PLAN, steps=80))
    stage = VitalsStage(pool, INFANTS, config, VitalsEncoder(tiny), machine=place.machine, seed=0)
    assert run_stage(stage, place)["tune_mae"] < 1.7
    assert agreement(stage._scores, pool) > 0.5


def test_a_face_is_asked_for_items_codes_and_an_infant(fake_windows: Fake) -> None:
    pool = Pool([fake_windows(infants=1, each=1, strangers=1)])
    found = face_targets(pool)
    assert found.shape == (2, 8)
    assert np.allclose(found[0, :7], pool.labels[0] / 10)
    assert found[:, 7].tolist() == [1.0, 0.0]
    assert np.isnan(found[1, :7]).all()


def test_some_patches_are_drawn_for_each_window_with_their_places_in_order() -> None:
    torch.manual_seed(0)
    patches = torch.arange(10.0)[None, :, None, None].expand(6, 10, 96, 64)
    found, places = some_patches(patches, 5)
    assert found.shape == (6, 5, 96, 64)
    assert torch.equal(found[:, :, 0, 0], places.float())
    assert (places.diff(dim=1) > 0).all()
    assert len({tuple(row) for row in places.tolist()}) > 1


def test_a_stage_disturbs_as_far_as_its_config_says(pool: Pool, place: Workplace, tiny: NetConfig) -> None:
    config = FaceStageConfig(PLAN, frame_px=32, sharp_px=0, disturbed=0.5)
    stage = FaceStage(pool, INFANTS, config, FlatEncoder(tiny), machine=place.machine, seed=0)
    assert stage._how.turn_degrees == 7.5
