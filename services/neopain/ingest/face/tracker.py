"""Following one face: the finder looks about once a second, in between what it found is followed by its brightness.

A face is never guessed. It is given up when the finder has not seen it for some seconds, when following loses it, and
when more than one is seen and nothing says which is the infant's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import cv2
import numpy as np
from numpy.typing import NDArray

from neopain.domain.media import FaceAbsence, FaceBox
from neopain.features.face import Picture
from neopain.ingest.face.finder import FaceFinder, FoundFace, find_turned, overlap, within

LOOK_EVERY = timedelta(seconds=1)
HELD_FOR = timedelta(seconds=3)
"""A face that is only followed, and no longer found, is given up after this."""
SURE = 0.8
"""A finder's confidence from which on a face is one."""
MOST_ROLL_DEGREES = 30.0
SAME_FACE = 0.3
"""Overlap from which on a found face is the one that was followed."""
TEMPLATE_PX = 32
"""Faces are followed at this size."""
REACH = 0.5
"""How far a face may move between two pictures, in its own sizes."""
LEAST_LIKENESS = 0.6
"""Normalised correlation below which it is no longer that face."""
WAYS = (0, 1, 3, 2)
"""Quarter turns in the order in which they are tried: upright first, upside down last."""

Grey = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Followed:
    box: FaceBox
    template: Grey
    found: datetime


class FaceTracker:
    """The face before one camera. One look is one run of the finder, in one position: the costs are bounded."""

    def __init__(self, finder: FaceFinder) -> None:
        self._finder = finder
        self._followed: _Followed | None = None
        self._looked: datetime | None = None
        self._ways = list(WAYS)
        self._absence = FaceAbsence.NOT_FOUND

    def locate(self, picture: Picture, moment: datetime) -> FaceBox | FaceAbsence:
        """Where the face is in the picture of that moment, or why that cannot be said."""
        self._follow(picture)
        if self._looked is None or not timedelta(0) <= moment - self._looked < LOOK_EVERY:
            self._looked = moment
            self._look(picture, moment)
        return self._followed.box if self._followed else self._absence

    def _look(self, picture: Picture, moment: datetime) -> None:
        faces = self._candidates(find_turned(self._finder, picture, self._ways[0]))
        if not faces:
            self._miss(moment)
        elif len(faces) > 1:
            self._lose(FaceAbsence.SEVERAL)
        elif absence := why_not(faces[0]):
            self._lose(absence)
        else:
            self._keep(within(faces[0].box, picture), picture, moment)

    def _keep(self, found: FaceBox, picture: Picture, moment: datetime) -> None:
        box = _steadied(self._followed.box, found) if self._followed else found
        self._followed = _Followed(box, _template(picture, box), moment)

    def _miss(self, moment: datetime) -> None:
        if self._followed and timedelta(0) <= moment - self._followed.found <= HELD_FOR:
            return
        self._lose()
        self._ways.append(self._ways.pop(0))

    def _candidates(self, faces: list[FoundFace]) -> list[FoundFace]:
        """While a face is followed, only those that can be it: somebody else may bend over the bed."""
        if self._followed is None:
            return faces
        return [face for face in faces if overlap(face.box, self._followed.box) >= SAME_FACE]

    def _follow(self, picture: Picture) -> None:
        if self._followed is None:
            return
        box = _moved(picture, self._followed)
        if box is None:
            self._lose()
        else:
            self._followed = replace(self._followed, box=box)

    def _lose(self, absence: FaceAbsence = FaceAbsence.NOT_FOUND) -> None:
        self._followed = None
        self._absence = absence


def why_not(face: FoundFace) -> FaceAbsence | None:
    """Why a found face is not used; None for one that is."""
    if face.confidence < SURE:
        return FaceAbsence.UNCERTAIN
    return FaceAbsence.ROLLED if abs(face.roll_degrees) > MOST_ROLL_DEGREES else None


def _steadied(before: FaceBox, found: FaceBox) -> FaceBox:
    """Halfway to where it was found, so that the crop does not jump with the finder's rounding."""
    pairs = ((before.x, found.x), (before.y, found.y), (before.width, found.width), (before.height, found.height))
    left, top, width, height = ((one + other) // 2 for one, other in pairs)
    return FaceBox(left, top, width, height, found.turns)


def _template(picture: Picture, box: FaceBox) -> Grey:
    return _small(picture, (box.x, box.y, box.x + box.width, box.y + box.height), TEMPLATE_PX / box.width)


def _moved(picture: Picture, followed: _Followed) -> FaceBox | None:
    """The box where the picture is most like the template; None where nothing is."""
    box, scale = followed.box, TEMPLATE_PX / followed.box.width
    reach_x, reach_y = round(REACH * box.width), round(REACH * box.height)
    left, top = max(box.x - reach_x, 0), max(box.y - reach_y, 0)
    area = _small(picture, (left, top, box.x + box.width + reach_x, box.y + box.height + reach_y), scale)
    template = followed.template
    if area.shape[0] < template.shape[0] or area.shape[1] < template.shape[1]:
        return None
    likeness = cv2.matchTemplate(area, template, cv2.TM_CCOEFF_NORMED)
    _, best, _, (x, y) = cv2.minMaxLoc(likeness)
    if best < LEAST_LIKENESS:
        return None
    return replace(box, x=left + round(x / scale), y=top + round(y / scale))


def _small(picture: Picture, corners: tuple[int, int, int, int], scale: float) -> Grey:
    """A part of the picture as brightness, scaled; what lies outside of the picture is left out."""
    left, top, right, bottom = (max(value, 0) for value in corners)
    part = np.ascontiguousarray(picture[top:bottom, left:right, 1])
    size = (max(round(part.shape[1] * scale), 1), max(round(part.shape[0] * scale), 1))
    return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
