"""The exported nets behind a real Triton say what they say in this process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neopain.bootstrap.served_answers import ask_triton
from neopain.features.pack import WindowTensors
from neopain.models.repository import committed_repository
from neopain.models.sample_windows import sample_window
from neopain.training.exported_nets import ExportedNets, predictions_of
from neopain.training.leg import Silent
from neopain.training.patterns import context_of, letters_of

PATTERNS = ("FCPM", "CPM", "F")


class Windows:
    """Three made-up windows of three patterns."""

    patterns = PATTERNS

    def __init__(self) -> None:
        rows = [sample_window(seed) for seed in range(len(PATTERNS))]
        self.cry = np.stack([row["CRY"] for row in rows])
        self.vitals = np.stack(
            [row["VITALS"] * any(letter in own for letter in "PM") for row, own in zip(rows, PATTERNS, strict=True)]
        ).astype(np.float32)
        # What a monitor tells is nowhere without a monitor.
        self.context = context_of(np.stack([row["CONTEXT"] for row in rows]), letters_of(PATTERNS))
        self._clips = [row["CLIP"] for row in rows]

    def clip(self, index: int) -> np.ndarray:
        return self._clips[index]

    def tensors(self, index: int) -> WindowTensors:
        own = self.patterns[index]
        present = np.array(["F" in own, "C" in own, "P" in own or "M" in own])
        return WindowTensors(self.clip(index), self.cry[index], self.vitals[index], self.context[index], present)


@pytest.fixture(scope="module")
def repository() -> Path:
    return committed_repository()


def test_triton_says_what_the_exported_nets_say(repository: Path, tmp_path: Path) -> None:
    windows, nets = Windows(), ExportedNets(repository)
    expected = nets.predict(nets.encode(windows, [0, 1, 2]))
    answers = ask_triton(repository, tmp_path, windows, [0, 1, 2], Silent())
    said = predictions_of(answers.outputs, letters_of(PATTERNS))
    np.testing.assert_allclose(said.quantiles, expected.quantiles, atol=0.01)
    np.testing.assert_allclose(said.attention, expected.attention, atol=0.01)
    assert np.isnan(said.by_modality).tolist() == [[False] * 3, [True, False, False], [False, True, True]]
    assert len(answers.milliseconds) == 3
    assert min(answers.milliseconds) > 0
