from __future__ import annotations

import numpy as np
import pytest

from neopain.errors import ConfigurationError
from neopain.features.signature import CONTEXT_FIELDS
from neopain.training.patterns import (
    context_of,
    letters_of,
    patterns_of,
    present_of,
    some_hidden,
    variant_of,
    vitals_variants,
)


def test_patterns_and_their_letters_are_the_same_thing() -> None:
    letters = letters_of(["FCPM", "CM", ""])
    assert letters.tolist() == [[True] * 4, [False, True, False, True], [False] * 4]
    assert patterns_of(letters) == ["FCPM", "CM", ""]


def test_another_letter_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="pattern 'FX' has other letters than FCPM"):
        letters_of(["FX"])


def test_physiology_or_movement_makes_vitals_present() -> None:
    assert present_of(letters_of(["FP", "M", "C"])).tolist() == [
        [True, False, True],
        [False, False, True],
        [False, True, False],
    ]


def test_the_pattern_says_which_encoding_of_the_vitals_is_read() -> None:
    assert variant_of(letters_of(["PM", "FP", "CM"])).tolist() == [0, 1, 2]


def test_the_variants_lack_movement_or_physiology_with_their_masks() -> None:
    found = vitals_variants(np.ones((1, 10, 120), np.float32))[0, :, :, 0]
    assert found.tolist() == [
        [1] * 10,
        [1, 1, 1, 1, 0, 1, 1, 1, 1, 0],
        [0, 0, 0, 0, 1, 0, 0, 0, 0, 1],
    ]


def test_without_physiology_the_context_keeps_the_ages_only() -> None:
    context = np.ones((2, 2 * len(CONTEXT_FIELDS)), np.float32)
    found = context_of(context, letters_of(["FM", "FP"]))
    assert found[0].tolist() == ([0] * 9 + [1, 1]) * 2
    assert found[1].tolist() == [1] * 22


def test_hiding_adds_nothing_and_never_takes_the_last() -> None:
    letters = np.tile(letters_of(["FCP", "M"]), (500, 1))
    kept = some_hidden(letters, 0.3, np.random.default_rng(0))
    assert not (kept & ~letters).any()
    assert kept.any(axis=1).all()
    assert kept[::2, :3].mean() == pytest.approx(0.7, abs=0.03)


def test_hiding_reaches_every_pattern() -> None:
    letters = letters_of(["FCPM"] * 3000)
    assert len(set(patterns_of(some_hidden(letters, 0.3, np.random.default_rng(0))))) == 15
