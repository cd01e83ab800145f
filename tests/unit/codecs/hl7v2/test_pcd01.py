"""ORU^R01: which numbers are read, in which unit, for when and for which bed; and what becomes of the others."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from neopain.codecs.hl7v2.header import read_header
from neopain.codecs.hl7v2.message import parse
from neopain.codecs.hl7v2.pcd01 import Reading, VitalsReport, read_reports
from neopain.domain.identity import PatientId
from neopain.domain.vitals import Validity, VitalKind

HR, SPO2, RESP = VitalKind.HEART_RATE, VitalKind.SPO2, VitalKind.RESPIRATION
SYSTOLIC = VitalKind.BLOOD_PRESSURE_SYSTOLIC
PID, PV1 = "PID|||77^^^HOSP^MR||X^Y", "PV1||I|NICU^1^3^GH"
OBR = "OBR|1||||||20260704120000+0000"


def reports(*lines: str, time: str = "20260704120005+0000", zone: str = "UTC") -> tuple[VitalsReport, ...]:
    head = rf"MSH|^~\&|MON|NICU|||{time}||ORU^R01^ORU_R01|1|P|2.6"
    message = parse("\r".join([head, *lines]).encode())
    return read_reports(message, read_header(message), site_zone=ZoneInfo(zone))


def report(*lines: str, time: str = "20260704120005+0000", zone: str = "UTC") -> VitalsReport:
    (only,) = reports(*lines, time=time, zone=zone)
    return only


def read_one(obx: str) -> Reading:
    (only,) = report(PV1, OBR, obx).readings
    return only


def test_a_message_gives_bed_patient_and_numbers() -> None:
    found = report(
        PID, PV1, OBR, "OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|1.1.1.1|142|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R"
    )
    assert (found.bed, found.patient) == ("NICU/1/3@GH", PatientId("77", "HOSP", "MR"))
    assert found.readings == (
        Reading(HR, 142.0, Validity.GOOD, "147842", datetime(2026, 7, 4, 12, tzinfo=UTC), "20260704120000+0000", 0),
    )


@pytest.mark.parametrize(
    ("code", "unit", "sent", "kind", "value"),
    [
        ("147842^MDC_ECG_HEART_RATE^MDC", "264864^MDC_DIM_BEAT_PER_MIN^MDC", "142", HR, 142.0),
        ("149530^MDC_PULS_OXIM_PULS_RATE^MDC", "/min^/min^UCUM", "141.5", HR, 141.5),
        ("147842^MDC_ECG_HEART_RATE^MDC", "264640^MDC_DIM_HZ^MDC", "2.5", HR, 150.0),
        ("147842^MDC_ECG_HEART_RATE", "bpm", "142", HR, 142.0),
        ("MDC_ECG_HEART_RATE^147842^MDC", "bpm", "142", HR, 142.0),
        ("MDC_ECG_HEART_RATE", "bpm", "142", HR, 142.0),
        ("8867-4^Heart rate^LN", "{beats}/min", "142", HR, 142.0),
        ("0002-4182^HR^MDIL^8867-4^Heart rate^LN", "/min", "142", HR, 142.0),
        ("HR", "/min", "142", HR, 142.0),
        ("150456^MDC_PULS_OXIM_SAT_O2^MDC", "262688^MDC_DIM_PERCENT^MDC", "97", SPO2, 97.0),
        ("150456^MDC_PULS_OXIM_SAT_O2^MDC", "262656^MDC_DIM_DIMLESS^MDC", "0.5", SPO2, 50.0),
        ("59408-5^SpO2^LN", "%", "97", SPO2, 97.0),
        ("151562^MDC_RESP_RATE^MDC", "264928^MDC_DIM_RESP_PER_MIN^MDC", "44", RESP, 44.0),
        ("RR", "breaths/min", "44", RESP, 44.0),
        ("150021^MDC_PRESS_BLD_NONINV_SYS^MDC", "266016^MDC_DIM_MMHG^MDC", "62", SYSTOLIC, 62.0),
        ("150033^MDC_PRESS_BLD_ART_SYS^MDC", "kPa", "10", SYSTOLIC, 75.0062),
        ("150017^MDC_PRESS_BLD_NONINV_SYS^MDC", "mm[Hg]", "62", SYSTOLIC, 62.0),
        ("147240^MDC_ECG_TIME_PD_RR_GL^MDC", "264320^MDC_DIM_SEC^MDC", "0.5", VitalKind.RR_INTERVAL, 500.0),
        ("147842^MDC_ECG_HEART_RATE^MDC", "", "142", HR, 142.0),
        ("HR", "BPM", "142", HR, 142.0),
        ("HR", "{Heart_beats}/Min", "142", HR, 142.0),
        ("RR", "Breaths / min", "44", RESP, 44.0),
        ("SPO2", "Percent", "97", SPO2, 97.0),
        ("150456^MDC_PULS_OXIM_SAT_O2^MDC", "%", "97.00000000000001", SPO2, 97.00000000000001),
        ("150037^MDC_PRESS_BLD_ART_ABP_SYS^MDC", "MMHG", "62", SYSTOLIC, 62.0),
        ("150057^MDC_PRESS_BLD_ART_UMB_SYS^MDC", "mmHg", "62", SYSTOLIC, 62.0),
        ("0002-4a29^UAPs^MDIL", "0004-0f20^mmHg^MDIL", "62", SYSTOLIC, 62.0),
        ("0002-5012^awRR^MDIL", "0004-0ae0^rpm^MDIL", "44", RESP, 44.0),
    ],
)
def test_codes_and_units_of_every_spelling_give_the_kind_in_its_own_unit(
    code: str, unit: str, sent: str, kind: VitalKind, value: float
) -> None:
    reading = read_one(f"OBX|1|NM|{code}||{sent}|{unit}|||||R")
    assert (reading.kind, reading.value) == (kind, pytest.approx(value))


@pytest.mark.parametrize(
    ("value_type", "sent"), [("NM", " 142 "), ("ST", "142"), ("SN", "^142"), ("SN", "=^142"), ("", "142")]
)
def test_a_number_is_a_number_in_every_type_that_can_carry_one(value_type: str, sent: str) -> None:
    assert read_one(f"OBX|1|{value_type}|HR||{sent}|/min|||||R").value == 142.0


def test_a_value_beyond_the_scale_is_questionable() -> None:
    assert read_one("OBX|1|SN|HR||>^300|/min|||||R").validity is Validity.QUESTIONABLE
    assert read_one("OBX|1|NM|HR||300|/min||>|||R").validity is Validity.QUESTIONABLE


@pytest.mark.parametrize(
    ("obx", "location", "reason"),
    [
        ("OBX|1|NM|HR||---|/min|||||R", "OBX[1]-5", "expected one number"),
        ("OBX|1|NM|HR||140~142|/min|||||R", "OBX[1]-5", "expected one number"),
        ("OBX|1|NM|HR||140,5|/min|||||R", "OBX[1]-5", "expected one number"),
        ("OBX|1|NM|HR||nan|/min|||||R", "OBX[1]-5", "expected one number"),
        ("OBX|1|NM|HR||1e3|/min|||||R", "OBX[1]-5", "expected one number"),
        ("OBX|1|NM|HR||1_0|/min|||||R", "OBX[1]-5", "expected one number"),
        ("OBX|1|NM|HR||٤٢|/min|||||R", "OBX[1]-5", "expected one number"),
        ("OBX|1|SN|HR||^100^-^142|/min|||||R", "OBX[1]-5", "expected one number"),
        ("OBX|1|CWE|HR||142|/min|||||R", "OBX[1]-5", "expected one number"),
        ("OBX|1|NM|HR||8388607|/min|||||R", "OBX[1]-5", "a sign for no value"),
        ("OBX|1|NM|HR||-100|/min|||||R", "OBX[1]-5", "a sign for no value"),
        ("OBX|1|NM|HR||32767|/min|||||R", "OBX[1]-5", "a sign for no value"),
        ("OBX|1|NM|HR|||/min|||||R", "OBX[1]-5", "no value"),
        ("OBX|1|NM|HR||142|furlong|||||R", "OBX[1]-6", "a unit that no table knows"),
        (
            "OBX|1|NM|150456^MDC_ECG_HEART_RATE^MDC||97|%|||||R",
            "OBX[1]-3",
            "the code and its name mean different things",
        ),
    ],
)
def test_what_cannot_be_used_is_skipped_with_its_place_and_reason(obx: str, location: str, reason: str) -> None:
    found = report(PV1, OBR, obx, "OBX|2|NM|SPO2||97|%|||||R")
    assert [(one.location, one.reason) for one in found.skipped] == [(location, reason)]
    assert [one.kind for one in found.readings] == [SPO2]


def test_a_code_that_no_table_knows_is_listed_once() -> None:
    unknown = "OBX|1|NM|9001^Fancy^99MON||5|%|||||R"
    found = report(PV1, OBR, unknown, unknown, "OBX|2|NM|AGITATION||0|#/min").unmapped
    assert [one.label for one in found] == ["9001^99MON", "AGITATION^"]


def test_a_known_code_that_no_score_needs_is_neither_listed_nor_skipped() -> None:
    found = report(PV1, OBR, "OBX|1|NM|150364^MDC_TEMP_BODY^MDC||36.9|268192^MDC_DIM_DEGC^MDC|||||R")
    assert (found.readings, found.skipped, found.unmapped) == ((), (), ())


def test_a_device_row_without_a_value_is_not_listed() -> None:
    assert report(PV1, OBR, "OBX|1||528391^MDC_DEV_SPEC_PROFILE_BP^MDC|1.0.0.0|||||||X").unmapped == ()


def test_the_observation_s_own_time_comes_before_that_of_its_order() -> None:
    found = report(
        PV1, OBR, "OBX|1|NM|150021^^MDC||62|266016^^MDC|||||R|||20260704115500.25+0200", "OBX|2|NM|HR||142|/min"
    )
    assert [one.source for one in found.readings] == [
        datetime(2026, 7, 4, 9, 55, 0, 250000, tzinfo=UTC),
        datetime(2026, 7, 4, 12, 0, tzinfo=UTC),
    ]


def test_each_observation_has_the_time_of_the_order_above_it() -> None:
    later = "OBR|2||||||20260704120001+0000"
    found = report(PV1, OBR, "OBX|1|NM|HR||142|/min", later, "OBX|1|NM|HR||150|/min")
    assert [(one.value, one.source_text) for one in found.readings] == [
        (142.0, "20260704120000+0000"),
        (150.0, "20260704120001+0000"),
    ]


@pytest.mark.parametrize(
    ("msh_time", "zone", "expected"),
    [
        ("20260704140005", "Europe/Berlin", datetime(2026, 7, 4, 10, 0, tzinfo=UTC)),
        ("20260704140005-0500", "Europe/Berlin", datetime(2026, 7, 4, 17, 0, tzinfo=UTC)),
        ("2026-07-04T14:00:05-05:00", "Europe/Berlin", datetime(2026, 7, 4, 17, 0, tzinfo=UTC)),
    ],
)
def test_a_time_without_an_offset_has_that_of_msh_7_else_the_site_s_zone(
    msh_time: str, zone: str, expected: datetime
) -> None:
    for sent in ("20260704120000", "2026-07-04T12:00:00"):
        found = report(PV1, f"OBR|1||||||{sent}", "OBX|1|NM|HR||142|/min", time=msh_time, zone=zone)
        assert (found.readings[0].source, found.readings[0].source_text) == (expected, sent)


@pytest.mark.parametrize(
    ("written", "text", "minute"),
    [
        ("", "", None),
        ('""', "", None),
        ("202607041400", "202607041400", datetime(2026, 7, 4, 12, 0, tzinfo=UTC)),
        ("202607041230+0030", "202607041230+0030", datetime(2026, 7, 4, 12, 0, tzinfo=UTC)),
        ("yesterday", "yesterday", None),
        ("2026070412", "2026070412", None),
        ("20260704", "20260704", None),
    ],
)
@pytest.mark.parametrize("order", [True, False], ids=["OBR-7", "OBX-14"])
def test_a_time_that_is_not_given_to_the_second_is_no_measuring_time(
    written: str, text: str, minute: datetime | None, order: bool
) -> None:
    lines = (
        (f"OBR|1||||||{written}", "OBX|1|NM|HR||142|/min") if order else ("OBX|1|NM|HR||142|/min" + "|" * 8 + written,)
    )
    for _ in range(2):  # the second is read by its form
        reading = report(PV1, *lines, zone="Europe/Berlin", time="").readings[0]
        assert (reading.source, reading.source_text, reading.minute) == (None, text, minute)


def test_a_value_of_an_earlier_minute_does_not_stand_in_for_one_of_now() -> None:
    old = "OBX|2|NM|59408-5^SpO2^LN||71|%" + "|" * 8 + "202607041000"
    found = report(PV1, "OBX|1|NM|150456^^MDC||97|%", old).readings
    assert [(one.value, one.source_text) for one in found] == [(97.0, ""), (71.0, "202607041000")]


def test_the_electrical_heart_rate_is_kept_where_a_pulse_rate_says_the_same_second() -> None:
    found = report(PV1, OBR, "OBX|1|NM|149530^^MDC||139|/min|||||R", "OBX|2|NM|147842^^MDC||142|/min|||||R")
    assert [(one.code, one.value) for one in found.readings] == [("147842", 142.0)]


def test_a_good_pulse_rate_is_kept_where_the_electrical_one_is_invalid() -> None:
    found = report(PV1, OBR, "OBX|1|NM|147842^^MDC||142|/min||INV|||X", "OBX|2|NM|149530^^MDC||139|/min|||||R")
    assert [(one.code, one.value) for one in found.readings] == [("149530", 139.0)]


def test_several_infants_in_one_message_are_kept_apart() -> None:
    obx = "OBX|1|NM|HR||{}|/min"
    found = reports(PID, PV1, OBR, obx.format(142), "PID|||88^^^HOSP^MR", "PV1||I|NICU^1^4^GH", OBR, obx.format(150))
    assert [(one.bed, one.patient and one.patient.value, one.readings[0].value) for one in found] == [
        ("NICU/1/3@GH", "77", 142.0),
        ("NICU/1/4@GH", "88", 150.0),
    ]


def test_beds_without_patients_are_kept_apart_too() -> None:
    obx = "OBX|1|NM|HR||142|/min"
    assert [one.bed for one in reports(PV1, obx, "PV1||I|NICU^1^4", obx)] == ["NICU/1/3@GH", "NICU/1/4"]


@pytest.mark.parametrize("pid", ["PID|||", "PID|||Unknown^^^HOSP", "PID|1||||DOE^JOHN"])
def test_a_blank_or_unknown_patient_is_none(pid: str) -> None:
    assert report(pid, PV1, OBR, "OBX|1|NM|HR||142|/min").patient is None


@pytest.mark.parametrize(
    ("pid", "mother", "numbers"),
    [
        ("77^^^HOSP^MR~X9^^^CENTRAL^PI", "", [("77", "HOSP"), ("X9", "CENTRAL")]),
        ("66^^^HOSP^MR~77^^^HOSP^MR", "66^^^HOSP^MR", [("77", "HOSP")]),
        ("66^^^HOSP^MR", "66^^^HOSP^MR", []),
        ("77^^^HOSP^MR", "66^^^HOSP^MR", [("77", "HOSP")]),
        ("77^^^HOSP^MR", '""', [("77", "HOSP")]),
    ],
)
def test_every_number_but_the_mother_s_names_the_infant(pid: str, mother: str, numbers: list[tuple[str, str]]) -> None:
    line = f"PID|||{pid}" + "|" * 18 + mother
    for value in ("142", "143"):  # the second is read by the form of the first
        found = report(line, PV1, OBR, f"OBX|1|NM|HR||{value}|/min")
        assert [(one.value, one.assigning_authority) for one in found.numbers] == numbers


def test_a_form_does_not_keep_the_mother_of_one_message_for_another() -> None:
    line = "PID|||66^^^HOSP^MR~77^^^HOSP^MR" + "|" * 18
    for mother, expected in (("66^^^HOSP^MR", "77"), ("77^^^HOSP^MR", "66")):
        found = report(line + mother, PV1, OBR, "OBX|1|NM|HR||142|/min")
        assert [one.value for one in found.numbers] == [expected]


def test_a_message_without_patient_and_place_still_gives_its_numbers() -> None:
    found = report(OBR, "OBX|1|NM|HR||142|/min")
    assert (found.bed, found.patient, len(found.readings)) == (None, None, 1)
