"""Encoders in int8 within a training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neopain.models.config import NetConfig
from neopain.models.graph import VIDEO_ENCODER
from neopain.models.networks import Networks
from neopain.models.video_encoder import VideoEncoder
from neopain.training.config import TokensStageConfig
from neopain.training.pool import Pool
from neopain.training.served import ServedEncoder
from neopain.training.stage import Workplace
from neopain.training.stages.audio import without_front_end
from neopain.training.tokens import keep_log_mels, keep_tokens

Fake = Callable[..., Any]


@pytest.fixture(scope="module")
def encoder(tiny: NetConfig) -> VideoEncoder:
    torch.manual_seed(1)
    return VideoEncoder(tiny).eval()


def clips(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 16, 224, 224, 3), dtype=torch.uint8)


def test_int8_gives_nearly_what_the_net_gives_also_of_disturbed_pixels_and_is_made_once(
    encoder: VideoEncoder, tmp_path: Path
) -> None:
    torch.manual_seed(2)
    pixels, asked = clips(2), list[int]()

    def samples() -> list[Any]:
        asked.append(1)
        return [one[None].numpy() for one in pixels]

    given = (pixels.float() * 0.9).clamp(0, 255)
    tokens, scores = ServedEncoder(encoder, VIDEO_ENCODER, tmp_path / "net", samples)(given)
    again, _ = ServedEncoder(encoder, VIDEO_ENCODER, tmp_path / "net", samples)(given)
    with torch.no_grad():
        wanted, wanted_scores = encoder(given)
    assert tokens.shape == wanted.shape == (2, 8, 16)
    assert (tokens - wanted).abs().mean() < 0.05 * wanted.abs().mean()
    assert torch.allclose(scores, wanted_scores, atol=0.1)
    assert torch.equal(tokens, again)
    assert torch.equal(tokens, ServedEncoder(encoder, VIDEO_ENCODER, tmp_path / "net", samples)(given.round())[0])
    assert len(asked) == 1


def test_kept_tokens_of_int8_nets_are_near_those_of_the_nets(
    fake_windows: Fake, tiny: NetConfig, work_in: Callable[[Path], Workplace], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    networks = Networks(tiny).eval()
    pool = Pool([fake_windows(infants=2, each=2, patterns_of_each=("FCPM", "CP"), edge=224)])
    found = {}
    for served in (False, True):
        place = work_in(tmp_path / str(served))
        log_mels = keep_log_mels(pool, key="k", place=place)
        without_front_end(networks.audio_encoder)
        config = TokensStageConfig(face_views=1, cry_views=1, vitals_views=1, batch=2, served=served)
        found[served] = keep_tokens(
            pool, networks, log_mels=log_mels, disturbed=np.arange(4), config=config, key="k", place=place
        )
    assert not np.array_equal(found[True].face, found[False].face)
    assert np.allclose(found[True].face, found[False].face, atol=0.05)
    assert np.allclose(found[True].cry, found[False].cry, atol=0.05)
    assert not found[True].face[1].any()
