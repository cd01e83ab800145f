"""Int8: convolutions nearly as exact as in floating point, also where something is rare."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest
import torch
from torch import Tensor, nn

from neopain.features.signature import TensorSpec
from neopain.models.engines import IR_FILE, openvino_core
from neopain.models.graph import VIDEO_ENCODER
from neopain.models.quantise import convert, quantise, save_ir

pytestmark = pytest.mark.torch

PIXELS = TensorSpec("PIXELS", (3, 32, 32), np.float32, "pictures, 0..1")
FEATURES = TensorSpec("FEATURES", (8, 32, 32), np.float32, "what the second convolution finds")
NET = replace(VIDEO_ENCODER, inputs=(PIXELS,), outputs=(FEATURES,))


class TwoConvolutions(nn.Module):
    """Two layers, as small as can be."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, pixels: Tensor) -> Tensor:
        """[B, 3, 32, 32] -> [B, 8, 32, 32]."""
        found: Tensor = self.second(self.first(pixels).relu())
        return found


def run(model: openvino.Model, sample: Any) -> Any:
    return next(iter(openvino_core().compile_model(model, "CPU")([sample]).values()))


def test_what_few_samples_show_strongly_is_not_cut_off() -> None:
    torch.manual_seed(0)
    model = convert(TwoConvolutions().eval(), NET)
    rng = np.random.default_rng(0)
    dark = [rng.uniform(0, 0.05, (1, 3, 32, 32)).astype(np.float32) for _ in range(15)]
    bright = rng.uniform(0.9, 1.0, (1, 3, 32, 32)).astype(np.float32)
    exact, given = run(model, bright), run(quantise(model, NET, [*dark, bright]), bright)
    assert np.abs(given - exact).mean() < 0.05 * np.abs(exact).mean()


def test_a_net_that_is_saved_answers_the_same_and_carries_no_indentation(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = convert(TwoConvolutions().eval(), NET)
    save_ir(model, tmp_path / "1" / IR_FILE, half=False)
    assert not re.search(r">\s+<", (tmp_path / "1" / IR_FILE).read_text())
    sample = np.random.default_rng(0).uniform(0, 1, (1, 3, 32, 32)).astype(np.float32)
    np.testing.assert_array_equal(run(openvino_core().read_model(tmp_path / "1" / IR_FILE), sample), run(model, sample))
