"""The port of a face finder, and turning pictures for finders that know upright faces only."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from neopain.domain.media import FaceBox
from neopain.features.face import Picture


@dataclass(frozen=True, slots=True)
class FoundFace:
    """One face. ``confidence`` is 0 to 1; ``roll_degrees`` how far it leans from upright, NaN where a finder cannot
    tell."""

    box: FaceBox
    confidence: float = 1.0
    roll_degrees: float = math.nan


class FaceFinder(Protocol):
    """Finds upright faces."""

    def find(self, picture: Picture) -> list[FoundFace]:
        """Every face in the picture, boxes in its pixels; none when there is none."""


def find_turned(finder: FaceFinder, picture: Picture, turns: int) -> list[FoundFace]:
    """The faces that are upright after so many counterclockwise quarter turns of the picture; boxes in the picture as
    it came."""
    turned = np.ascontiguousarray(np.rot90(picture, turns))
    height, width = picture.shape[:2]
    return [replace(face, box=turned_back(face.box, turns, width=width, height=height)) for face in finder.find(turned)]


def turned_back(box: FaceBox, turns: int, *, width: int, height: int) -> FaceBox:
    """A box of the turned picture in the picture as it came, whose size is given."""
    match turns % 4:
        case 1:
            return FaceBox(width - box.y - box.height, box.x, box.height, box.width, 1)
        case 2:
            return FaceBox(width - box.x - box.width, height - box.y - box.height, box.width, box.height, 2)
        case 3:
            return FaceBox(box.y, height - box.x - box.width, box.height, box.width, 3)
        case _:
            return replace(box, turns=0)


def within(box: FaceBox, picture: Picture) -> FaceBox:
    """The part of a box that lies in the picture; a finder may let it reach over the edge."""
    height, width = picture.shape[:2]
    left, top = min(max(box.x, 0), width - 1), min(max(box.y, 0), height - 1)
    right, bottom = min(box.x + box.width, width), min(box.y + box.height, height)
    return FaceBox(left, top, max(right - left, 1), max(bottom - top, 1), box.turns)


def overlap(one: FaceBox, other: FaceBox) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    return common / (one.width * one.height + other.width * other.height - common)
