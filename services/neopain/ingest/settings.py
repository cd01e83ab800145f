"""``NEOPAIN_INGEST_*``: every setting of the ingest service, by the door it belongs to."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from neopain.runtime.settings import ServiceSettings


class IngestSettings(ServiceSettings):
    """What ingest is told. One class for all its doors, since they share one room; a door reads its own fields."""

    model_config = SettingsConfigDict(env_prefix="NEOPAIN_INGEST_")

    site_zone: str = Field("UTC", description="IANA time zone of HL7 times that carry no offset, e.g. Europe/Berlin")

    hl7_host: str = Field("127.0.0.1", description="Address that the MLLP listener binds")
    hl7_port: int = Field(2575, ge=1, le=65535, description="Port of the MLLP listener")
    hl7_most_connections: int = Field(500, ge=1, description="Connections above this are closed at once")
    hl7_idle_seconds: float = Field(3600.0, gt=0, description="A connection that is silent for longer is closed")
    hl7_frame_seconds: float = Field(30.0, gt=0, description="A message that is not complete after this is given up")
    hl7_longest_message_bytes: int = Field(1_048_576, ge=1024, description="A longer message gets AR, then a close")
    hl7_bus_patience_seconds: float = Field(
        8.0, gt=0, description="How long a message waits for the bus before its connection is closed unanswered"
    )
    hl7_drain_seconds: float = Field(5.0, gt=0, description="How long messages in hand may take after SIGTERM")
    hl7_default_facility: str = Field("", description="PV1-3.4 where a sender leaves it empty")
    hl7_bed_by_sender: dict[str, str] = Field(
        default_factory=dict,
        description="Bed (unit/room/bed@facility) of senders that name none, as a JSON map; the key is the sender's "
        "IP address, MSH-3, or MSH-3/MSH-4",
    )
    drug_codes: Path | None = Field(
        None,
        description="CSV file of the site's own drug codes, before the built-in ones: system,code,ingredient,class,"
        "outlasts_minutes",
    )

    device_host: str = Field("127.0.0.1", description="Address that the gRPC device API binds")
    device_port: int = Field(50051, ge=1, le=65535, description="Port of the gRPC device API")
    device_largest_message_bytes: int = Field(
        33_554_432, ge=65_536, description="A larger message (an uncompressed frame) ends its call"
    )
    device_drain_seconds: float = Field(2.0, gt=0, description="How long messages in hand may take after SIGTERM")
    device_face_boxes: dict[str, tuple[int, int, int, int]] = Field(
        default_factory=dict,
        description="Face box (left, top, width, height in pixels) of beds whose frames bring none, as a JSON map",
    )

    @field_validator("site_zone")
    @classmethod
    def _zone_is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{name} is no IANA time zone that this machine knows") from error
        return name
