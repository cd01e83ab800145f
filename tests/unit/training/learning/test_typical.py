from __future__ import annotations

import numpy as np
import pytest
import torch

from neopain.features.signature import CONTEXT_FIELDS
from neopain.models.config import NetConfig
from neopain.models.fusion_head import FusionHead
from neopain.training.encoded import Encoded
from neopain.training.heads import Fused, fusion_outputs
from neopain.training.patterns import letters_of
from neopain.training.pool import Flags
from neopain.training.typical import set_typical

WIDTH = 16


def windows(count: int, *, seed: int, pattern: str = "FCPM", moved: float = 0.0) -> Encoded:
    """Tokens with the spread 2 about 1; those of the face are moved in one of sixteen features."""
    rng = np.random.default_rng(seed)

    def tokens(*shape: int) -> np.ndarray:
        means = rng.normal(1, 2, (count, *[1] * len(shape), WIDTH))
        return np.broadcast_to(means, (count, *shape, WIDTH)).astype(np.float16)

    face = tokens(1, 8).copy()
    face[..., 0] += moved
    return Encoded(
        face=face,
        face_scores=np.zeros((count, 1), np.float32),
        cry=tokens(1, 20),
        cry_scores=np.zeros((count, 1), np.float32),
        vitals=tokens(1, 3, 15),
        vitals_scores=np.zeros((count, 1, 3), np.float32),
        context=np.zeros((count, 2 * len(CONTEXT_FIELDS)), np.float32),
        letters=letters_of([pattern] * count),
        hand=np.zeros((count, 10), np.float32),
    )


def distances(head: FusionHead, encoded: Encoded, keep: Flags | None = None) -> list[float]:
    letters = encoded.letters if keep is None else keep
    with torch.no_grad():
        outputs = fusion_outputs(head, encoded.batch(np.arange(len(encoded)), letters))
    found: list[float] = outputs[4][:, 0].tolist()
    return found


@pytest.fixture
def head(tiny: NetConfig) -> FusionHead:
    torch.manual_seed(0)
    return Fused(tiny).head.eval()


def test_the_asked_share_of_the_training_windows_is_far(head: FusionHead) -> None:
    encoded = windows(2000, seed=0)
    set_typical(head, encoded, np.arange(2000), far_share=0.01)
    assert np.mean(np.array(distances(head, encoded)) > 1) == pytest.approx(0.01, abs=0.002)


def test_windows_of_the_same_kind_are_about_as_far(head: FusionHead) -> None:
    set_typical(head, windows(2000, seed=0), np.arange(2000), far_share=0.01)
    assert np.mean(np.array(distances(head, windows(2000, seed=1))) > 1) == pytest.approx(0.01, abs=0.01)


def test_a_window_unlike_the_others_is_far(head: FusionHead) -> None:
    set_typical(head, windows(2000, seed=0), np.arange(2000), far_share=0.01)
    assert min(distances(head, windows(5, seed=1, moved=40.0))) > 1


def test_a_modality_that_no_training_window_has_is_always_far(head: FusionHead) -> None:
    encoded = windows(200, seed=0, pattern="FPM")
    set_typical(head, encoded, np.arange(200), far_share=0.01)
    assert min(distances(head, encoded, letters_of(["C"] * 200))) > 1
    assert np.mean(np.array(distances(head, encoded)) > 1) < 0.03
