"""The face box that the site gives: the camera does not move, and the infant is laid before it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from neopain.domain.media import FaceAbsence, FaceBox

if TYPE_CHECKING:  # settings read this, and most processes have settings and no pictures
    from neopain.features.face import Picture

SAME_SHAPE = 0.02
"""Two pictures whose proportions differ by less than this show the same view in another size."""


@dataclass(frozen=True, slots=True)
class SiteBox:
    """A box in pixels of a picture of the size ``width`` x ``height``."""

    box: FaceBox
    width: int
    height: int

    def locate(self, picture: Picture, moment: datetime) -> FaceBox | FaceAbsence:  # noqa: ARG002 - it never moves
        """The box in pixels of this picture, or that it does not fit.

        A camera that was set to another size still shows the same view: the box is scaled. One that sends another shape
        (turned, cropped) does not: the box might now lie on something else.
        """
        scale_x, scale_y = picture.shape[1] / self.width, picture.shape[0] / self.height
        if abs(scale_x / scale_y - 1) > SAME_SHAPE:
            return FaceAbsence.OTHER_FRAME
        left, right = (round(value * scale_x) for value in (self.box.x, self.box.x + self.box.width))
        top, bottom = (round(value * scale_y) for value in (self.box.y, self.box.y + self.box.height))
        return FaceBox(left, top, right - left, bottom - top, self.box.turns)
