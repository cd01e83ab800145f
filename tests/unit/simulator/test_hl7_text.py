"""What the simulator's monitor and admission system write, read by two libraries that are not ours."""

from __future__ import annotations

from datetime import datetime, timedelta

import hl7
import pytest
from hl7apy.parser import parse_message

from neopain.simulator.admission import AdmissionEvent, admission_message
from neopain.simulator.infant import SimulatedInfant
from neopain.simulator.monitor import (
    RR_INTERVAL,
    Measurement,
    measurements,
    observation_message,
    pressure_measurements,
)
from neopain.simulator.segments import Cot, escaped, timestamp
from neopain.simulator.vitals import BloodPressure, Numerics


@pytest.fixture
def vitals_text(infant: SimulatedInfant, cot: Cot, now: datetime) -> str:
    values = measurements(Numerics(heart_rate_bpm=151, spo2_percent=94, respiration_bpm=52), now)
    values += pressure_measurements(BloodPressure(systolic=61, diastolic=35, mean=44), now)
    return observation_message(infant, cot, values, control_id="c1", sent=now).decode()


def segments(text: str, name: str) -> list[list[str]]:
    return [line.split("|") for line in text.split("\r") if line.startswith(name)]


def test_python_hl7_reads_the_heart_rate(vitals_text: str) -> None:
    rows = {str(row[3][0][0]): row for row in hl7.parse(vitals_text).segments("OBX")}

    assert str(rows["147842"][5]) == "151"


def test_hl7apy_finds_the_groups_of_oru_r01(vitals_text: str) -> None:
    message = parse_message(vitals_text)
    order = message.oru_r01_patient_result.oru_r01_order_observation

    assert len(message.oru_r01_patient_result) == 1
    assert len(order.oru_r01_observation) == 8


def test_hl7apy_reads_the_bed(vitals_text: str) -> None:
    visit = parse_message(vitals_text).oru_r01_patient_result.oru_r01_patient.oru_r01_visit

    assert visit.pv1.pv1_3.to_er7() == "NICU^R1^2^SIM"


def test_the_codes_and_units_are_those_of_ieee_11073(vitals_text: str) -> None:
    shown = [(row[3].split("^")[0], row[5], row[6].split("^")[0]) for row in segments(vitals_text, "OBX") if row[2]]

    assert shown == [
        ("147842", "151", "264864"),
        ("151562", "52", "264928"),
        ("150456", "94", "262688"),
        ("150021", "61", "266016"),
        ("150022", "35", "266016"),
        ("150023", "44", "266016"),
    ]


def test_the_sending_application_is_a_device_with_its_eui_64(vitals_text: str) -> None:
    assert segments(vitals_text, "MSH")[0][2] == "NEOPAIN-MONITOR^4E454F5041494E01^EUI-64"


def test_processing_is_always_training(vitals_text: str) -> None:
    assert segments(vitals_text, "MSH")[0][10] == "T"


def test_the_profile_is_pcd_01_by_its_oid(vitals_text: str) -> None:
    assert segments(vitals_text, "MSH")[0][20].split("^")[2] == "1.3.6.1.4.1.19376.1.6.1.1.1"


def test_a_monitor_asks_for_a_commit_acknowledgement(vitals_text: str) -> None:
    assert segments(vitals_text, "MSH")[0][14:16] == ["AL", "NE"]


def test_device_data_are_unvalidated(vitals_text: str) -> None:
    assert {row[11] for row in segments(vitals_text, "OBX") if row[2]} == {"R"}


def test_device_rows_have_no_value_and_end_in_zeros(vitals_text: str) -> None:
    rows = [row for row in segments(vitals_text, "OBX") if not row[2]]

    assert [(row[4], row[5]) for row in rows] == [("1.0.0.0", ""), ("1.4.1.0", "")]


def test_times_carry_fraction_and_offset(vitals_text: str) -> None:
    assert segments(vitals_text, "OBX")[1][14] == "20260701143005.250+0200"


def test_the_infant_is_named_by_number_and_authority(vitals_text: str) -> None:
    assert segments(vitals_text, "PID")[0][3] == "SIM01002^^^NEOPAIN-SIM^MR"


def test_beats_of_one_message_have_places_of_their_own(infant: SimulatedInfant, cot: Cot, now: datetime) -> None:
    beats = [Measurement(RR_INTERVAL, 430.25 + n, now + timedelta(seconds=0.43 * n)) for n in range(3)]
    text = observation_message(infant, cot, beats, control_id="c1", sent=now).decode()
    rows = [row for row in segments(text, "OBX") if row[2]]

    assert [row[5] for row in rows] == ["430.2", "431.2", "432.2"]
    assert len({row[4] for row in rows}) == 3


@pytest.mark.parametrize(
    ("event", "message_type"),
    [
        (AdmissionEvent.ADMIT, "ADT^A01^ADT_A01"),
        (AdmissionEvent.UPDATE, "ADT^A08^ADT_A01"),
        (AdmissionEvent.DISCHARGE, "ADT^A03^ADT_A03"),
    ],
)
def test_hl7apy_reads_each_admission_message(
    infant: SimulatedInfant, cot: Cot, now: datetime, event: AdmissionEvent, message_type: str
) -> None:
    message = parse_message(admission_message(event, infant, cot, control_id="a1", sent=now).decode())

    assert message.msh.msh_9.to_er7() == message_type
    assert message.pv1.pv1_19.to_er7() == "VSIM01002^^^NEOPAIN-SIM^VN"
    assert message.validate()


def test_gestational_age_is_an_observation_in_weeks(infant: SimulatedInfant, cot: Cot, now: datetime) -> None:
    text = admission_message(AdmissionEvent.ADMIT, infant, cot, control_id="a1", sent=now).decode()
    row = segments(text, "OBX")[0]

    assert row[3] == "18185-9^Gestational age^LN"
    assert row[6] == "wk^week^UCUM"
    assert round(float(row[5]) * 7) == infant.gestational_age_days


def test_delimiters_in_text_are_escaped() -> None:
    assert escaped(r"a|b^c&d~e\f") == r"a\F\b\S\c\T\d\R\e\E\f"


def test_a_time_before_the_full_second_keeps_its_leading_zeros(now: datetime) -> None:
    assert timestamp(now.replace(microsecond=4_999)) == "20260701143005.004+0200"
