from __future__ import annotations

import numpy as np
import pytest

from neopain.features.signature import CONTEXT_FIELDS
from neopain.training.encoded import Encoded
from neopain.training.patterns import letters_of


@pytest.fixture
def encoded() -> Encoded:
    """Two windows; each token is a number that says which it is: 100 row + 10 view + variant."""
    row, view = np.arange(2)[:, None], np.arange(3)[None]
    tokens = (100 * row + 10 * view).astype(np.float16)
    variants = tokens[:, :, None] + np.arange(3, dtype=np.float16)
    return Encoded(
        face=np.tile(tokens[:, :, None, None], (1, 1, 8, 4)),
        face_scores=tokens.astype(np.float32),
        cry=np.tile(tokens[:, :, None, None], (1, 1, 20, 4)),
        cry_scores=tokens.astype(np.float32),
        vitals=np.tile(variants[..., None, None], (1, 1, 1, 15, 4)),
        vitals_scores=variants.astype(np.float32),
        context=np.ones((2, 2 * len(CONTEXT_FIELDS)), np.float32),
        letters=letters_of(["FCPM", "FCPM"]),
        hand=np.zeros((2, 10), np.float32),
    )


def test_without_chance_it_is_the_first_view(encoded: Encoded) -> None:
    batch = encoded.batch(np.array([1, 0]), letters_of(["FCPM", "FCPM"]))
    assert batch["face"].shape == (2, 8, 4)
    assert batch["face"][:, 0, 0].tolist() == [100.0, 0.0]
    assert batch["scores"].tolist() == [[100.0, 100.0, 100.0], [0.0, 0.0, 0.0]]


def test_the_pattern_chooses_the_encoding_of_the_vitals(encoded: Encoded) -> None:
    batch = encoded.batch(np.array([0, 0, 0]), letters_of(["PM", "FP", "CM"]))
    assert batch["vitals"][:, 0, 0].tolist() == [0.0, 1.0, 2.0]
    assert batch["scores"][:, 2].tolist() == [0.0, 1.0, 2.0]
    assert batch["present"].tolist() == [[False, False, True], [True, False, True], [False, True, True]]


def test_without_physiology_its_context_is_masked(encoded: Encoded) -> None:
    batch = encoded.batch(np.array([0, 0]), letters_of(["FM", "FP"]))
    assert batch["context"].sum(dim=1).tolist() == [4.0, 22.0]


def test_by_chance_each_modality_has_a_view_of_its_own(encoded: Encoded) -> None:
    rows = np.zeros(300, np.intp)
    batch = encoded.batch(rows, letters_of(["FCPM"] * 300), np.random.default_rng(0))
    face, cry = batch["face"][:, 0, 0], batch["cry"][:, 0, 0]
    assert set(face.tolist()) == {0.0, 10.0, 20.0}
    assert (face != cry).float().mean().item() == pytest.approx(2 / 3, abs=0.1)
