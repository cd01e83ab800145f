"""A monitor's ECG and pleth of known beats, in messages of one piece each (IHE PCD WCM: ORU^R01, OBX of type NA)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from neopain.simulator.infant import SimulatedInfant
from neopain.simulator.monitor import APPLICATION
from neopain.simulator.randomness import generator
from neopain.simulator.segments import Cot, Header, message, msh, pid, pv1, segment, timestamp
from neopain.simulator.vitals import Beat

Numbers = npt.NDArray[np.float64]

# Height in mV, width and distance from the R peak in s: P, Q, R, S; the T wave's distance grows with the interval.
ECG_WAVES = ((0.1, 0.014, -0.09), (-0.12, 0.008, -0.02), (1.0, 0.009, 0.0), (-0.25, 0.009, 0.022))
T_HEIGHT_MV, T_WIDTH_SECONDS, T_SHARE = 0.15, 0.03, 0.38
TRANSIT_SECONDS = 0.12
"""From the R peak to the middle of the pulse in a foot."""
PULSE_WIDTH_SECONDS, NOTCH_WIDTH_SECONDS, NOTCH_SHARE, NOTCH_HEIGHT = 0.055, 0.06, 0.42, 0.35
BREATH_HZ, BREATH_MV, BREATH_PLETH = 0.75, 0.08, 0.1
ECG_NOISE_MV, PLETH_NOISE = 0.02, 0.01
MISSING = 32767


@dataclass(frozen=True, slots=True)
class Channel:
    """One waveform: OBX-3, OBX-4, its rate, and what one step of its numbers is."""

    code: str
    place: str
    rate_hz: int
    resolution: float
    unit: str


LEAD_II = Channel("131330^MDC_ECG_ELEC_POTL_II^MDC", "1.7.6.131330", 250, 0.004, "266418^MDC_DIM_MILLI_VOLT^MDC")
PLETH = Channel("150452^MDC_PULS_OXIM_PLETH^MDC", "1.3.1.150452", 75, 0.001, "262656^MDC_DIM_DIMLESS^MDC")


def ecg(beats: Sequence[Beat], seconds: float, *, rate_hz: int, seed: int) -> Numbers:
    """Lead II in mV, float64 [n], with the beats' complexes, the breath in the baseline and noise."""
    times, values = _breathing(seconds, rate_hz, BREATH_MV)
    for beat in beats:
        waves = (*ECG_WAVES, (T_HEIGHT_MV, T_WIDTH_SECONDS, T_SHARE * beat.rr_ms / 1000))
        for height, width, after in waves:
            _add(values, times, height, width, beat.seconds + after)
    return values + ECG_NOISE_MV * generator(seed, "ecg").standard_normal(times.size)


def pleth(beats: Sequence[Beat], seconds: float, *, rate_hz: int, seed: int) -> Numbers:
    """The pleth, a pulse about 1 high, float64 [n]: each beat's pulse with its notch, the breath and noise."""
    times, values = _breathing(seconds, rate_hz, BREATH_PLETH)
    for beat in beats:
        notch = beat.seconds + TRANSIT_SECONDS + NOTCH_SHARE * beat.rr_ms / 1000
        _add(values, times, 1.0, PULSE_WIDTH_SECONDS, beat.seconds + TRANSIT_SECONDS)
        _add(values, times, NOTCH_HEIGHT, NOTCH_WIDTH_SECONDS, notch)
    return values + PLETH_NOISE * generator(seed, "pleth").standard_normal(times.size)


def waveform_message(
    infant: SimulatedInfant, cot: Cot, channel: Channel, values: Numbers, *, control_id: str, start: datetime
) -> bytes:
    """ORU^R01 with one piece of a channel, its first sample taken at ``start``; NaN is sent as the sign for none."""
    end = start + timedelta(seconds=values.size / channel.rate_hz)
    header = Header(APPLICATION, "ORU^R01^ORU_R01", control_id, end, ("AL", "NE"))
    order = {1: "1", 3: f"{control_id}^NEOPAIN-MONITOR", 4: "69121^MDC_OBS_WAVE_CTS^MDC"}
    order |= {7: timestamp(start), 8: timestamp(end)}
    return message([msh(header), pid(infant), pv1(infant, cot), segment("OBR", order), *_rows(channel, values)])


def _rows(channel: Channel, values: Numbers) -> list[str]:
    steps = np.where(np.isnan(values), MISSING, np.round(np.nan_to_num(values) / channel.resolution)).astype(int)
    samples = "^".join(map(str, steps.tolist()))
    facets = (
        ("0^MDC_ATTR_SAMP_RATE^MDC", str(channel.rate_hz), "264640^MDC_DIM_HZ^MDC"),
        ("2327^MDC_ATTR_NU_MSMT_RES^MDC", f"{channel.resolution:g}", channel.unit),
        ("262196^MDC_EVT_INOP^MDC", str(MISSING), ""),
    )
    rows = [segment("OBX", {1: "1", 2: "NA", 3: channel.code, 4: channel.place, 5: samples, 11: "R"})]
    for number, (code, value, unit) in enumerate(facets, start=1):
        place = f"{channel.place}.{number}"
        rows.append(segment("OBX", {1: str(number + 1), 2: "NM", 3: code, 4: place, 5: value, 6: unit, 11: "R"}))
    return rows


def _breathing(seconds: float, rate_hz: int, height: float) -> tuple[Numbers, Numbers]:
    times = np.arange(int(seconds * rate_hz)) / rate_hz
    return times, height * np.sin(2 * np.pi * BREATH_HZ * times)


def _add(values: Numbers, times: Numbers, height: float, width: float, middle: float) -> None:
    near = slice(*np.searchsorted(times, (middle - 5 * width, middle + 5 * width)))
    values[near] += height * np.exp(-0.5 * ((times[near] - middle) / width) ** 2)
