from __future__ import annotations

import numpy as np
import pytest

from neopain.errors import ConfigurationError
from neopain.features.signature import CONTEXT_FIELDS
from neopain.training.patterns import (
    Hiding,
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
    kept = some_hidden(letters, Hiding(none=0, one=0.5), np.random.default_rng(0))
    assert not (kept & ~letters).any()
    assert kept.any(axis=1).all()


def hidden(how: Hiding) -> dict[str, float]:
    """Share of each pattern among windows that had everything."""
    kept = some_hidden(letters_of(["FCPM"] * 20_000), how, np.random.default_rng(0))
    names, counts = np.unique(patterns_of(kept), return_counts=True)
    return dict(zip(names.tolist(), (counts / 20_000).tolist(), strict=True))


def test_hiding_reaches_every_pattern() -> None:
    assert len(hidden(Hiding())) == 15


def test_hiding_leaves_so_many_windows_as_they_are() -> None:
    assert hidden(Hiding(none=0.3, one=0.7)).get("FCPM") == pytest.approx(0.3, abs=0.02)


def test_of_windows_that_lose_one_modality_so_many_lose_the_face() -> None:
    found = hidden(Hiding(none=0, one=1, face=0.4))
    assert found == pytest.approx({"CPM": 0.4, "FPM": 0.2, "FCM": 0.2, "FCP": 0.2}, abs=0.02)


def test_the_other_windows_lose_each_modality_as_often() -> None:
    found = hidden(Hiding(none=0, one=0, each=0.2))
    for letter in "FCPM":
        assert sum(share for name, share in found.items() if letter in name) == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"none": 1.5}, r"fusion\.hidden\.none is 1\.5, expected a share from 0 to 1"),
        ({"face": -0.1}, r"fusion\.hidden\.face is -0\.1"),
        ({"none": 0.6, "one": 0.6}, r"none and one are 1\.2 together, expected at most 1"),
    ],
)
def test_shares_that_cannot_be_are_refused(wrong: dict[str, float], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        Hiding(**wrong)
