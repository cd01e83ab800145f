"""One camera: which of its pictures are kept, and what is made of them."""

from __future__ import annotations

from dataclasses import dataclass

from neopain.domain.identity import BedId, SourceId
from neopain.domain.media import (
    FRAME_INTERVAL_SECONDS,
    CameraRole,
    FaceAbsence,
    FaceBox,
    FaceFrame,
    MovementSample,
)
from neopain.domain.time import Timing
from neopain.domain.vitals import Processing
from neopain.features.face import Picture, crop_face
from neopain.features.face_quality import why_unusable
from neopain.features.movement import STEP_SECONDS, MovementMeter
from neopain.ingest.media.grid import TimeGrid


@dataclass(frozen=True, slots=True)
class Seen:
    """What one picture gave; both are None for one that was not due."""

    frame: FaceFrame | None = None
    movement: MovementSample | None = None


class CameraTrack:
    """The pictures of one camera in the order of time."""

    def __init__(
        self,
        bed: BedId,
        source: SourceId,
        processing: Processing = Processing.PRODUCTION,
        role: CameraRole = CameraRole.BOTH,
        *,
        judges_crops: bool = False,
    ) -> None:
        self.bed = bed
        self.source = source
        self.processing = processing
        self.role = role
        self.judges_crops = judges_crops
        """Whether a crop that shows no usable face is left out; a device judges its own before it sends them."""
        self.restart()

    def restart(self) -> None:
        """Forgets what was taken, so that pictures sent again are taken again."""
        self._frames = TimeGrid(FRAME_INTERVAL_SECONDS)
        self._movements = TimeGrid(STEP_SECONDS)
        self._meter = MovementMeter()

    def wants(self, timing: Timing) -> bool:
        """Whether a picture of that time would give anything: ask before decoding it."""
        return self._wants_face(timing) or self._wants_movement(timing)

    def take(
        self,
        picture: Picture,
        timing: Timing,
        face: FaceBox | FaceAbsence | None,
        *,
        unusable: FaceAbsence | None = None,
    ) -> Seen:
        """The face crop, if one is due, and the movement of the wide view, if that is due.

        ``face`` is where it is, or why nobody can say. ``unusable`` says why the picture shows nothing of the bed: then
        the face is absent for that, and there is no movement, since a frozen picture would look like an infant that
        lies still.
        """
        return Seen(self._face(picture, timing, unusable or face), self._movement(picture, timing, unusable))

    def _wants_face(self, timing: Timing) -> bool:
        return self.role in (CameraRole.FACE, CameraRole.BOTH) and self._frames.is_due(timing.aligned)

    def _wants_movement(self, timing: Timing) -> bool:
        return self.role in (CameraRole.WIDE, CameraRole.BOTH) and self._movements.is_due(timing.aligned)

    def _face(self, picture: Picture, timing: Timing, face: FaceBox | FaceAbsence | None) -> FaceFrame | None:
        if not self._wants_face(timing):
            return None
        self._frames.take(timing.aligned)
        crop, absence = (b"", face) if isinstance(face, FaceAbsence) else crop_face(picture, face)
        if crop and self.judges_crops:
            absence = why_unusable(crop)
            crop = b"" if absence else crop
        return FaceFrame(self.bed, self.source, timing, crop, absence, self.processing)

    def _movement(self, picture: Picture, timing: Timing, unusable: FaceAbsence | None) -> MovementSample | None:
        if not self._wants_movement(timing):
            return None
        self._movements.take(timing.aligned)
        if unusable:
            self._meter = MovementMeter()
            return None
        energy = self._meter.measure(picture, timing.aligned)
        if energy is None:
            return None
        return MovementSample(self.bed, self.source, timing, energy, self.processing)
