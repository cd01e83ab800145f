"""A model repository behind a real Triton: what is asked is what it says, and its nets say it in this process too."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np

from neopain.bootstrap.served_answers import ask_triton
from neopain.embedded.triton import Triton as TritonServer
from neopain.features.pack import WindowTensors
from neopain.models.sample_windows import sample_window
from neopain.scoring.inference import Triton
from neopain.scoring.settings import ScoringSettings
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


def test_the_windows_are_asked_in_their_order_of_a_triton_that_is_started_for_it(
    stand_in_repository: Path, tmp_path: Path
) -> None:
    answers = ask_triton(stand_in_repository, tmp_path, Windows(), [2, 0, 1], Silent())
    assert [float(each["SCORE_QUANTILES"][4]) for each in answers.outputs] == [1.0, 7.0, 6.0]
    assert len(answers.milliseconds) == 3
    assert min(answers.milliseconds) > 0


async def test_triton_says_what_the_exported_nets_say(nets: Path, nets_triton: TritonServer) -> None:
    windows, exported = Windows(), ExportedNets(nets)
    expected = exported.predict(exported.encode(windows, [0, 1, 2]))
    triton = Triton(ScoringSettings(triton_url=nets_triton.url, triton_deadline=timedelta(minutes=1)))
    outputs = [await triton.infer(windows.tensors(index).by_name()) for index in range(3)]
    await triton.aclose()
    said = predictions_of(outputs, letters_of(PATTERNS))
    np.testing.assert_allclose(said.quantiles, expected.quantiles, atol=0.01)
    np.testing.assert_allclose(said.attention, expected.attention, atol=0.01)
    assert np.isnan(said.by_modality).tolist() == [[False] * 3, [True, False, False], [False, True, True]]
