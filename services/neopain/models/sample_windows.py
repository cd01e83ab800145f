"""Made-up windows that differ from each other: for the untrained start, for quantisation, and as golden windows.

They are pictures and sounds with structure (a face-like patch that moves, bursts with harmonics), not noise alone, so
that the ranges the quantiser sees resemble real ones. They know nothing of infants: the bedside simulator is elsewhere.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neopain.features import signature
from neopain.features.signature import CLIP_FRAMES, CRY_SAMPLES, FACE_SIZE_PX, VITALS_STEPS

Window = dict[str, npt.NDArray[np.generic]]
"""One window by tensor name, without batch axis; shapes and types as in ``features.signature``."""

PATTERNS = ((1, 1, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1))
"""The non-empty patterns of PRESENT."""

SAMPLE_RATE_HZ = 16_000


def sample_window(seed: int, pattern: tuple[int, int, int] = (1, 1, 1)) -> Window:
    """One window; the same seed gives the same one. What the pattern leaves out is zeros, as scoring sends it."""
    rng = np.random.default_rng(seed)
    clip, cry, vitals, context = _clip(rng), _cry(rng), _vitals(rng), _context(rng)
    face, sound, signals = pattern
    return {
        signature.CLIP.name: clip * np.uint8(face),
        signature.CRY.name: cry * np.float32(sound),
        signature.VITALS.name: vitals * np.float32(signals),
        signature.CONTEXT.name: context,
        signature.PRESENT.name: np.array(pattern, dtype=np.bool_),
    }


def _clip(rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """uint8 [16, 224, 224, 3]: a shaded ellipse with dark eyes and a mouth that opens, before a striped cloth."""
    y, x = np.mgrid[-1 : 1 : FACE_SIZE_PX * 1j, -1 : 1 : FACE_SIZE_PX * 1j].astype(np.float32)
    stripes, tilt, phase = rng.uniform(2, 25), rng.uniform(0, np.pi), rng.uniform(0, 6)
    cloth = rng.uniform(40, 220, 3) + 40 * np.sin(stripes * (x * np.cos(tilt) + y * np.sin(tilt)) + phase)[..., None]
    skin = rng.uniform((70, 45, 35), (250, 215, 200))
    size, opening, shift = rng.uniform(0.5, 0.95, 2), rng.uniform(0, 0.3, 2), rng.uniform(-0.2, 0.2, (2, 2))
    light = 1 + rng.uniform(-0.4, 0.4) * x + rng.uniform(-0.4, 0.4) * y
    pixels = np.empty((CLIP_FRAMES, FACE_SIZE_PX, FACE_SIZE_PX, 3))
    for at, frame in zip(np.linspace(0, 1, CLIP_FRAMES), pixels, strict=True):
        across, down = shift[0] + at * (shift[1] - shift[0]) * rng.uniform(0.8, 1.2)
        u, v = (x - across) / size[0], (y - down) / size[1]
        mouth = opening[0] + at * (opening[1] - opening[0])
        distance = u**2 + v**2
        face = distance < 1
        dark = _inside(u - 0.35, v + 0.2, 0.16, 0.06) | _inside(u + 0.35, v + 0.2, 0.16, 0.06)
        dark |= _inside(u, v - 0.45, 0.28, 0.03 + mouth)
        frame[:] = cloth
        frame[face] = skin * (1.1 - 0.4 * distance[face])[:, None]
        frame[dark] = 0.3 * skin
        np.multiply(frame, light[..., None], out=frame)
    noise = rng.normal(0, rng.uniform(1, 8), (CLIP_FRAMES, FACE_SIZE_PX, FACE_SIZE_PX, 1))
    pixels *= rng.uniform(0.5, 1.1)
    pixels += noise
    return np.clip(pixels, 0, 255, out=pixels).astype(np.uint8)


def _inside(
    u: npt.NDArray[np.floating], v: npt.NDArray[np.floating], width: float, height: float
) -> npt.NDArray[np.bool_]:
    return np.asarray((u / width) ** 2 + (v / height) ** 2 < 1)


def _cry(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """float32 [160000]: bursts of harmonics whose pitch rises and falls, over room noise."""
    seconds = np.arange(CRY_SAMPLES) / SAMPLE_RATE_HZ
    period, duty, pitch = rng.uniform(0.7, 2.5), rng.uniform(0, 0.9), rng.uniform(300, 600)
    cycle = (seconds / period + rng.uniform()) % 1
    envelope = np.where(cycle < duty, np.sin(np.pi * np.clip(cycle / max(duty, 0.05), 0, 1)), 0)
    glide = 2 * np.pi * np.cumsum(pitch * (1 + 0.15 * np.sin(np.pi * cycle))) / SAMPLE_RATE_HZ
    voice = np.sum([np.sin(k * glide) / k ** rng.uniform(0.5, 1.5) for k in range(1, 9)], axis=0)
    room = rng.normal(0, 10 ** rng.uniform(-4, -1.5), CRY_SAMPLES)
    loudness = 10 ** rng.uniform(-2, -0.5)
    return np.asarray(np.clip(loudness * envelope * voice + room, -1, 1), dtype=np.float32)


def _vitals(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """float32 [10, 120]: five slow curves in their units, then masks with a gap here and there."""
    t = np.linspace(0, 1, VITALS_STEPS)
    event = 1 / (1 + np.exp(-20 * (t - rng.uniform(0.2, 1.0)))) * rng.uniform(0, 1)
    rate = rng.uniform(110, 170) + 40 * event + rng.normal(0, 2, VITALS_STEPS)
    spo2 = np.clip(rng.uniform(90, 99) - 10 * event + rng.normal(0, 0.5, VITALS_STEPS), 50, 100)
    respiration = rng.uniform(30, 60) + 25 * event + rng.normal(0, 3, VITALS_STEPS)
    movement = np.clip(rng.uniform(0, 0.3) + event + rng.normal(0, 0.05, VITALS_STEPS), 0, 1)
    values = np.stack([60_000 / rate, rate, spo2, respiration, movement])
    masks = np.repeat(rng.uniform(size=(5, 6)) > 0.15, VITALS_STEPS // 6, axis=1)
    masks[1, -20:] = True
    return np.concatenate([values * masks, masks]).astype(np.float32)


def _context(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """float32 [22]: plausible values in the units of CONTEXT_FIELDS, a third of them masked."""
    centre = np.array([0, 0, 0, 15, 20, 0.5, 6, 42, 600, 34, 36])
    spread = np.array([15, 4, 12, 8, 10, 0.5, 4, 8, 500, 4, 4])
    masks = rng.uniform(size=centre.size) > 0.33
    values = centre + spread * rng.uniform(-1, 1, centre.size)
    return np.concatenate([values * masks, masks]).astype(np.float32)
