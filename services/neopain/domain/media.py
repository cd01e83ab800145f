"""Frames and sound as they lie on the media server: already decoded, cropped and resampled."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from neopain.domain.identity import BedId, SourceId
from neopain.domain.time import Timing
from neopain.domain.vitals import Processing

FACE_SIZE_PX = 224
FRAME_INTERVAL_SECONDS = 4 / 30
"""The model sees every fourth frame of 30 per second: ingest keeps at most one frame per this interval."""
SAMPLE_RATE_HZ = 16_000


class FaceAbsence(Enum):
    """Why a frame carries no face crop."""

    NO_FACE_BOX = "no-face-box"
    """Nobody said where the face is, and no finder is configured."""
    OUTSIDE_FRAME = "face-box-outside-frame"
    TOO_SMALL = "face-too-small"
    UNREADABLE = "frame-unreadable"
    OTHER_FRAME = "face-box-of-another-frame"
    """The box was given for a frame of another shape than the camera now sends."""
    NOT_FOUND = "no-face-found"
    """The finder sees none."""
    SEVERAL = "several-faces"
    """The finder sees more than one, and nothing says which is the infant's."""
    UNCERTAIN = "face-uncertain"
    """Something like a face, but the finder is not sure: covered, turned away, or none."""
    ROLLED = "face-rolled"
    BLURRED = "face-blurred"
    COVERED = "face-covered"
    """Most of the crop is without any structure."""
    FROZEN = "picture-frozen"
    """The camera has sent the same picture for seconds: it is no longer what lies in the bed."""
    BLACK = "picture-black"


@dataclass(frozen=True, slots=True)
class FaceBox:
    """Where the face is, in pixels of the source frame: left, top, width, height.

    ``turns`` is by how many quarter turns, counterclockwise, the picture must be turned to put the face upright.
    """

    x: int
    y: int
    width: int
    height: int
    turns: int = 0


class CameraRole(Enum):
    """What a camera is for."""

    FACE = "face"
    """Face crops only."""
    WIDE = "wide"
    """Movement only: it sees the whole body."""
    BOTH = "both"
    SOUND = "sound"
    """Its microphone only; the address may offer no picture at all."""


@dataclass(frozen=True, slots=True)
class FaceFrame:
    """One camera frame as scoring reads it.

    ``crop`` is 224x224x3 bytes, RGB, row-major, or empty with ``absence`` saying why.
    """

    bed: BedId
    source: SourceId
    timing: Timing
    crop: bytes
    absence: FaceAbsence | None = None
    processing: Processing = Processing.PRODUCTION
    """What its camera says of itself, as MSH-11 does of a message."""


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """Mono sound at 16 kHz, int16 little-endian; ``timing.aligned`` is the time of the *first* sample."""

    bed: BedId
    source: SourceId
    timing: Timing
    pcm: bytes
    processing: Processing = Processing.PRODUCTION


@dataclass(frozen=True, slots=True)
class MovementSample:
    """Speed of what moved in the wide view, 0 (still) to 1, about four times a second."""

    bed: BedId
    source: SourceId
    timing: Timing
    energy: float
    processing: Processing = Processing.PRODUCTION
