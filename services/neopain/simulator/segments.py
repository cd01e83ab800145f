"""Writing HL7 v2.6 text: segments, times, identifiers. The simulator's own writer, so that it can test the reader."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from neopain.domain.identity import BedId, bed_id
from neopain.simulator.infant import ASSIGNING_AUTHORITY, SimulatedInfant

SENDING_FACILITY = "NEOPAIN-SIM"
PROCESSING_TRAINING = "T"
"""MSH-11 is always T: what the simulator says is never production."""
_ESCAPES = str.maketrans({"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\r": " ", "\n": " "})


@dataclass(frozen=True, slots=True)
class Cot:
    """Where an infant lies: the components of PV1-3."""

    unit: str
    room: str
    bed: str
    facility: str = ""

    @property
    def bed_id(self) -> BedId:
        """The bed's id as every part of the product writes it."""
        return bed_id(unit=self.unit, room=self.room, bed=self.bed, facility=self.facility)

    @property
    def point_of_care(self) -> str:
        """PV1-3."""
        return "^".join(escaped(part) for part in (self.unit, self.room, self.bed, self.facility))


@dataclass(frozen=True, slots=True)
class Header:
    """What MSH says of one message.

    ``application`` is MSH-3 as it is written there, ``acknowledge`` MSH-15 and MSH-16, empty for original mode.
    """

    application: str
    message_type: str
    control_id: str
    sent: datetime
    acknowledge: tuple[str, str] = ("", "")
    profile: str = ""


def escaped(text: str) -> str:
    """The text with the delimiters escaped (HL7 v2.6 chapter 2.7)."""
    return text.translate(_ESCAPES)


def timestamp(moment: datetime) -> str:
    """DTM with milliseconds and the zone's offset, ``20260102030405.678+0200``."""
    return f"{moment:%Y%m%d%H%M%S}.{moment.microsecond // 1000:03d}{moment:%z}"


def segment(name: str, fields: dict[int, str]) -> str:
    """One segment from its fields by number; what is between is empty."""
    values = [fields.get(number, "") for number in range(1, max(fields) + 1)]
    return "|".join((name, *values))


def message(segments: list[str]) -> bytes:
    """Segments as one message, each ended by a carriage return; ASCII."""
    return "".join(f"{one}\r" for one in segments).encode("ascii")


def msh(header: Header) -> str:
    """MSH."""
    accept, application = header.acknowledge
    fields = {
        2: header.application,
        3: SENDING_FACILITY,
        4: "NEOPAIN",
        6: timestamp(header.sent),
        8: header.message_type,
        9: header.control_id,
        10: PROCESSING_TRAINING,
        11: "2.6",
        14: accept,
        15: application,
        20: header.profile,
    }
    # MSH-1 is the separator itself, so that MSH-n stands at n-1.
    return segment("MSH", {1: "^~\\&", **fields})


def pid(infant: SimulatedInfant, *, born: datetime | None = None) -> str:
    """PID: number, a name that says what it is, and sex."""
    fields = {
        1: "1",
        3: f"{infant.mrn}^^^{ASSIGNING_AUTHORITY}^MR",
        5: f"SIMULATED^INFANT {infant.number:03d}",
        8: infant.sex.value,
    }
    if born is not None:
        fields[7] = timestamp(born)
    return segment("PID", fields)


def pv1(infant: SimulatedInfant, cot: Cot) -> str:
    """PV1: inpatient, the cot, the number of the stay."""
    return segment("PV1", {1: "1", 2: "I", 3: cot.point_of_care, 19: f"{infant.visit}^^^{ASSIGNING_AUTHORITY}^VN"})
