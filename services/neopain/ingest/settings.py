"""``NEOPAIN_INGEST_*``: every setting of the ingest service, by the door it belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, IPvAnyNetwork, field_validator
from pydantic_settings import SettingsConfigDict

from neopain.ingest.camera.settings import CameraSettings
from neopain.runtime.settings import ServiceSettings

AE_TITLE = r"^[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?$"
"""An AE title: 1 to 16 printable characters without a backslash, without spaces around them (PS3.5 6.2)."""


class IngestSettings(ServiceSettings):
    """What ingest is told. One class for all its doors, since they share one room; a door reads its own fields."""

    model_config = SettingsConfigDict(env_prefix="NEOPAIN_INGEST_", hide_input_in_errors=True)

    site_zone: str = Field("UTC", description="IANA time zone of times without an offset, e.g. Europe/Berlin")

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
    hl7_sources: Path | None = Field(
        None,
        description="TOML file of what holds for single senders (docs/hl7-listener.md): zone, answers, bed, queries",
    )
    hl7_allowed_networks: tuple[IPvAnyNetwork, ...] = Field(
        (), description='Networks that may connect, as a JSON list: ["10.20.0.0/16"]; empty lets all in'
    )
    hl7_allowed_names: tuple[str, ...] = Field(
        (),
        description="Names (common name, DNS, URI, IP address, e-mail) of senders' certificates that may send, as a "
        "JSON list; empty lets all in whose authority is known",
    )
    hl7_tls_certificate: Path | None = Field(
        None, description="PEM file with own certificate chain; turns TLS on, and plain text off"
    )
    hl7_tls_key: Path | None = Field(None, description="PEM file with the certificate's key, without a passphrase")
    hl7_tls_client_ca: Path | None = Field(
        None, description="PEM file with the authorities of senders' certificates; asks senders for one"
    )
    hl7_tls_client_required: bool = Field(
        True, description="Where senders are asked for a certificate: whether those without one are refused"
    )
    vital_codes: Path | None = Field(
        None,
        description="CSV file of the site's own codes of vital signs and waveforms, before the built-in ones: system,"
        "code,name,kind,rank",
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
    device_tls_certificate: Path | None = Field(None, description="PEM file with own certificate chain; turns TLS on")
    device_tls_key: Path | None = Field(None, description="PEM file with the certificate's key")
    device_tls_client_ca: Path | None = Field(
        None, description="PEM file with the authorities of devices' certificates; turns them into a condition"
    )
    device_credentials: Path | None = Field(
        None,
        description="TOML file of the devices, their tokens' hashes, certificate names, beds and streams; needed on an "
        "address that a network reaches",
    )
    device_most_streams: int = Field(1000, ge=1, description="Streams above this get RESOURCE_EXHAUSTED")
    device_idle_seconds: float = Field(3600.0, gt=0, description="A stream that is silent for longer is ended")
    device_face_boxes: dict[str, tuple[int, int, int, int]] = Field(
        default_factory=dict,
        description="Face box (left, top, width, height in pixels) of beds whose frames bring none, as a JSON map",
    )

    cameras: tuple[CameraSettings, ...] = Field(
        default=(),
        description="RTSP cameras as a JSON list of objects: name, bed, url (with user and password, never logged), "
        "and where wanted role (face, wide, both, sound), group, transport (tcp, udp), microphone (false), face_box "
        "[left, top, width, height] with face_box_of [width, height of the picture it was measured in] and face_turns "
        "(counterclockwise quarter turns that put the face upright), trust_clock (true), processing (P, D, T)",
    )
    camera_group: str = Field("", description="The group whose cameras this process reads; one process for each group")
    camera_silent_seconds: float = Field(
        5.0, gt=0, description="A camera from which no picture arrives for longer is connected anew"
    )
    camera_frozen_seconds: float = Field(
        5.0, gt=0, description="A picture that stays exactly the same for longer is frozen: nothing is taken from it"
    )
    camera_finder: Literal["none", "yunet", "cascade"] = Field(
        "none", description="What finds the face for cameras without a face_box: none, yunet, or cascade"
    )
    camera_finder_model: Path | None = Field(None, description="YuNet's file, face_detection_yunet_2026may.onnx")
    camera_retry_first_seconds: float = Field(0.5, gt=0, description="First wait before connecting anew; it doubles")
    camera_retry_longest_seconds: float = Field(30.0, gt=0, description="Longest wait before connecting anew")
    camera_drain_seconds: float = Field(2.0, gt=0, description="How long readers may take after SIGTERM")

    dicom_host: str = Field("127.0.0.1", description="Address that the DICOM storage SCP binds")
    dicom_port: int = Field(11112, ge=1, le=65535, description="Port of the DICOM storage SCP")
    dicom_ae_title: str = Field(
        "NEOPAIN", pattern=AE_TITLE, description="Own AE title; associations that call another one are rejected"
    )
    dicom_callers: tuple[Annotated[str, Field(pattern=AE_TITLE)], ...] = Field(
        (),
        description="AE titles that may send, as a JSON list; empty lets all in, on an address of this machine alone",
    )
    dicom_spool: Path | None = Field(
        None, description="Folder for received objects until they are scored; the DICOM door needs it"
    )
    dicom_reserve_bytes: int = Field(
        5_368_709_120, ge=0, description="With less than this free on the spool's disk nothing is received"
    )
    dicom_largest_waveform_bytes: int = Field(
        536_870_912, ge=1024, description="A larger waveform object is refused: it is held in memory, unlike a video"
    )
    dicom_most_associations: int = Field(10, ge=1, description="Associations above this are rejected")
    dicom_idle_seconds: float = Field(
        60.0, gt=0, description="An association, or a connection of the web service, that is silent for longer is ended"
    )
    dicom_drain_seconds: float = Field(
        10.0, gt=0, description="How long associations and web requests may go on after SIGTERM"
    )
    dicom_tls_certificate: Path | None = Field(None, description="PEM file with own certificate chain; turns TLS on")
    dicom_tls_key: Path | None = Field(None, description="PEM file with the certificate's key, without a passphrase")
    dicom_tls_client_ca: Path | None = Field(
        None, description="PEM file with the authorities of senders' certificates; turns them into a condition"
    )
    dicom_face_boxes: dict[str, tuple[int, int, int, int]] = Field(
        default_factory=dict,
        description="Face box (left, top, width, height in pixels) in the videos of a calling AE title, or of a sender "
        "by web, as a JSON map",
    )
    dicom_reports: Path | None = Field(
        None, description="Folder for the scores of each object, <SOP Instance UID>.json; without it, on the bus alone"
    )
    dicom_web_host: str = Field("127.0.0.1", description="Address that the DICOM web service (STOW-RS) binds")
    dicom_web_port: int = Field(0, ge=0, le=65535, description="Port of the DICOM web service; 0 turns it off")
    dicom_web_credentials: Path | None = Field(
        None,
        description="TOML file of the web service's senders, their tokens' hashes and certificate names "
        "(docs/conformance/dicom.md); needed on an address that a network reaches",
    )
    dicom_web_largest_request_bytes: int = Field(
        17_179_869_184, ge=1024, description="A larger request to the web service is refused"
    )
    dicom_web_most_connections: int = Field(
        10, ge=1, description="Connections to the web service above this are closed at once"
    )
    dicom_web_tls_certificate: Path | None = Field(
        None, description="PEM file with own certificate chain; turns TLS of the web service on, and plain text off"
    )
    dicom_web_tls_key: Path | None = Field(
        None, description="PEM file with the certificate's key, without a passphrase"
    )
    dicom_web_tls_client_ca: Path | None = Field(
        None, description="PEM file with the authorities of senders' certificates; turns them into a condition"
    )

    @field_validator("cameras")
    @classmethod
    def _names_differ(cls, cameras: tuple[CameraSettings, ...]) -> tuple[CameraSettings, ...]:
        names = [camera.name for camera in cameras]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two cameras are named {', '.join(twice)}")
        return cameras

    @field_validator("site_zone")
    @classmethod
    def _zone_is_known(cls, name: str) -> str:
        return known_zone(name)


def known_zone(name: str) -> str:
    """The name, if it is that of a time zone; else ``ValueError``."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name} is no IANA time zone that this machine knows") from error
    return name
