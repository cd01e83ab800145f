"""``NEOPAIN_SIMULATOR_*``: how many infants, where ingest is, where the ward's status goes."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from neopain.runtime.settings import ServiceSettings
from neopain.simulator.assignment import FACILITY, ROOM, UNIT


class SimulatorSettings(ServiceSettings):
    """What ``neopain simulator ward`` reads."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="NEOPAIN_SIMULATOR_")

    beds: int = Field(2, ge=1, le=64, description="Number of beds, one infant each")
    seed: int = Field(1, ge=0, description="Seed of the infants: the same seed gives the same ward")
    hl7_host: str = Field("127.0.0.1", description="Host of the MLLP listener that monitors and ADT send to")
    hl7_port: int = Field(ge=1, le=65535, description="Port of the MLLP listener")
    device_target: str = Field(description="host:port of the gRPC device API for cameras, microphones and beats")
    status_path: Path | None = Field(None, description="JSON file rewritten with truth and counters; none without it")
    status_seconds: float = Field(0.5, gt=0, description="Seconds between two writings of the status file")
    time_scale: float = Field(
        1.7, gt=0, description="How many minutes a pain course takes; at 1 it fades faster than any that the nets know"
    )
    bed_shift_seconds: float = Field(7.0, ge=0, description="How much later in its course each next bed starts")
    frames_per_second: float = Field(7.5, gt=0, le=60, description="Frames of each camera")
    pressure_seconds: float = Field(60.0, gt=0, description="Seconds between two cuff measurements")
    utc_offset_minutes: int = Field(120, ge=-720, le=840, description="Offset of the monitors' local time")
    unit: str = Field(UNIT, min_length=1, description="PV1-3.1 of every bed")
    room: str = Field(ROOM, description="PV1-3.2 of every bed")
    facility: str = Field(FACILITY, description="PV1-3.4 of every bed")
    discharges: bool = Field(False, description="Whether the infants are discharged (A03) when the ward stops")
