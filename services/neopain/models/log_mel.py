"""The VGGish front end as a net: from samples to log-mel patches, with nothing to learn in it.

The recipe is AudioSet's VGGish (tensorflow/models ``research/audioset/vggish``: ``vggish_params.py``,
``mel_features.py``): periodic Hann of 400 samples every 160, magnitude of a 512-point FFT, 64 HTK-mel triangles from
125 to 7500 Hz with slopes linear in mel and no area normalisation, log(mel + 0.01).

A frame's FFT is matrix products here, so that the net exports like any other layer. Two things are done for accuracy
and speed. The window is symmetric about sample 200 and a shift in time leaves magnitudes alone, so cosines see only the
sum and sines only the difference of the samples on either side: half the work; and of the 257 bins only those that a
triangle reaches are computed. And in a loud tone the quiet bands are small differences of large sums, where float32
loses its digits (0.0003 of the log): so samples and sines are split into a coarse part, whose products add up exactly,
and a small rest.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from neopain.features.signature import CRY_SAMPLES

SAMPLE_RATE_HZ = 16_000
FRAME_SAMPLES = 400
FRAME_HOP = 160
FFT_LENGTH = 512
MEL_BANDS = 64
MEL_LOW_HZ = 125.0
MEL_HIGH_HZ = 7500.0
LOG_OFFSET = 0.01

PATCHES = 10
PATCH_FRAMES = 96
PATCH_SAMPLES = FRAME_SAMPLES + (PATCH_FRAMES - 1) * FRAME_HOP
PATCH_HOP = 16_000
BETWEEN = PATCH_HOP // FRAME_HOP - PATCH_FRAMES
"""Frames that lie between two patches and that the encoder does not read."""


def patch_starts() -> list[int]:
    """First sample of each patch, oldest first: the last patch ends at T, each earlier one starts 16,000 before."""
    last = CRY_SAMPLES - PATCH_SAMPLES
    return [last - PATCH_HOP * back for back in reversed(range(PATCHES))]


def heard_bins() -> slice:
    """The FFT bins that have a weight in any band."""
    heard = np.flatnonzero(mel_matrix().any(axis=1))
    return slice(int(heard[0]), int(heard[-1]) + 1)


def half_fourier() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Windowed cosines and sines about the middle of a frame, [200, 257] each (distance from sample 200, bin)."""
    distance = np.arange(FRAME_SAMPLES // 2)
    window = 0.5 + 0.5 * np.cos(2 * np.pi * distance / FRAME_SAMPLES)
    window[0] /= 2  # the middle itself is met from both sides
    angle = 2 * np.pi * np.outer(distance, np.arange(FFT_LENGTH // 2 + 1)) / FFT_LENGTH
    return window[:, None] * np.cos(angle), window[:, None] * np.sin(angle)


def mel_matrix() -> npt.NDArray[np.float32]:
    """Triangles of 64 bands over 257 FFT bins, [257, 64]; the DC row is 0."""
    bins_mel = _mel(np.linspace(0.0, SAMPLE_RATE_HZ / 2, FFT_LENGTH // 2 + 1))
    edges = np.linspace(_mel(np.float64(MEL_LOW_HZ)), _mel(np.float64(MEL_HIGH_HZ)), MEL_BANDS + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins_mel[:, None] - low) / (centre - low)
    falling = (high - bins_mel[:, None]) / (high - centre)
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0
    return weights.astype(np.float32)


def _mel(hertz: npt.NDArray[np.float64] | np.float64) -> npt.NDArray[np.float64]:
    """HTK's mel scale."""
    return np.asarray(1127.0 * np.log1p(hertz / 700.0))


class SplitProduct(nn.Module):
    """A product with a constant matrix [200, N], exact in its leading digits.

    The coarse parts are multiples of 1/128 and 1/256: 200 products of them, each at most 2, sum up within the 24 bits
    of a float32.
    """

    coarse: Tensor
    rest: Tensor

    def __init__(self, matrix: npt.NDArray[np.float64]) -> None:
        super().__init__()
        coarse = np.round(matrix * 256) / 256
        self.register_buffer("coarse", torch.from_numpy(coarse.astype(np.float32)), persistent=False)
        self.register_buffer("rest", torch.from_numpy((matrix - coarse).astype(np.float32)), persistent=False)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Two parts of the same frames [..., 200] -> [..., N]."""
        small: Tensor = fine @ self.coarse + (coarse + fine) @ self.rest
        return coarse @ self.coarse + small


class LogMel(nn.Module):
    """Samples to log-mel patches."""

    mel: Tensor

    def __init__(self) -> None:
        super().__init__()
        heard = heard_bins()
        cosines, sines = half_fourier()
        self.cosine = SplitProduct(cosines[:, heard])
        self.sine = SplitProduct(sines[:, heard])
        self.register_buffer("mel", torch.from_numpy(mel_matrix()[heard]), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """float32 [B, 160000], -1..1 -> [B, 10, 96, 64] (patch, frame, band), oldest first."""
        return self._bands(samples, _frames_of_patches)

    def every_frame(self, samples: Tensor) -> Tensor:
        """float32 [B, 160000], -1..1 -> [B, 1000, 64], oldest first: the frames of ``forward`` and, before each patch,
        the four that lie between; what was before the window counts as silence."""
        return self._bands(functional.pad(samples, (BETWEEN * FRAME_HOP - patch_starts()[0], 0)), _frames)

    def _bands(self, samples: Tensor, frames_of: Callable[[Tensor], Tensor]) -> Tensor:
        coarse = (samples * 128).round() / 128
        after, before = _halves(frames_of(coarse))
        fine_after, fine_before = _halves(frames_of(samples - coarse))
        real = self.cosine(after + before, fine_after + fine_before)
        imaginary = self.sine(after - before, fine_after - fine_before)
        magnitude = (real * real + imaginary * imaginary).sqrt()
        bands: Tensor = magnitude @ self.mel
        return (bands + LOG_OFFSET).log()


def _frames(samples: Tensor) -> Tensor:
    """[..., N] -> [..., frame, 400]."""
    last = samples.dim() - 1  # OpenVINO does not convert -1
    return samples.unfold(last, FRAME_SAMPLES, FRAME_HOP)


def _frames_of_patches(samples: Tensor) -> Tensor:
    """[B, 160000] -> [B, 10, 96, 400]."""
    return _frames(torch.stack([samples[:, start : start + PATCH_SAMPLES] for start in patch_starts()], dim=1))


def _halves(frames: Tensor) -> tuple[Tensor, Tensor]:
    """[..., 400] -> samples after and before the middle of each frame, by distance from it, [..., 200] each."""
    middle = FRAME_SAMPLES // 2
    return frames[..., middle:], frames[..., 1 : middle + 1].flip(-1)
