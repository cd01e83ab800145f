"""Encoders in int8 within a training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch

from neopain.models.config import NetConfig
from neopain.models.graph import VIDEO_ENCODER
from neopain.models.networks import Networks
from neopain.training.config import TokensStageConfig
from neopain.training.encoded import Encoded
from neopain.training.pool import Pool
from neopain.training.served import ServedEncoder
from neopain.training.stage import Workplace
from neopain.training.stages.audio import without_front_end
from neopain.training.tokens import keep_log_mels, keep_tokens

Fake = Callable[..., Any]


@dataclass(frozen=True)
class Kept:
    """Four windows, two of them with a face, and their tokens: as torch gives them, and as int8 does."""

    pool: Pool
    networks: Networks
    float32: Encoded
    int8: Encoded
    nets: Path
    """What int8 left."""


@pytest.fixture(scope="module")
def kept(
    fake_windows: Fake,
    tiny: NetConfig,
    work_in: Callable[[Path], Workplace],
    tmp_path_factory: pytest.TempPathFactory,
) -> Kept:
    torch.manual_seed(0)
    networks = Networks(tiny).eval()
    pool = Pool([fake_windows(infants=2, each=2, patterns_of_each=("FCPM", "CP"), edge=224)])
    folder = tmp_path_factory.mktemp("kept")
    found = {}
    for served in (False, True):
        place = work_in(folder / str(served))
        log_mels = keep_log_mels(pool, key="k", place=place)
        without_front_end(networks.audio_encoder)
        config = TokensStageConfig(face_views=1, cry_views=1, vitals_views=1, batch=2, served=served)
        found[served] = keep_tokens(
            pool, networks, log_mels=log_mels, disturbed=np.arange(4), config=config, key="k", place=place
        )
    return Kept(pool, networks, found[False], found[True], folder / "True" / "tokens")


def refused() -> NoReturn:
    raise AssertionError("what was kept is made again")


def test_int8_gives_nearly_what_the_net_gives_also_of_disturbed_pixels_and_is_made_once(kept: Kept) -> None:
    encoder = kept.networks.video_encoder
    (folder,) = kept.nets.glob("video_encoder-*")
    pixels = torch.from_numpy(np.stack([kept.pool.clip(number) for number in (0, 2)]))
    given = (pixels.float() * 0.9).clamp(0, 255)
    tokens, scores = ServedEncoder(encoder, VIDEO_ENCODER, folder, refused)(given)
    again, _ = ServedEncoder(encoder, VIDEO_ENCODER, folder, refused)(given)
    with torch.no_grad():
        wanted, wanted_scores = encoder(given)
    assert tokens.shape == wanted.shape == (2, 8, 16)
    assert (tokens - wanted).abs().mean() < 0.05 * wanted.abs().mean()
    assert not torch.equal(tokens, wanted)
    assert torch.allclose(scores, wanted_scores, atol=0.1)
    assert torch.equal(tokens, again)
    assert torch.equal(tokens, ServedEncoder(encoder, VIDEO_ENCODER, folder, refused)(given.round())[0])


def test_kept_tokens_of_int8_nets_are_near_those_of_the_nets(kept: Kept) -> None:
    assert not np.array_equal(kept.int8.face, kept.float32.face)
    assert not np.array_equal(kept.int8.cry, kept.float32.cry)
    assert np.allclose(kept.int8.face, kept.float32.face, atol=0.05)
    assert np.allclose(kept.int8.cry, kept.float32.cry, atol=0.05)
    assert not kept.int8.face[1].any()
