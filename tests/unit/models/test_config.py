from __future__ import annotations

import json

import pytest

from neopain.models.config import FusionConfig, NetConfig, VideoConfig


def test_a_config_survives_json() -> None:
    config = NetConfig(width=64, video=VideoConfig(depths=(1, 1, 1, 1)), fusion=FusionConfig(latents=4))
    assert NetConfig.from_json(config.to_json()) == config


def test_an_unknown_field_is_refused() -> None:
    fields = json.loads(NetConfig().to_json())
    fields["video"]["frames"] = 32
    with pytest.raises(TypeError, match="frames"):
        NetConfig.from_json(json.dumps(fields))
