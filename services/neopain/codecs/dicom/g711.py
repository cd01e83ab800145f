"""Waveform samples as amplitudes: linear ones, and the mu-law and A-law of ITU-T G.711 (PS3.3 C.10.9.1.5: MB, AB)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

LAW_FULL_SCALE = 32_768.0
"""Both laws are expanded to the range of 16 bits."""


def _mu_law() -> Numbers:
    code = ~np.arange(256) & 0xFF
    size = ((((code & 0x0F) << 3) + 0x84) << ((code >> 4) & 0x07)) - 0x84
    return np.where(code & 0x80, -size, size).astype(np.float64)


def _a_law() -> Numbers:
    code = np.arange(256) ^ 0x55
    segment, step = (code >> 4) & 0x07, (code & 0x0F) << 4
    size = np.where(segment == 0, step + 8, (step + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, size, -size).astype(np.float64)


LAWS = {"MB": _mu_law(), "AB": _a_law()}


def expand(raw: npt.NDArray[np.generic], interpretation: str) -> Numbers:
    """Samples as numbers, float64: those of a law expanded to 16 bits, others as they are."""
    law = LAWS.get(interpretation)
    return raw.astype(np.float64) if law is None else law[raw.astype(np.intp)]


def amplitude(raw: npt.NDArray[np.generic], interpretation: str, bits: int) -> Numbers:
    """Samples as a share of full scale, float64, -1 to 1; unsigned ones lie around the middle of their range."""
    numbers = expand(raw, interpretation)
    if interpretation in LAWS:
        return numbers / LAW_FULL_SCALE
    half = 2.0 ** (bits - 1)
    return (numbers - half if interpretation.startswith("U") else numbers) / half
