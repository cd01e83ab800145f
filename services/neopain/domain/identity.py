"""Who and where: beds, infants, sources. Knows nothing of how they are found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

BedId = NewType("BedId", str)
"""A bed as ``unit/room/bed@facility``, from PV1-3 (HL7 v2.6 chapter 3.4.3.3). Recordings use ``recording/<id>``."""

RECORDING_PREFIX = "recording/"


@dataclass(frozen=True, slots=True)
class PatientId:
    """A patient identifier with the authority that assigned it (CX.1, CX.4 and CX.5 of PID-3)."""

    value: str
    assigning_authority: str = ""
    type_code: str = "MR"


@dataclass(frozen=True, slots=True)
class SourceId:
    """A sender: the way it takes (``hl7``, ``hl7-waveform``, ``device``, ``camera``, ``dicom``, ``recording``)
    and its name on it."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class Unit:
    """A ward of a hospital, as PV1-3 names it; without a facility, the ward of that name anywhere."""

    name: str
    facility: str = ""


def bed_id(*, unit: str, room: str = "", bed: str = "", facility: str = "") -> BedId:
    """The bed's id from the components of PV1-3; empty ones keep their place so that two beds never fall together.

    A ``/`` or ``@`` inside a component becomes ``-``.
    """
    parts = [part.strip().replace("/", "-").replace("@", "-") for part in (unit, room, bed, facility)]
    located = "/".join(parts[:3])
    return BedId(f"{located}@{parts[3]}" if parts[3] else located)


def parts_of(bed: BedId) -> tuple[str, str, str, str]:
    """Unit, room, bed and facility of a bed's id; parts that it does not have are empty."""
    located, _, facility = bed.partition("@")
    unit, room, own = (*located.split("/", 2), "", "")[:3]
    return unit, room, own, facility


def is_unit_alone(bed: BedId) -> bool:
    """Whether it names neither room nor bed: a ward full of infants."""
    return not any(parts_of(bed)[1:3])


def recording_bed(name: str) -> BedId:
    """The place of a recording: looks like a bed to scoring, and is never charted."""
    return BedId(f"{RECORDING_PREFIX}{name}")


def unit_of(bed: BedId) -> Unit:
    """The unit that a bed is in: the first component of PV1-3, and the facility."""
    unit, _, _, facility = parts_of(bed)
    return Unit(unit, facility)


def is_recording(bed: BedId) -> bool:
    """Whether the place holds a recording, which charting must not touch."""
    return bed.startswith(RECORDING_PREFIX)
