"""Small nets of the real shape of things, and one untrained start for the tests that only read it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from neopain.models.config import AudioConfig, FusionConfig, NetConfig, VideoConfig, VitalsConfig
from neopain.models.networks import Networks, as_batch
from neopain.models.sample_windows import sample_window

from ...torch_threads import torch_threads

SMALL = NetConfig(
    width=32,
    video=VideoConfig(stem_channels=4, depths=(1, 2, 2, 1)),
    audio=AudioConfig(channels=(4, 8, 8, 16), layers=1),
    vitals=VitalsConfig(channels=16),
    fusion=FusionConfig(readers=(2, 0)),
)


@pytest.fixture(scope="module", autouse=True)
def _gently() -> Iterator[None]:
    with torch_threads(at_most=2):
        yield


@pytest.fixture(scope="session")
def small() -> Networks:
    """Small nets in evaluation mode."""
    torch.manual_seed(7)
    return Networks(SMALL).eval()


@pytest.fixture(scope="session")
def three() -> dict[str, torch.Tensor]:
    return as_batch([sample_window(seed) for seed in range(3)])


@pytest.fixture
def batch(three: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Three different windows with everything present."""
    return {name: tensor.clone() for name, tensor in three.items()}
