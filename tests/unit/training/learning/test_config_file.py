from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from neopain.errors import ConfigurationError
from neopain.training.config import PRESETS, default, small
from neopain.training.config_file import parse_config, read_config


def test_without_a_file_it_is_the_default_preset() -> None:
    assert read_config(None) == default()


def test_a_file_names_only_what_differs_from_its_preset(tmp_path: Path) -> None:
    path = tmp_path / "night.toml"
    path.write_text(
        'preset = "small"\nsave_seconds = 7\n[face]\nframe_px = 64\n[face.plan]\nlr = 0.5\n'
        "[nets.video]\ndepths = [1, 2, 1, 1]\n"
    )
    config = read_config(path)
    assert (config.face.frame_px, config.face.plan.lr, config.save_seconds) == (64, 0.5, 7.0)
    assert config.nets.video.depths == (1, 2, 1, 1)
    assert config.face.plan.batch == small().face.plan.batch
    assert config.audio == small().audio


def test_every_preset_makes_sense() -> None:
    for preset in PRESETS:
        assert parse_config({"preset": preset}) == PRESETS[preset]()


def test_the_small_nets_have_tokens_of_the_width_that_is_served() -> None:
    assert small().nets.width == default().nets.width == 192


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"preset": "large"}, "preset is 'large', expected one of default, gpu, small"),
        ({"fase": {}}, "fase is not known"),
        ({"face": {"plan": {"step": 3}}}, r"face\.plan\.step is not known"),
        ({"face": {"plan": {"steps": 3.5}}}, r"face\.plan\.steps is 3\.5, expected something like 5000"),
        ({"face": {"plan": {"steps": True}}}, r"face\.plan\.steps is True"),
        ({"face": 3}, r"face is 3, expected a table \[face\]"),
        ({"face": {"plan": {"lr": 0}}}, r"face\.plan: steps and minutes must be 0 or more, lr above 0"),
        ({"face": {"plan": {"batch": 0}}}, r"face\.plan\.batch is 0, expected 1 or more"),
        ({"face": {"plan": {"warmup": 1.5}}}, "warmup and average are shares"),
        ({"video": {"trained_from": "res6"}}, r"video\.trained_from is 'res6'"),
        ({"split": {"tune": 1.0}}, r"split\.tune is 1\.0"),
        ({"split": {"tune": 0.6, "fusion_only": 0.6}}, "split leaves no infants"),
        ({"nets": {"video": {"depths": [1, 1]}}}, r"nets\.video\.depths is \[1, 1\]"),
        ({"video": {"disturbed": 1.5}}, r"video\.disturbed is 1\.5, expected a share from 0 to 1"),
        ({"audio": {"patches": 11}}, "audio.patches is 11, expected 1 to 10"),
        ({"fusion": {"trials": 0}}, "are counts: expected 1 or more"),
    ],
)
def test_what_cannot_be_is_refused_by_name(table: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        parse_config(table)


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "night.toml"
    path.write_text("steps = = 3")
    with pytest.raises(ConfigurationError, match=r"night\.toml is no TOML"):
        read_config(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.toml cannot be read"):
        read_config(tmp_path / "none.toml")


def test_the_file_is_named_with_what_is_wrong_in_it(tmp_path: Path) -> None:
    path = tmp_path / "night.toml"
    path.write_text("[face]\npx = 3\n")
    with pytest.raises(ConfigurationError, match=r"night\.toml: face\.px is not known, expected one of disturbed, "):
        read_config(path)
