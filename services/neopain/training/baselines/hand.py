"""Ten features of a window made by hand, as one would begin without a network; NaN where they cannot be had.

| feature | what it is |
|---|---|
| face_motion | mean difference of successive frames, grey 56x56, 0..1 |
| mouth_darkness | share of pixels below 0.6 of the face's median in the crop's lower middle, mean of frames |
| cry_loudness_db | RMS of 64 ms frames, 95th percentile, dB of full scale |
| voiced_share | share of frames with a period between 200 and 1000 Hz |
| pitch_hz | median frequency of these frames |
| heart_rate_delta, spo2_delta, respiration_delta | window's mean less the baseline (CONTEXT) |
| movement | mean speed of movement |
| rmssd_ms | CONTEXT |
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from neopain.features.signature import CONTEXT_FIELDS, VITALS_CHANNELS
from neopain.training.patterns import C, F, M, P
from neopain.training.pool import Flags, Floats, Pixels

HAND_FEATURES: Final = (
    "face_motion",
    "mouth_darkness",
    "cry_loudness_db",
    "voiced_share",
    "pitch_hz",
    "heart_rate_delta",
    "spo2_delta",
    "respiration_delta",
    "movement",
    "rmssd_ms",
)

GREY_PX: Final = 56
FACE_ROWS, FACE_COLUMNS = slice(11, 53), slice(11, 45)
MOUTH_ROWS, MOUTH_COLUMNS = slice(34, 50), slice(17, 39)
DARK_SHARE: Final = 0.6

SOUND_HZ: Final = 8000
SOUND_FRAME, SOUND_HOP = 512, 256
LOWEST_HZ, HIGHEST_HZ = 200, 1000
VOICED_AUTOCORRELATION: Final = 0.5
QUIET_RMS: Final = 10 ** (-55 / 20)

HAND_LETTERS: Final = {
    "face_motion": F,
    "mouth_darkness": F,
    "cry_loudness_db": C,
    "voiced_share": C,
    "pitch_hz": C,
    "heart_rate_delta": P,
    "spo2_delta": P,
    "respiration_delta": P,
    "movement": M,
    "rmssd_ms": P,
}
"""Column of F, C, P, M that each comes from."""

MOVEMENT: Final = VITALS_CHANNELS.index("movement")
FROM_CONTEXT: Final = {
    "heart_rate_delta": "baseline_heart_rate_delta",
    "spo2_delta": "baseline_spo2_delta",
    "respiration_delta": "baseline_respiration_delta",
    "rmssd_ms": "rmssd_ms",
}

Doubles = npt.NDArray[np.float64]


def hand_features(*, clip: Pixels, cry: Floats, vitals: Floats, context: Floats, letters: Flags) -> Floats:
    """Float32 [10] in the order of ``HAND_FEATURES``, of one window; ``letters`` are bool [4] for F, C, P, M."""
    found = _context_features(context)
    if letters[F]:
        found |= _face_features(clip)
    if letters[C]:
        found |= _cry_features(cry)
    mask = vitals[len(VITALS_CHANNELS) + MOVEMENT] > 0
    if mask.any():
        found["movement"] = float(vitals[MOVEMENT][mask].mean())
    return np.array([found.get(name, np.nan) for name in HAND_FEATURES], np.float32)


def without_letters(features: Floats, keep: Flags) -> Floats:
    """The features [n, 10] that ``keep`` (bool [n, 4]) leaves; the others are NaN."""
    source = np.array([HAND_LETTERS[name] for name in HAND_FEATURES])
    return np.where(keep[:, source], features, np.float32(np.nan))


def _face_features(clip: Pixels) -> dict[str, float]:
    grey = np.stack([_grey(frame) for frame in clip])
    middle = np.median(grey[:, FACE_ROWS, FACE_COLUMNS], axis=(1, 2), keepdims=True)
    mouth = grey[:, MOUTH_ROWS, MOUTH_COLUMNS]
    return {
        "face_motion": float(np.abs(np.diff(grey, axis=0)).mean()),
        "mouth_darkness": float((mouth < DARK_SHARE * middle).mean()),
    }


def _grey(frame: Pixels) -> Doubles:
    small = cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), (GREY_PX, GREY_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float64) / 255


def _cry_features(cry: Floats) -> dict[str, float]:
    half_rate = cry.reshape(-1, 2).mean(axis=1)
    frames = np.lib.stride_tricks.sliding_window_view(half_rate, SOUND_FRAME)[::SOUND_HOP].astype(np.float64)
    loudness = np.sqrt((frames**2).mean(axis=1))
    strength, pitch = _periods(frames - frames.mean(axis=1, keepdims=True))
    is_voiced = (strength > VOICED_AUTOCORRELATION) & (loudness > QUIET_RMS)
    return {
        "cry_loudness_db": float(20 * np.log10(max(float(np.percentile(loudness, 95)), 1e-5))),
        "voiced_share": float(is_voiced.mean()),
        "pitch_hz": float(np.median(pitch[is_voiced])) if is_voiced.any() else float("nan"),
    }


def _periods(frames: Doubles) -> tuple[Doubles, Doubles]:
    """Height of the highest peak of the autocorrelation between the limits, of 1, and its frequency, for each frame."""
    spectrum = np.fft.rfft(frames, n=2 * SOUND_FRAME)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:, :SOUND_FRAME]
    relative = correlation / np.maximum(correlation[:, :1], 1e-12)
    first, last = SOUND_HZ // HIGHEST_HZ, SOUND_HZ // LOWEST_HZ
    lag = first + relative[:, first : last + 1].argmax(axis=1)
    return np.take_along_axis(relative, lag[:, None], axis=1)[:, 0], SOUND_HZ / lag


def _context_features(context: Floats) -> dict[str, float]:
    values, masks = np.split(context, 2)
    places = {name: CONTEXT_FIELDS.index(field) for name, field in FROM_CONTEXT.items()}
    return {name: float(values[place]) for name, place in places.items() if masks[place] > 0}
