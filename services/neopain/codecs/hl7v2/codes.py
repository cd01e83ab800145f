"""What monitors call their numbers and waveforms: MDC (ISO/IEEE 11073-10101), LOINC, private codes and plain names,
with the units they come in.

Sources: HL7 Denmark's dk-core value sets and IHE PCD-01 for MDC, Regenstrief for LOINC; plain names as GE monitors send
them; private codes as messages of the monitors hold them (Philips MDIL, Mindray 99MNDRY, Comen 99COMEN). Philips' codes
are the numbers of MDC in hexadecimal, partition first: 0002-4a29 is 150057, by which both are checked. Codes and
names are data: a monitor that says something else gets a row in the site's file (``site_codes``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from neopain.domain.vitals import PLAUSIBLE, VitalKind
from neopain.domain.waveform import WaveKind

MDC, LOINC, NAMED = "MDC", "LN", "name"

SYSTEMS = {"MDC": MDC, "LN": LOINC, "LOINC": LOINC, "": NAMED, "NAME": NAMED}
"""Coding systems as OBX-3.3 and the site's file spell them, in capitals; any other is a private one."""

MINDRAY, COMEN, PHILIPS = "99MNDRY", "99COMEN", "MDIL"


@dataclass(frozen=True, slots=True)
class Code:
    """One row. ``kind`` None: known, and not used for scoring; a ``WaveKind`` is that of a waveform (OBX-2 NA).

    The lowest ``rank`` wins where a message carries one kind twice for the same time: the electrical heart rate before
    a pulse rate, the arterial line before the cuff."""

    system: str
    code: str
    name: str
    kind: VitalKind | WaveKind | None
    rank: int = 1


HR, RR, SPO2, RESP = VitalKind.HEART_RATE, VitalKind.RR_INTERVAL, VitalKind.SPO2, VitalKind.RESPIRATION
SYS, DIA, MEAN = (
    VitalKind.BLOOD_PRESSURE_SYSTOLIC,
    VitalKind.BLOOD_PRESSURE_DIASTOLIC,
    VitalKind.BLOOD_PRESSURE_MEAN,
)
ECG, PLETH = WaveKind.ECG, WaveKind.PLETH

CODES = (
    Code(MDC, "147842", "MDC_ECG_HEART_RATE", HR, 0),
    Code(MDC, "8410590", "MDC_ECG_HEART_RATE_INSTANT", HR, 0),
    Code(MDC, "149530", "MDC_PULS_OXIM_PULS_RATE", HR, 2),
    Code(MDC, "149514", "MDC_PULS_RATE", HR, 2),
    Code(MDC, "149522", "MDC_BLD_PULS_RATE_INV", HR, 1),
    Code(MDC, "149546", "MDC_PULS_RATE_NON_INV", HR, 3),
    Code(MDC, "149554", "MDC_TTHOR_HEART_RATE", HR, 3),
    Code(MDC, "147240", "MDC_ECG_TIME_PD_RR_GL", RR),
    Code(MDC, "150456", "MDC_PULS_OXIM_SAT_O2", SPO2, 0),
    Code(MDC, "150324", "MDC_SAT_O2_ART", SPO2, 1),
    Code(MDC, "151562", "MDC_RESP_RATE", RESP, 0),
    Code(MDC, "151578", "MDC_TTHOR_RESP_RATE", RESP, 0),
    Code(MDC, "151570", "MDC_AWAY_RESP_RATE", RESP, 1),
    Code(MDC, "151594", "MDC_CO2_RESP_RATE", RESP, 1),
    Code(MDC, "151650", "MDC_ACOUSTIC_RESP_RATE", RESP, 2),
    Code(MDC, "151658", "MDC_PULS_OXIM_PLETH_RESP_RATE", RESP, 3),
    Code(MDC, "150033", "MDC_PRESS_BLD_ART_SYS", SYS, 0),
    Code(MDC, "150034", "MDC_PRESS_BLD_ART_DIA", DIA, 0),
    Code(MDC, "150035", "MDC_PRESS_BLD_ART_MEAN", MEAN, 0),
    Code(MDC, "150037", "MDC_PRESS_BLD_ART_ABP_SYS", SYS, 0),
    Code(MDC, "150038", "MDC_PRESS_BLD_ART_ABP_DIA", DIA, 0),
    Code(MDC, "150039", "MDC_PRESS_BLD_ART_ABP_MEAN", MEAN, 0),
    Code(MDC, "150057", "MDC_PRESS_BLD_ART_UMB_SYS", SYS, 0),
    Code(MDC, "150058", "MDC_PRESS_BLD_ART_UMB_DIA", DIA, 0),
    Code(MDC, "150059", "MDC_PRESS_BLD_ART_UMB_MEAN", MEAN, 0),
    Code(MDC, "150017", "MDC_PRESS_BLD_SYS", SYS, 2),
    Code(MDC, "150018", "MDC_PRESS_BLD_DIA", DIA, 2),
    Code(MDC, "150019", "MDC_PRESS_BLD_MEAN", MEAN, 2),
    Code(MDC, "150021", "MDC_PRESS_BLD_NONINV_SYS", SYS),
    Code(MDC, "150022", "MDC_PRESS_BLD_NONINV_DIA", DIA),
    Code(MDC, "150023", "MDC_PRESS_BLD_NONINV_MEAN", MEAN),
    Code(MDC, "150301", "MDC_PRESS_CUFF_SYS", SYS),
    Code(MDC, "150302", "MDC_PRESS_CUFF_DIA", DIA),
    Code(MDC, "150303", "MDC_PRESS_CUFF_MEAN", MEAN),
    Code(MDC, "150016", "MDC_PRESS_BLD", None),
    Code(MDC, "150020", "MDC_PRESS_BLD_NONINV", None),
    Code(MDC, "150344", "MDC_TEMP", None),
    Code(MDC, "150364", "MDC_TEMP_BODY", None),
    Code(MDC, "150368", "MDC_TEMP_CORE", None),
    Code(MDC, "150388", "MDC_TEMP_SKIN", None),
    Code(MDC, "188420", "MDC_TEMP_RECT", None),
    Code(MDC, "188452", "MDC_TEMP_AXILLA", None),
    Code(MDC, "150488", "MDC_BLD_PERF_INDEX", None),
    Code(MDC, "160324", "MDC_PULS_OXIM_SAT_O2_QUAL", None),
    Code(MDC, "153856", "MDC_CIRCUM_HEAD", None),
    Code(MDC, "188736", "MDC_MASS_BODY_ACTUAL", None),
    Code(MDC, "188740", "MDC_LEN_BODY_ACTUAL", None),
    Code(MDC, "68220", "MDC_TIME_SYNC_PROTOCOL", None),
    Code(MDC, "131330", "MDC_ECG_ELEC_POTL_II", ECG, 0),
    Code(MDC, "131329", "MDC_ECG_ELEC_POTL_I", ECG, 1),
    Code(MDC, "131389", "MDC_ECG_ELEC_POTL_III", ECG, 2),
    Code(MDC, "131328", "MDC_ECG_ELEC_POTL", ECG, 2),
    *(Code(MDC, str(131330 + lead), f"MDC_ECG_ELEC_POTL_V{lead}", ECG, 3) for lead in range(1, 7)),
    Code(MDC, "131391", "MDC_ECG_ELEC_POTL_AVL", ECG, 4),
    Code(MDC, "131392", "MDC_ECG_ELEC_POTL_AVF", ECG, 4),
    Code(MDC, "131390", "MDC_ECG_ELEC_POTL_AVR", ECG, 5),
    Code(MDC, "150452", "MDC_PULS_OXIM_PLETH", PLETH, 6),
    Code(MDC, "151780", "MDC_IMPED_TTHOR", None),
    Code(MDC, "68320", "MDC_ATTR_SAMPLE_RATE", None),
    Code(MDC, "", "MDC_ATTR_SAMP_RATE", None),
    Code(MDC, "2327", "MDC_ATTR_NU_MSMT_RES", None),
    Code(MDC, "67917", "MDC_ATTR_NU_MSMT_RES", None),
    Code(MDC, "67945", "MDC_ATTR_SA_MSMT_RES", None),
    Code(MDC, "68323", "MDC_ATTR_DATA_RANGE", None),
    Code(MDC, "196660", "MDC_EVT_INOP", None),
    Code(MDC, "262196", "MDC_EVT_INOP", None),
    Code(MDC, "197376", "MDC_EVT_DATA_INVALID", None),
    Code(MDC, "197378", "MDC_EVT_DATA_MISSING", None),
    Code(LOINC, "8867-4", "Heart rate", HR, 1),
    Code(LOINC, "59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry", SPO2, 0),
    Code(LOINC, "2708-6", "Oxygen saturation in Arterial blood", SPO2, 1),
    Code(LOINC, "9279-1", "Respiratory rate", RESP, 0),
    Code(LOINC, "8480-6", "Systolic blood pressure", SYS),
    Code(LOINC, "8462-4", "Diastolic blood pressure", DIA),
    Code(LOINC, "8478-0", "Mean blood pressure", MEAN),
    Code(LOINC, "8310-5", "Body temperature", None),
    Code(NAMED, "HR", "HR", HR, 0),
    Code(NAMED, "SPO2", "SPO2", SPO2, 0),
    Code(NAMED, "RR", "RR", RESP, 0),
    Code(NAMED, "SPO2P", "SPO2P", SPO2, 0),
    Code(NAMED, "SPO2R", "SPO2R", HR, 2),
    Code(NAMED, "CO2RR", "CO2RR", RESP, 1),
    Code(NAMED, "PVC", "PVC", None),
    *(Code(NAMED, name, name, None) for name in ("CO2EX", "CO2IN", "STI", "STII", "STIII", "STAVR", "STAVL", "STAVF")),
    *(Code(NAMED, f"STV{lead}", f"STV{lead}", None) for lead in range(1, 7)),
    Code(PHILIPS, "0002-4182", "HR", HR, 0),
    Code(PHILIPS, "0002-4822", "Pulse (SpO2)", HR, 2),
    Code(PHILIPS, "0002-480a", "Pulse", HR, 2),
    Code(PHILIPS, "0002-4bb8", "SpO2", SPO2, 0),
    Code(PHILIPS, "0002-500a", "RR", RESP, 0),
    Code(PHILIPS, "0002-5000", "Resp", RESP, 0),
    Code(PHILIPS, "0002-5012", "awRR", RESP, 1),
    Code(PHILIPS, "0002-4a11", "ARTs", SYS, 0),
    Code(PHILIPS, "0002-4a12", "ARTd", DIA, 0),
    Code(PHILIPS, "0002-4a13", "ARTm", MEAN, 0),
    Code(PHILIPS, "0002-4a15", "ABPs", SYS, 0),
    Code(PHILIPS, "0002-4a16", "ABPd", DIA, 0),
    Code(PHILIPS, "0002-4a17", "ABPm", MEAN, 0),
    Code(PHILIPS, "0002-4a29", "UAPs", SYS, 0),
    Code(PHILIPS, "0002-4a2a", "UAPd", DIA, 0),
    Code(PHILIPS, "0002-4a2b", "UAPm", MEAN, 0),
    Code(PHILIPS, "0002-4a05", "NBPs", SYS),
    Code(PHILIPS, "0002-4a06", "NBPd", DIA),
    Code(PHILIPS, "0002-4a07", "NBPm", MEAN),
    Code(PHILIPS, "0002-4b60", "Tcore", None),
    Code(PHILIPS, "0002-4bb0", "Perf", None),
    Code(PHILIPS, "0002-4261", "PVC", None),
    Code(MINDRAY, "108", "MNDRY_ECG_PAUSE_RATE", None),
    Code(MINDRAY, "352", "MNDRY_ECG_VPB_RATE", None),
    Code(MINDRAY, "579", "MNDRY_ECG_RHY_V_P_C_CPLT_RATE", None),
    Code(MINDRAY, "580", "MNDRY_ECG_RHY_MISSB_RATE", None),
    Code(MINDRAY, "581", "MNDRY_ECG_BEAT_V_P_C_RonT_RATE", None),
    Code(COMEN, "2010", "COMEN_AGE", None),
)


@dataclass(frozen=True, slots=True, eq=False)
class VitalCodes:
    """The registry: rows by system and code, and those of MDC by name. Two are the same only if they are one object,
    which makes one cheap to look up by."""

    by_code: Mapping[tuple[str, str], Code]
    by_name: Mapping[str, Code]

    def with_rows(self, rows: Iterable[Code]) -> VitalCodes:
        """The registry with a site's rows, which go before ours."""
        return registry((*self.by_code.values(), *rows))


def registry(rows: Iterable[Code]) -> VitalCodes:
    """The registry of these rows; a later one goes before an earlier one of the same system and code."""
    by_code = {(one.system, one.code): one for one in rows}
    return VitalCodes(by_code, {one.name: one for one in by_code.values() if one.system == MDC})


BUILT_IN = registry(CODES)

# Spellings of units by what one of them is in the unit that the kind is carried in (domain.vitals.PLAUSIBLE). UCUM, the
# ids and names of MDC, and what monitors write; looked up without spaces, and whether in capitals or not.
PER_MINUTE = {
    **dict.fromkeys(("/min", "1/min", "min-1", "/minute", "bpm", "rpm", "brpm"), 1.0),
    **dict.fromkeys((f"{one}/{each}" for one in ("beat", "beats", "b") for each in ("min", "minute")), 1.0),
    **dict.fromkeys(
        (f"{one}/{each}" for one in ("breath", "breaths", "br", "resp") for each in ("min", "minute")), 1.0
    ),
    **dict.fromkeys(("beatsperminute", "breathsperminute"), 1.0),
    **dict.fromkeys(("264864", "mdc_dim_beat_per_min", "264928", "mdc_dim_resp_per_min"), 1.0),
    **dict.fromkeys(("/s", "1/s", "hz", "264608", "mdc_dim_per_sec", "264640", "mdc_dim_hz"), 60.0),
}
PER_CENT = {
    **dict.fromkeys(("%", "percent", "pct", "262688", "mdc_dim_percent"), 1.0),
    **dict.fromkeys(("1", "{fraction}", "262656", "mdc_dim_dimless"), 100.0),
}
MILLIMETRES_OF_MERCURY = {
    **dict.fromkeys(("mm[hg]", "mmhg", "mm(hg)", "266016", "mdc_dim_mmhg"), 1.0),
    **dict.fromkeys(("kpa", "265987", "mdc_dim_kilo_pascal"), 7.50062),
}
MILLISECONDS = {
    **dict.fromkeys(("ms", "msec", "264338", "mdc_dim_milli_sec"), 1.0),
    **dict.fromkeys(("s", "sec", "264320", "mdc_dim_sec"), 1000.0),
}
UNITS = {"/min": PER_MINUTE, "%": PER_CENT, "mm[Hg]": MILLIMETRES_OF_MERCURY, "ms": MILLISECONDS}
_ANNOTATION = re.compile(r"\{[^{}]*\}")
"""What UCUM lets a sender write beside a unit: ``{beats}/min``."""

SENTINELS = frozenset({8388607.0, 8388608.0, -8388608.0, 32767.0, -32768.0, 65535.0, -100.0, -1.0})
"""Numbers that monitors send for "no value": 2^23 - 1 (Comen), 16-bit extremes (waves), -100 (a telemetry monitor)."""


def unit_factor(kind: VitalKind, spellings: tuple[str, ...]) -> float | None:
    """What a value is to be multiplied with; ``spellings`` are what OBX-6 calls its unit. None if no row knows them.

    A sender that names no unit at all means the usual one.
    """
    named = [one for one in spellings if one]
    if not named:
        return 1.0
    known = UNITS.get(PLAUSIBLE[kind].unit, {})
    plain = ["".join(one.casefold().split()) for one in named]
    forms = [form for one in plain for form in (one, _ANNOTATION.sub("", one))]
    return next((known[form] for form in forms if form in known), None)
