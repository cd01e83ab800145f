"""Numbers from monitors: what is measured, in which unit, whether it may be believed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from neopain.domain.identity import BedId, PatientId, SourceId
from neopain.domain.time import Timing


class VitalKind(Enum):
    """What is measured. The value is the name on the wire and in files."""

    HEART_RATE = "heart_rate"
    RR_INTERVAL = "rr_interval"
    SPO2 = "spo2"
    RESPIRATION = "respiration"
    MOVEMENT = "movement"
    BLOOD_PRESSURE_SYSTOLIC = "blood_pressure_systolic"
    BLOOD_PRESSURE_DIASTOLIC = "blood_pressure_diastolic"
    BLOOD_PRESSURE_MEAN = "blood_pressure_mean"

    __hash__ = object.__hash__


@dataclass(frozen=True, slots=True)
class VitalRange:
    """The unit a kind is carried in, and what is plausible in a newborn; outside it the value is an artefact."""

    unit: str
    low: float
    high: float


# RR and HR: reference model.md section 3 (RR 240-800 ms, HR 50-250, SpO2 50-100). Others: what a monitor can show.
PLAUSIBLE: dict[VitalKind, VitalRange] = {
    VitalKind.HEART_RATE: VitalRange("/min", 50.0, 250.0),
    VitalKind.RR_INTERVAL: VitalRange("ms", 240.0, 1200.0),
    VitalKind.SPO2: VitalRange("%", 50.0, 100.0),
    VitalKind.RESPIRATION: VitalRange("/min", 0.0, 150.0),
    VitalKind.MOVEMENT: VitalRange("1", 0.0, 1.0),
    VitalKind.BLOOD_PRESSURE_SYSTOLIC: VitalRange("mm[Hg]", 10.0, 200.0),
    VitalKind.BLOOD_PRESSURE_DIASTOLIC: VitalRange("mm[Hg]", 5.0, 150.0),
    VitalKind.BLOOD_PRESSURE_MEAN: VitalRange("mm[Hg]", 5.0, 170.0),
}


class Validity(Enum):
    """What the source says of a value (OBX-8 and OBX-11; IHE PCD TF-2), as far as scoring is concerned."""

    GOOD = "good"
    QUESTIONABLE = "questionable"
    """Questionable, an early estimate, or beyond the scale."""
    INVALID = "invalid"
    """Invalid, unavailable, calibrating, off, test or demo data of the *device*: never scored."""

    __hash__ = object.__hash__


class Processing(Enum):
    """MSH-11: production, debugging or training. Only an embedded EHR may be charted from the last two."""

    PRODUCTION = "P"
    DEBUGGING = "D"
    TRAINING = "T"


@dataclass(frozen=True, slots=True)
class VitalSample:
    """One value of one kind in the unit of ``PLAUSIBLE``; ``code`` is the source's own code, kept for tracing."""

    kind: VitalKind
    value: float
    timing: Timing
    validity: Validity = Validity.GOOD
    code: str = ""


@dataclass(frozen=True, slots=True)
class VitalsBatch:
    """What one message or one device write carried for one bed.

    ``patient`` is the infant that the *device* believes it is connected to, if it said so; the census decides.
    ``unmapped`` lists source codes that no table knows: counted and listed, not lost.
    """

    bed: BedId
    source: SourceId
    samples: tuple[VitalSample, ...]
    processing: Processing
    patient: PatientId | None = None
    control_id: str = ""
    unmapped: tuple[str, ...] = ()


def is_plausible(kind: VitalKind, value: float) -> bool:
    """Whether the value can be a newborn's; a NaN is not."""
    limits = PLAUSIBLE[kind]
    return limits.low <= value <= limits.high


@dataclass(frozen=True, slots=True)
class Baseline:
    """The last minutes of a bed, published once a minute: medians by kind in the unit of ``PLAUSIBLE``, and the newest
    usable mean blood pressure of the last hour, since a cuff measures seldom."""

    bed: BedId
    computed: datetime
    span_seconds: float
    """How long before ``computed`` the oldest sample of the medians is from."""
    medians: dict[VitalKind, float]
    pressure: VitalSample | None = None
