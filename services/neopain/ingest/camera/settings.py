"""What the site says of one camera. Its URL may hold a password: it is kept secret and never logged."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from neopain.domain.identity import BedId, SourceId, is_recording
from neopain.domain.media import CameraRole, FaceBox
from neopain.domain.vitals import Processing
from neopain.ingest.face.site import SiteBox

SCHEMES = ("rtsp", "rtsps")
Pixels = tuple[int, int, int, int]


class CameraSettings(BaseModel):
    """One camera. ``face_box`` is left, top, width, height in pixels of a picture of the size ``face_box_of``;
    ``face_turns`` by how many counterclockwise quarter turns of the picture the face in it comes upright."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    bed: str = Field(min_length=1, max_length=200)
    url: SecretStr
    role: CameraRole = CameraRole.BOTH
    group: str = Field("", pattern=r"^[A-Za-z0-9_.-]{0,64}$")
    transport: Literal["tcp", "udp"] = "tcp"
    microphone: bool = False
    face_box: Pixels | None = None
    face_box_of: tuple[int, int] | None = None
    face_turns: int = Field(0, ge=0, le=3)
    trust_clock: bool = True
    processing: Processing = Processing.PRODUCTION

    @field_validator("bed")
    @classmethod
    def _is_a_bed(cls, bed: str) -> str:
        if not bed.isprintable() or is_recording(BedId(bed)):
            raise ValueError(
                "a camera stands at a bed, unit/room/bed@facility; places of recordings are not open to it"
            )
        return bed

    @field_validator("url")
    @classmethod
    def _is_rtsp(cls, url: SecretStr) -> SecretStr:
        # The message must not quote the URL.
        try:
            parts = urlsplit(url.get_secret_value())
            is_rtsp = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_rtsp = False
        if not is_rtsp:
            raise ValueError("expected rtsp://[user:password@]host[:port]/path, or rtsps://")
        return url

    @model_validator(mode="after")
    def _gives_something(self) -> CameraSettings:
        if self.role is CameraRole.SOUND and not self.microphone:
            raise ValueError("role sound needs microphone true")
        return self

    @model_validator(mode="after")
    def _box_has_its_frame(self) -> CameraSettings:
        if (self.face_box is None) != (self.face_box_of is None):
            raise ValueError("face_box and face_box_of [width, height of the picture it was measured in] go together")
        if self.face_box is not None and min(self.face_box[2:]) <= 0:
            raise ValueError("face_box needs a width and a height above 0")
        if self.face_box_of is not None and min(self.face_box_of) <= 0:
            raise ValueError("face_box_of needs a width and a height above 0")
        return self

    @property
    def has_pictures(self) -> bool:
        """Whether its pictures are wanted."""
        return self.role is not CameraRole.SOUND

    @property
    def source(self) -> SourceId:
        """The camera's name as the bus carries it."""
        return SourceId("camera", self.name)

    @property
    def bed_id(self) -> BedId:
        """The bed that it watches."""
        return BedId(self.bed)

    @property
    def site_box(self) -> SiteBox | None:
        """The site's face box, if it gives one."""
        if self.face_box is None or self.face_box_of is None:
            return None
        return SiteBox(FaceBox(*self.face_box, self.face_turns), *self.face_box_of)
