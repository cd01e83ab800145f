"""A site's file of vital signs' codes: what a row does, and how a wrong one is refused."""

from __future__ import annotations

from datetime import UTC

import pytest

from neopain.codecs.hl7v2.codes import BUILT_IN
from neopain.codecs.hl7v2.header import read_header
from neopain.codecs.hl7v2.message import parse
from neopain.codecs.hl7v2.pcd01 import VitalsReport, read_reports
from neopain.codecs.hl7v2.site_codes import read_site_codes
from neopain.domain.vitals import VitalKind
from neopain.errors import ConfigurationError

HEADER = "system,code,name,kind,rank\n"


def report(site: str, obx: str) -> VitalsReport:
    known = BUILT_IN.with_rows(read_site_codes(HEADER + site, table="codes.csv"))
    message = parse(f"MSH|^~\\&|MON||||20260704||ORU^R01|1|P|2.6\rPV1||I|NICU^1^3\r{obx}".encode())
    (only,) = read_reports(message, read_header(message), site_zone=UTC, known=known)
    return only


@pytest.mark.parametrize(
    ("row", "identifier"),
    [
        ("EHC,4711,HR,heart_rate,0", "4711^Herzfrequenz^EHC"),
        ("ehc,4711,HR,heart_rate,", "4711^Herzfrequenz^ehc"),
        ("name,40,HR,heart_rate,0", "40^HR"),
        ("name,pulse,,heart_rate,2", "Pulse"),
        ("MDC,528999,MDC_SITE_RATE,heart_rate,1", "528999^MDC_SITE_RATE^MDC"),
        ("LN,8889-8,Heart rate by oximetry,heart_rate,2", "8889-8^^LOINC"),
    ],
)
def test_a_row_of_the_site_makes_its_code_known(row: str, identifier: str) -> None:
    found = report(row, f"OBX|1|NM|{identifier}||142|/min|||||R")
    assert [(one.kind, one.value) for one in found.readings] == [(VitalKind.HEART_RATE, 142.0)]


def test_a_row_of_the_site_goes_before_a_built_in_one() -> None:
    found = report("MDIL,0002-480a,Pulse,none,", "OBX|1|NM|0002-480a^Pulse^MDIL||142|0004-0aa0^bpm^MDIL")
    assert (found.readings, found.unmapped) == ((), ())


def test_a_row_can_name_a_waveform() -> None:
    wave = "OBX|1|NA|9^Pulse wave^99MON||1^2\rOBX|2|NM|68320^MDC_ATTR_SAMPLE_RATE^MDC||60|Hz"
    found = report("99MON,9,Pulse wave,pleth_waveform,6", f"OBR|1||||||20260704120000.0+0000\r{wave}")
    assert [one.code for one in found.waves] == ["9"]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("EHC,,HR,heart_rate,0", "codes.csv line 2, column code: '': must not be empty"),
        ("EHC,1,HR,pulse,0", "codes.csv line 2, column kind: 'pulse': expected one of heart_rate"),
        ("EHC,1,HR,movement,0", "codes.csv line 2, column kind: 'movement': expected one of heart_rate"),
        ("EHC,1,HR,heart_rate,12", "codes.csv line 2, column rank: '12': expected a whole number from 0 to 9"),
        ("MDC,MDC_X,,heart_rate,0", "codes.csv line 2, column code: 'MDC_X': an MDC code is a number"),
        ("EHC,1,HR,heart_rate,0\nehc,1,HR,spo2,0", "codes.csv line 3, column code: '1': stands twice for system EHC"),
        ("EHC,1,HR,heart_rate", "codes.csv line 2: 4 cells, the header has 5"),
    ],
)
def test_a_wrong_row_is_refused_with_its_line_column_and_rule(row: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_site_codes(HEADER + row, table="codes.csv")
    assert str(refused.value).startswith(told)


@pytest.mark.parametrize(
    ("identifier", "unit", "kind"),
    [
        ("0002-4182^HR^MDIL", "0004-0aa0^bpm^MDIL", VitalKind.HEART_RATE),
        ("0002-4bb8^SpO2^MDIL", "0004-0220^%^MDIL", VitalKind.SPO2),
        ("0002-500a^RR^MDIL", "0004-0ae0^rpm^MDIL", VitalKind.RESPIRATION),
        ("0002-4a07^NBPm^MDIL", "0004-0f20^mmHg^MDIL", VitalKind.BLOOD_PRESSURE_MEAN),
    ],
)
def test_private_codes_of_philips_are_built_in(identifier: str, unit: str, kind: VitalKind) -> None:
    found = report("", f"OBX|1|NM|{identifier}||60|{unit}|||||F")
    assert [one.kind for one in found.readings] == [kind]


def test_private_codes_without_use_are_not_listed_as_unknown() -> None:
    found = report("", "OBX|1|NM|108^MNDRY_ECG_PAUSE_RATE^99MNDRY||0|/min\rOBX|2|NM|2010^COMEN_AGE^99COMEN||3")
    assert found.unmapped == ()
