"""Windows with modalities taken away, exactly as scoring would give them without their sources.

Face, cry, physiology and movement make 15 patterns for three encoders: physiology and movement share one, and are told
apart by the masks in VITALS. So the vitals of a window are encoded three times, and the pattern says which is read.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neopain.domain.calibration import PATTERN_LETTERS
from neopain.errors import ConfigurationError
from neopain.features.signature import CONTEXT_FIELDS, VITALS_CHANNELS
from neopain.training.pool import Flags, Floats, Indices

LETTERS = tuple(PATTERN_LETTERS.values())
"""The columns of ``keep`` arrays, bool [n, 4]."""
F, C, P, M = range(len(LETTERS))

BOTH, PHYSIOLOGY_ALONE, MOVEMENT_ALONE = range(3)
VARIANTS = 3
"""Of the vitals: with physiology and movement, with either alone."""

AGES = ("gestational_age_weeks", "postmenstrual_age_weeks")
"""What the census knows; the rest of CONTEXT comes from the monitor."""

_IS_MOVEMENT = np.tile(np.array([name == "movement" for name in VITALS_CHANNELS]), 2)
_IS_MEASURED = np.tile(np.array([name not in AGES for name in CONTEXT_FIELDS]), 2)


def letters_of(patterns: Sequence[str]) -> Flags:
    """Which of F, C, P and M are in each pattern, bool [n, 4]; ``ConfigurationError`` for another letter."""
    for pattern in patterns:
        if set(pattern) - set(LETTERS):
            raise ConfigurationError(f"pattern {pattern!r} has other letters than {''.join(LETTERS)}")
    return np.array([[letter in pattern for letter in LETTERS] for pattern in patterns], np.bool_).reshape(-1, 4)


def patterns_of(keep: Flags) -> list[str]:
    """The pattern of each row of bool [n, 4]."""
    return ["".join(letter for letter, is_kept in zip(LETTERS, row, strict=True) if is_kept) for row in keep]


def present_of(keep: Flags) -> Flags:
    """PRESENT, bool [n, 3], of bool [n, 4]."""
    return np.stack([keep[:, F], keep[:, C], keep[:, P] | keep[:, M]], axis=1)


def variant_of(keep: Flags) -> Indices:
    """Which of the three encodings of the vitals is read, [n]; any where there are none."""
    return np.where(keep[:, P] & keep[:, M], BOTH, np.where(keep[:, P], PHYSIOLOGY_ALONE, MOVEMENT_ALONE)).astype(
        np.intp
    )


def vitals_variants(vitals: Floats) -> Floats:
    """Float32 [n, 10, 120] -> [n, 3, 10, 120]: as it is, without movement, without physiology."""
    rows = [np.ones_like(_IS_MOVEMENT), ~_IS_MOVEMENT, _IS_MOVEMENT]
    return np.stack([vitals * row[None, :, None] for row in rows], axis=1).astype(np.float32)


def context_of(context: Floats, keep: Flags) -> Floats:
    """CONTEXT [n, 22] without what a monitor tells, where there is no monitor."""
    hidden = _IS_MEASURED[None] & ~keep[:, P, None]
    return np.where(hidden, np.float32(0), context)


def some_hidden(letters: Flags, share: float, rng: np.random.Generator) -> Flags:
    """Hides each present modality with probability ``share``, but never the last one; bool [n, 4]."""
    kept = letters & (rng.random(letters.shape) >= share)
    return np.where(kept.any(axis=1, keepdims=True), kept, letters)
