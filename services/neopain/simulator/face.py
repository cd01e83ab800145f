"""The drawn face of an infant: brow bulge, eye squeeze, nasolabial furrow and open mouth as its signs say.

It is drawn on a square canvas of its own; ``scene`` puts it on the infant's shoulders. Soft shadows that do not move
are painted once, relaxed and tense, and mixed; lines, lids and mouth are drawn anew for each frame.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from neopain.simulator.behaviour import Signs
from neopain.simulator.infant import SimulatedInfant, SkinTone
from neopain.simulator.randomness import generator

Image = NDArray[np.uint8]
Colour = tuple[float, float, float]

CANVAS_PX = 256
HEAD_CENTRE = (128.0, 128.0)
HEAD_RADII = (104.0, 114.0)
FRACTION_BITS = 4

SKIN_RGB: dict[SkinTone, Colour] = {
    SkinTone.LIGHT: (240, 200, 182),
    SkinTone.FAIR: (229, 180, 156),
    SkinTone.TAN: (204, 150, 118),
    SkinTone.BROWN: (152, 104, 78),
    SkinTone.DARK: (104, 70, 54),
}
CAPS_RGB: tuple[Colour, ...] = ((180, 205, 225), (235, 205, 215), (240, 232, 205), (200, 222, 200))
FLUSH_RGB: Colour = (205, 72, 72)
MOUTH_RGB: Colour = (96, 22, 30)
TONGUE_RGB: Colour = (196, 92, 100)

_BROW = (slice(66, 126), slice(64, 192))
_CHEEKS = (slice(118, 212), slice(36, 220))


class Face:
    """One infant's face; ``draw`` gives it as its signs are."""

    def __init__(self, infant: SimulatedInfant) -> None:
        rng = generator(infant.seed, "face", infant.number)
        self.skin = SKIN_RGB[infant.skin]
        self.eye_gap = 41.0 * float(rng.uniform(0.94, 1.06))
        self.mouth_width = 23.0 * float(rng.uniform(0.92, 1.1))
        self.relaxed = _head(self.skin, CAPS_RGB[int(rng.integers(len(CAPS_RGB)))], rng)
        self.tense = _with_tension(self.relaxed, self.skin)
        self.flushed = _with_flush(self.relaxed)
        self.alpha = _head_alpha()
        self.line = _mixed(self.skin, (40, 16, 12), 0.62)
        self.soft_line = _mixed(self.skin, (60, 24, 20), 0.34)

    def draw(self, signs: Signs) -> Image:
        """The face on its canvas, uint8 RGB [256, 256, 3]; what lies outside ``alpha`` means nothing."""
        canvas = _blend(self.relaxed, self.flushed, 0.35 * signs.flush)
        self._tension(canvas, _BROW, signs.brow_bulge)
        self._tension(canvas, _CHEEKS, signs.nasolabial_furrow)
        turn = 12.0 * signs.head_turn
        for side in (-1.0, 1.0):
            self._brow(canvas, side, turn, signs)
            self._eye(canvas, side, turn, signs)
            self._furrow(canvas, side, turn, signs)
        self._nose(canvas, turn * 1.25)
        self._mouth(canvas, turn * 1.1, signs)
        return canvas

    def _tension(self, canvas: Image, part: tuple[slice, slice], share: float) -> None:
        canvas[part] = _blend(canvas[part], self.tense[part], 0.8 * share)

    def _brow(self, canvas: Image, side: float, turn: float, signs: Signs) -> None:
        # The brow comes down and its inner end goes to the middle; furrows stand between the brows.
        bulge = signs.brow_bulge
        inner = (128 + turn + side * (24 - 10 * bulge), 93 + 13 * bulge)
        middle = (128 + turn + side * (self.eye_gap + 2), 88 + 7 * bulge)
        outer = (128 + turn + side * (self.eye_gap + 20), 96 - 2 * bulge)
        curve(canvas, (inner, middle, outer), self.soft_line, 2 + round(bulge))
        if bulge > 0.15:
            x = 128 + turn + side * 5
            colour = _mixed(self.skin, self.line, bulge)
            curve(canvas, ((x, 86), (x - side * 1.5, 95), (x + side, 104)), colour, 2)
            curve(canvas, ((x + side * 9, 90), (x + side * 7, 99), (x + side * 10, 106)), colour, 1)

    def _eye(self, canvas: Image, side: float, turn: float, signs: Signs) -> None:
        x, y = 128 + turn + side * self.eye_gap, 122 + 2 * signs.brow_bulge
        half = 18.0 - 2.0 * signs.eye_squeeze
        opening = 11.0 * signs.eye_open
        if opening > 1.2:
            ellipse(canvas, (x, y), (half - 2, opening), (236, 232, 228))
            ellipse(canvas, (x + 4 * signs.head_turn, y), (min(8.5, opening), min(8.5, opening)), (48, 40, 46))
            ellipse(canvas, (x + 2 + 4 * signs.head_turn, y - 2), (1.6, 1.6), (235, 235, 240))
        lid = y - opening if opening > 1.2 else y + 4.5 * (1.0 - signs.eye_squeeze)
        curve(canvas, ((x - half, y), (x, lid), (x + half, y)), self.line, 1 + round(1.4 * signs.eye_squeeze))
        if signs.eye_squeeze > 0.2:
            colour = _mixed(self.skin, self.line, 0.75 * signs.eye_squeeze)
            for rise in (-7.0, 7.0):
                near, far = (x + side * (half - 3), y + rise * 0.35), (x + side * (half + 9), y + rise)
                curve(canvas, (near, far), colour, 1)
            curve(canvas, ((x - half + 2, y + 7), (x, y + 10), (x + half - 4, y + 7)), colour, 2)
            curve(canvas, ((x - half + 4, y - 7), (x, y - 9), (x + half - 4, y - 6)), colour, 1)

    def _furrow(self, canvas: Image, side: float, turn: float, signs: Signs) -> None:
        depth = signs.nasolabial_furrow
        if depth > 0.08:
            wide = self.mouth_width + 8 + 7 * signs.mouth_open
            start = (128 + turn + side * 15, 152)
            bend = (128 + turn + side * (wide - 3), 164)
            end = (128 + turn + side * (wide + 1), 186)
            curve(canvas, (start, bend, end), _mixed(self.skin, self.line, 0.85 * depth), 2 + round(depth))

    def _nose(self, canvas: Image, turn: float) -> None:
        for side in (-1.0, 1.0):
            ellipse(canvas, (128 + turn + side * 6.5, 156), (3.0, 2.0), self.line)
            curve(
                canvas,
                ((128 + turn + side * 13, 148), (128 + turn + side * 14, 155), (128 + turn + side * 10, 158)),
                self.soft_line,
                1,
            )

    def _mouth(self, canvas: Image, turn: float, signs: Signs) -> None:
        x, y = 128 + turn, 188 + 3 * signs.mouth_open
        half = self.mouth_width * (1.0 + 0.2 * signs.mouth_open)
        height = 25.0 * signs.mouth_open
        lips = _mixed(self.skin, (190, 70, 78), 0.45)
        if height < 2.0:
            curve(canvas, ((x - half, y + 1), (x, y - 1), (x + half, y + 1)), lips, 6)
            curve(
                canvas,
                ((x - half, y + 1), (x - half / 2, y), (x, y + 1.5), (x + half / 2, y), (x + half, y + 1)),
                self.line,
                1,
            )
            return
        ellipse(canvas, (x, y), (half + 4, height + 4), lips)
        ellipse(canvas, (x, y), (half, height), MOUTH_RGB)
        ellipse(canvas, (x, y + 0.42 * height), (0.68 * half, 0.45 * height), TONGUE_RGB)
        curve(
            canvas,
            ((x - half * 0.6, y - height * 0.72), (x, y - height * 0.86), (x + half * 0.6, y - height * 0.72)),
            (214, 130, 132),
            2,
        )


def _head(skin: Colour, cap: Colour, rng: np.random.Generator) -> Image:
    """The head without its features: shaded skin, ears, a knitted cap."""
    canvas = np.full((CANVAS_PX, CANVAS_PX, 3), skin, dtype=np.uint8)
    for side in (-1.0, 1.0):
        ellipse(canvas, (128 + side * 102, 132), (13, 22), _mixed(skin, (150, 60, 50), 0.18))
    _blush(canvas, (76, 170), 36, (215, 95, 90), 0.20)
    _blush(canvas, (180, 170), 36, (215, 95, 90), 0.20)
    _blush(canvas, (128, 150), 13, (255, 245, 235), 0.16)
    _blush(canvas, (128, 216), 16, (255, 245, 235), 0.12)
    _blush(canvas, (128, 84), 46, (255, 245, 235), 0.10)
    shaded = _shaded(canvas)
    _knit(shaded, cap)
    grain = cv2.GaussianBlur(rng.normal(0.0, 9.0, (CANVAS_PX, CANVAS_PX)).astype(np.float32), (0, 0), 1.5)
    return np.asarray(np.clip(shaded + grain[..., np.newaxis], 0, 255)).astype(np.uint8)


def _shaded(canvas: Image) -> Image:
    """Darker to the rim, and light from the upper left."""
    rows, columns = np.mgrid[0:CANVAS_PX, 0:CANVAS_PX].astype(np.float32)
    across, down = (columns - HEAD_CENTRE[0]) / HEAD_RADII[0], (rows - HEAD_CENTRE[1]) / HEAD_RADII[1]
    rim = np.clip(across**2 + down**2, 0.0, 1.4)
    light = 1.04 - 0.30 * rim**1.6 - 0.08 * (across + down)
    return np.asarray(np.clip(canvas * light[..., np.newaxis], 0, 255)).astype(np.uint8)


def _knit(canvas: Image, cap: Colour) -> None:
    for row in range(10):
        colour = _mixed(cap, (90, 90, 110), 0.05 + 0.09 * (row % 2) + 0.016 * (9 - row))
        ellipse(canvas, (128, 26), (132 - 1.5 * row, 44 - 4.4 * row), colour)
    curve(canvas, ((10, 66), (64, 74), (128, 73), (192, 74), (246, 66)), _mixed(cap, (90, 90, 110), 0.25), 2)


def _with_tension(relaxed: Image, skin: Colour) -> Image:
    """The same head with bulging brow and deep cheeks, all there is."""
    canvas = relaxed.copy()
    _blush(canvas, (108, 97), 12, (255, 240, 230), 0.40)
    _blush(canvas, (148, 97), 12, (255, 240, 230), 0.40)
    _blush(canvas, (128, 107), 9, _mixed(skin, (30, 10, 10), 0.8), 0.55)
    for side in (-1.0, 1.0):
        _blush(canvas, (128 + side * 32, 166), 10, _mixed(skin, (30, 10, 10), 0.7), 0.45)
        _blush(canvas, (128 + side * 54, 158), 20, (255, 235, 225), 0.28)
        _blush(canvas, (128 + side * 42, 142), 9, _mixed(skin, (30, 10, 10), 0.6), 0.30)
    return canvas


def _with_flush(relaxed: Image) -> Image:
    canvas = relaxed.copy()
    _blush(canvas, (128, 150), 75, FLUSH_RGB, 0.9)
    return canvas


def _head_alpha() -> NDArray[np.float32]:
    mask = np.zeros((CANVAS_PX, CANVAS_PX), dtype=np.uint8)
    cv2.ellipse(mask, (128, 128), (104, 114), 0, 0, 360, 255, -1, cv2.LINE_AA)
    for x in (26, 230):
        cv2.ellipse(mask, (x, 132), (13, 22), 0, 0, 360, 255, -1, cv2.LINE_AA)
    return (cv2.GaussianBlur(mask, (0, 0), 1.2) / 255.0).astype(np.float32)


def _blush(canvas: Image, centre: tuple[float, float], radius: float, colour: Colour, strength: float) -> None:
    rows, columns = np.mgrid[0:CANVAS_PX, 0:CANVAS_PX].astype(np.float32)
    near = np.exp(-((columns - centre[0]) ** 2 + (rows - centre[1]) ** 2) / (2.0 * (radius / 1.6) ** 2))
    share = (strength * near)[..., np.newaxis]
    canvas[:] = np.clip(canvas * (1.0 - share) + np.asarray(colour, dtype=np.float32) * share, 0, 255).astype(np.uint8)


def _blend(first: Image, second: Image, share: float) -> Image:
    return np.asarray(cv2.addWeighted(first, 1.0 - share, second, share, 0.0), dtype=np.uint8)


def _mixed(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = ((1.0 - share) * one + share * other for one, other in zip(first, second, strict=True))
    return (red, green, blue)


def _fixed(value: float) -> int:
    return round(value * (1 << FRACTION_BITS))


def ellipse(canvas: Image, centre: tuple[float, float], radii: tuple[float, float], colour: Colour) -> None:
    """A filled ellipse; centre and radii in pixels of the canvas, fractions count."""
    cv2.ellipse(
        canvas,
        (_fixed(centre[0]), _fixed(centre[1])),
        (_fixed(max(radii[0], 0.5)), _fixed(max(radii[1], 0.5))),
        0,
        0,
        360,
        colour,
        -1,
        cv2.LINE_AA,
        FRACTION_BITS,
    )


def curve(canvas: Image, points: tuple[tuple[float, float], ...], colour: Colour, thickness: int) -> None:
    """A smooth line: a quadratic arc through three points, else straight pieces."""
    if len(points) == 3:
        points = _arc(points)
    fixed = np.array([[_fixed(x), _fixed(y)] for x, y in points], dtype=np.int32)
    cv2.polylines(canvas, [fixed], False, colour, thickness, cv2.LINE_AA, FRACTION_BITS)


def _arc(points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    (x0, y0), (x1, y1), (x2, y2) = points
    bend_x, bend_y = 2 * x1 - (x0 + x2) / 2, 2 * y1 - (y0 + y2) / 2
    shares = (0.0, 0.17, 0.33, 0.5, 0.67, 0.83, 1.0)
    return tuple(
        (
            (1 - s) ** 2 * x0 + 2 * s * (1 - s) * bend_x + s * s * x2,
            (1 - s) ** 2 * y0 + 2 * s * (1 - s) * bend_y + s * s * y2,
        )
        for s in shares
    )
