"""What a bedside monitor says: IHE PCD-01 ORU^R01 with the numerics of one second (IHE PCD TF-2, ISO 11073-10101)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from neopain.simulator.infant import SimulatedInfant
from neopain.simulator.segments import Cot, Header, message, msh, pid, pv1, segment, timestamp
from neopain.simulator.vitals import BloodPressure, Numerics

PROFILE = "IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO"
APPLICATION = "NEOPAIN-MONITOR^4E454F5041494E01^EUI-64"
CONTINUOUS = "AMEAS^auto-measurement^MDC"

BEATS_PER_MINUTE = "264864^MDC_DIM_BEAT_PER_MIN^MDC"
BREATHS_PER_MINUTE = "264928^MDC_DIM_RESP_PER_MIN^MDC"
PERCENT = "262688^MDC_DIM_PERCENT^MDC"
MMHG = "266016^MDC_DIM_MMHG^MDC"
MILLISECONDS = "264338^MDC_DIM_MILLI_SEC^MDC"


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the table: the code of OBX-3, the place in OBX-4, the unit of OBX-6."""

    code: str
    place: str
    unit: str


HEART_RATE = Metric("147842^MDC_ECG_HEART_RATE^MDC", "1.1.1.1", BEATS_PER_MINUTE)
RR_INTERVAL = Metric("147240^MDC_ECG_TIME_PD_RR_GL^MDC", "1.1.1.2", MILLISECONDS)
RESPIRATION = Metric("151562^MDC_RESP_RATE^MDC", "1.2.1.1", BREATHS_PER_MINUTE)
SPO2 = Metric("150456^MDC_PULS_OXIM_SAT_O2^MDC", "1.3.1.1", PERCENT)
SYSTOLIC = Metric("150021^MDC_PRESS_BLD_NONINV_SYS^MDC", "1.4.1.1", MMHG)
DIASTOLIC = Metric("150022^MDC_PRESS_BLD_NONINV_DIA^MDC", "1.4.1.2", MMHG)
MEAN = Metric("150023^MDC_PRESS_BLD_NONINV_MEAN^MDC", "1.4.1.3", MMHG)

# Device rows: no type, no value, and zeros for the levels below (MDS three, VMD two, CHAN one).
MONITOR_ROW = ("69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC", "1.0.0.0")
PRESSURE_ROW = ("150020^MDC_PRESS_BLD_NONINV^MDC", "1.4.1.0")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One value of a metric and when it was measured."""

    metric: Metric
    value: float
    measured: datetime


def measurements(numerics: Numerics, at: datetime) -> list[Measurement]:
    """The numerics of one moment."""
    return [
        Measurement(HEART_RATE, numerics.heart_rate_bpm, at),
        Measurement(RESPIRATION, numerics.respiration_bpm, at),
        Measurement(SPO2, numerics.spo2_percent, at),
    ]


def pressure_measurements(pressure: BloodPressure, at: datetime) -> list[Measurement]:
    """One cuff measurement."""
    return [
        Measurement(SYSTOLIC, pressure.systolic, at),
        Measurement(DIASTOLIC, pressure.diastolic, at),
        Measurement(MEAN, pressure.mean, at),
    ]


def observation_message(
    infant: SimulatedInfant, cot: Cot, values: Sequence[Measurement], *, control_id: str, sent: datetime
) -> bytes:
    """ORU^R01 with these values; ``sent`` is MSH-7 and OBR-7. Asks for a commit acknowledgement (AL, NE)."""
    header = Header(APPLICATION, "ORU^R01^ORU_R01", control_id, sent, ("AL", "NE"), PROFILE)
    return message([msh(header), pid(infant), pv1(infant, cot), _obr(control_id, sent), *_rows(values)])


def _obr(control_id: str, sent: datetime) -> str:
    return segment(
        "OBR",
        {1: "1", 3: f"{control_id}^NEOPAIN-MONITOR", 4: "182777000^monitoring of patient^SCT", 7: timestamp(sent)},
    )


def _rows(values: Sequence[Measurement]) -> list[str]:
    rows = [_device_row(1, *MONITOR_ROW)]
    has_pressure = False
    for value in values:
        if value.metric in (SYSTOLIC, DIASTOLIC, MEAN) and not has_pressure:
            rows.append(_device_row(len(rows) + 1, *PRESSURE_ROW))
            has_pressure = True
        rows.append(_value_row(len(rows) + 1, value))
    return rows


def _device_row(number: int, code: str, place: str) -> str:
    return segment("OBX", {1: str(number), 3: code, 4: place, 11: "X"})


def _value_row(number: int, value: Measurement) -> str:
    metric = value.metric
    # Beats share a metric: the fifth facet keeps OBX-3 with OBX-4 unique in the message.
    place = f"{metric.place}.{number}" if metric is RR_INTERVAL else metric.place
    return segment(
        "OBX",
        {
            1: str(number),
            2: "NM",
            3: metric.code,
            4: place,
            5: f"{value.value:.1f}" if metric is RR_INTERVAL else f"{value.value:.0f}",
            6: metric.unit,
            11: "R",
            14: timestamp(value.measured),
            17: CONTINUOUS,
        },
    )
