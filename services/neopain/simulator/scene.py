"""The camera's wide view: an infant on its back on a sheet, head up, limbs moving, and where the face is.

A frame is a pure function of the signs and the frame's number (which chooses the sensor's noise).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from neopain.domain.media import FaceBox
from neopain.simulator.accessories import BLANKETS_RGB, Worn, draw_blanket, draw_worn
from neopain.simulator.behaviour import Signs
from neopain.simulator.face import CANVAS_PX, SKIN_RGB, Colour, Face, Image
from neopain.simulator.infant import SimulatedInfant
from neopain.simulator.randomness import generator

WIDTH_PX = 400
HEIGHT_PX = 300
HEAD_PX = 150
"""The side of the square that the head's canvas takes in the frame."""
HEAD_AT = (200.0, 92.0)
NOISE_TILES = 8
LIFT_PX = 9.0
"""How far a blanket rises over an arm that is a radian from rest."""
NOISE_LEVEL = 2.0
CLOTHES_RGB: tuple[Colour, ...] = ((226, 232, 240), (244, 230, 196), (206, 226, 206), (232, 212, 226))


@dataclass(frozen=True, slots=True)
class SceneFrame:
    """One frame: uint8 RGB [300, 400, 3], and the face's box in it."""

    rgb: Image
    face: FaceBox


class Scene:
    """One infant before one camera."""

    def __init__(self, infant: SimulatedInfant, worn: Worn | None = None) -> None:
        self.worn = worn or Worn()
        rng = generator(infant.seed, "scene", infant.number)
        self.face = Face(infant)
        self.skin = SKIN_RGB[infant.skin]
        self.clothes = CLOTHES_RGB[int(rng.integers(len(CLOTHES_RGB)))]
        self.blanket = BLANKETS_RGB[infant.number % len(BLANKETS_RGB)]
        self.background = _sheet(rng)
        self.noise = [_noise(rng) for _ in range(NOISE_TILES)]

    def frame(self, signs: Signs, number: int) -> SceneFrame:
        """The frame of that number with these signs."""
        canvas = self.background.copy()
        self._body(canvas, signs)
        box = self._head(canvas, signs)
        noisy = cv2.add(canvas, self.noise[number % NOISE_TILES], dtype=cv2.CV_8U)
        return SceneFrame(np.asarray(noisy, dtype=np.uint8), box)

    def outline(self, signs: Signs) -> Image:
        """The wide view without sensor noise, the face at rest: enough to see how much moves, in half the time."""
        canvas = self.background.copy()
        self._body(canvas, signs)
        self._place(canvas, signs, self.face.relaxed)
        return canvas

    def empty(self, number: int) -> SceneFrame:
        """The cot without an infant, and the box where its face would be."""
        noisy = cv2.add(self.background, self.noise[number % NOISE_TILES], dtype=cv2.CV_8U)
        left, top = round(HEAD_AT[0] - HEAD_PX / 2), round(HEAD_AT[1] - HEAD_PX / 2)
        return SceneFrame(np.asarray(noisy, dtype=np.uint8), _face_box(left, top))

    def _body(self, canvas: Image, signs: Signs) -> None:
        shade = _dimmed(self.clothes, 0.8)
        for side, arm, leg in zip((-1, 1), signs.arms, signs.legs, strict=True):
            self._limb(canvas, (200 + side * 26, 272), (leg * 0.7 + side * 0.5, 46), shade, 30)
            self._arm(canvas, side, arm)
        cv2.ellipse(canvas, (200, 226), (64, 74), 0, 0, 360, shade, -1, cv2.LINE_AA)
        cv2.ellipse(canvas, (198, 223), (59, 70), 0, 0, 360, self.clothes, -1, cv2.LINE_AA)
        cv2.line(canvas, (199, 168), (199, 296), shade, 2, cv2.LINE_AA)
        for y in (186, 214, 242, 270):
            cv2.circle(canvas, (205, y), 3, _dimmed(self.clothes, 0.6), -1, cv2.LINE_AA)
        if self.worn.blanket:
            left, right = (LIFT_PX * abs(angle) for angle in signs.arms)
            draw_blanket(canvas, self.blanket, (left, right))

    def _arm(self, canvas: Image, side: int, angle: float) -> None:
        shoulder = (200 + side * 50, 186)
        elbow = self._limb(canvas, shoulder, (side * (1.05 + 0.6 * angle), 46), _dimmed(self.clothes, 0.9), 26)
        hand = self._limb(canvas, elbow, (side * (2.3 + 1.1 * angle), 34), self.skin, 17)
        cv2.circle(canvas, hand, 12, _dimmed(self.skin, 0.94), -1, cv2.LINE_AA)

    def _limb(
        self, canvas: Image, start: tuple[int, int], turn: tuple[float, float], colour: Colour, thickness: int
    ) -> tuple[int, int]:
        """A rounded bar from ``start``, at an angle from straight down, that long; returns its end."""
        angle, length = turn
        end = (round(start[0] + length * np.sin(angle)), round(start[1] + length * np.cos(angle)))
        cv2.line(canvas, start, end, colour, thickness, cv2.LINE_AA)
        return end

    def _head(self, canvas: Image, signs: Signs) -> FaceBox:
        face = self.face.draw(signs)
        draw_worn(face, self.worn, 12.0 * signs.head_turn)
        return self._place(canvas, signs, face)

    def _place(self, canvas: Image, signs: Signs, face: Image) -> FaceBox:
        scale = HEAD_PX / CANVAS_PX
        x = HEAD_AT[0] + 14.0 * signs.head_turn
        y = HEAD_AT[1] + 3.0 * signs.head_roll
        left, top = round(x - HEAD_PX / 2), round(y - HEAD_PX / 2)
        matrix = cv2.getRotationMatrix2D((CANVAS_PX / 2, CANVAS_PX / 2), -12.0 * signs.head_roll, scale)
        matrix[0, 2] += x - left - CANVAS_PX / 2
        matrix[1, 2] += y - top - CANVAS_PX / 2
        size = (HEAD_PX, HEAD_PX)
        # INTER_LINEAR from 256 to 150 pixels blends two neighbours each way: enough not to flicker.
        head = cv2.warpAffine(face, matrix, size, flags=cv2.INTER_LINEAR)
        alpha = cv2.warpAffine(self.face.alpha, matrix, size, flags=cv2.INTER_LINEAR)
        part = canvas[top : top + HEAD_PX, left : left + HEAD_PX]
        part[:] = cv2.blendLinear(head, part, alpha, 1.0 - alpha)
        return _face_box(left, top)


def _face_box(left: int, top: int) -> FaceBox:
    return FaceBox(x=left + 8, y=top + 2, width=HEAD_PX - 16, height=HEAD_PX - 4)


def _sheet(rng: np.random.Generator) -> Image:
    """The mattress: folds, a fall of light, the rails of the cot."""
    folds = cv2.GaussianBlur(rng.normal(0.0, 70.0, (HEIGHT_PX, WIDTH_PX)).astype(np.float32), (0, 0), 12, sigmaY=26)
    rows, columns = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX].astype(np.float32)
    light = 1.05 - 0.30 * ((columns / WIDTH_PX - 0.4) ** 2 + (rows / HEIGHT_PX - 0.4) ** 2)
    tint = np.array(((196, 206, 216), (214, 208, 198), (202, 214, 206))[int(rng.integers(3))], dtype=np.float32)
    sheet = (tint * light[..., np.newaxis]) + 3.0 * folds[..., np.newaxis]
    canvas = np.clip(sheet, 0, 255).astype(np.uint8)
    for x in (14, WIDTH_PX - 14):
        cv2.line(canvas, (x, 0), (x, HEIGHT_PX), (150, 158, 168), 12, cv2.LINE_AA)
        cv2.line(canvas, (x - 3, 0), (x - 3, HEIGHT_PX), (214, 220, 226), 3, cv2.LINE_AA)
    cv2.ellipse(canvas, (200, 96), (122, 84), 0, 0, 360, (236, 238, 240), -1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), 1.4), dtype=np.uint8)


def _noise(rng: np.random.Generator) -> NDArray[np.int8]:
    coarse = rng.normal(0.0, NOISE_LEVEL, (HEIGHT_PX // 2, WIDTH_PX // 2, 3)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (WIDTH_PX, HEIGHT_PX))).round().astype(np.int8)


def _dimmed(colour: Colour, share: float) -> Colour:
    red, green, blue = colour
    return (red * share, green * share, blue * share)
