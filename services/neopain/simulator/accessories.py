"""What lies over a face in intensive care: the mask of phototherapy, a tube and its tape, somebody's hand."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from neopain.simulator.face import Colour, Image, curve, ellipse

MASK_RGB: Colour = (236, 238, 232)
TAPE_RGB: Colour = (238, 226, 205)
BLANKETS_RGB: tuple[Colour, ...] = ((204, 222, 238), (244, 226, 208), (216, 234, 214))
TUBE_RGB: Colour = (196, 214, 224)
GLOVES_RGB: tuple[Colour, ...] = ((150, 190, 226), (206, 176, 226), (226, 190, 166))


@dataclass(frozen=True, slots=True)
class Worn:
    """What an infant wears all through a session; the blanket hides arms and legs from the camera."""

    eye_mask: bool = False
    tube: bool = False
    blanket: bool = False


def draw_worn(canvas: Image, worn: Worn, turn_px: float) -> None:
    """Draws it on the face's canvas; ``turn_px`` is how far the features have moved with the head."""
    if worn.eye_mask:
        _eye_mask(canvas, turn_px)
    if worn.tube:
        _tube(canvas, turn_px)


def draw_hand(canvas: Image, at: tuple[float, float], glove: Colour) -> None:
    """A gloved hand that reaches in from the right, its fingertips at that point of the wide view."""
    x, y = at
    shade = (0.82 * glove[0], 0.82 * glove[1], 0.82 * glove[2])
    for finger in range(4):
        tip = (round(x), round(y - 14 + 10 * finger))
        cv2.line(
            canvas, tip, (round(x + 60), round(y + 4 + 5 * finger)), shade if finger % 2 else glove, 11, cv2.LINE_AA
        )
    cv2.ellipse(canvas, (round(x + 74), round(y + 14)), (34, 25), 10, 0, 360, glove, -1, cv2.LINE_AA)
    cv2.line(canvas, (round(x + 90), round(y + 18)), (round(x + 300), round(y + 60)), glove, 40, cv2.LINE_AA)


def draw_blanket(canvas: Image, colour: Colour, lifted_px: tuple[float, float]) -> None:
    """A blanket from the chest down in the wide view; its sides rise as far as the arms under it do."""
    left, right = lifted_px
    outline = [
        [88, 186 - left],
        [140, 172 - left / 2],
        [200, 168],
        [260, 172 - right / 2],
        [312, 186 - right],
        [318, 300],
        [82, 300],
    ]
    cv2.fillPoly(canvas, [np.array(outline, dtype=np.int32)], colour, cv2.LINE_AA)
    for x in (120, 165, 230, 280):
        cv2.line(canvas, (x, 196), (x + 6, 298), (0.94 * colour[0], 0.94 * colour[1], 0.94 * colour[2]), 3, cv2.LINE_AA)


def _eye_mask(canvas: Image, turn_px: float) -> None:
    for side in (-1.0, 1.0):
        ellipse(canvas, (128 + turn_px + side * 40, 120), (38, 24), MASK_RGB)
    band = np.array([[22, 106], [234, 106], [234, 132], [22, 132]], dtype=np.int32)
    cv2.fillPoly(canvas, [band], MASK_RGB, cv2.LINE_AA)
    curve(canvas, ((24, 107), (128 + turn_px, 100), (232, 107)), (200, 204, 200), 1)


def _tube(canvas: Image, turn_px: float) -> None:
    x = 128 + turn_px
    tape = np.array([[x - 46, 163], [x + 46, 163], [x + 42, 178], [x - 42, 178]], dtype=np.int32)
    cv2.fillPoly(canvas, [tape], TAPE_RGB, cv2.LINE_AA)
    curve(canvas, ((x + 6, 172), (x + 10, 200), (x + 34, 250)), TUBE_RGB, 7)
