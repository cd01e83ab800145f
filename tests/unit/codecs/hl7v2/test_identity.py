"""Who and where: which identifiers name an infant, and which places are beds."""

from __future__ import annotations

import pytest

from neopain.codecs.hl7v2.identity import names_a_bed, read_bed, read_patients
from neopain.codecs.hl7v2.message import Segment, parse
from neopain.domain.identity import PatientId
from neopain.errors import MalformedMessage


def segment(line: str, *, charset: str = "", encoding: str = "utf-8") -> Segment:
    head = r"MSH|^~\&|MON|||||||1|P|2.6||||||" + charset
    return parse(f"{head}\r{line}".encode(encoding)).segments[1]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("77^^^HOSP^MR", PatientId("77", "HOSP", "MR")),
        ("77^5^M11^HOSP&1.2.3&ISO^PI", PatientId("77", "HOSP", "PI")),
        ("77^^^&1.2.3&ISO^MR", PatientId("77", "1.2.3", "MR")),
        ("77", PatientId("77", "", "MR")),
        ('77^^^""^""', PatientId("77", "", "MR")),
        ('77^^^""&1.2.3&ISO^MR', PatientId("77", "1.2.3", "MR")),
        ("  77 ^^^HOSP", PatientId("77", "HOSP", "MR")),
        (r"7\S\7^^^HOSP", PatientId("7^7", "HOSP", "MR")),
    ],
)
def test_an_identifier_comes_with_its_authority_and_type(written: str, expected: PatientId) -> None:
    assert read_patients(segment(f"PID|1||{written}"), 3) == (expected,)


@pytest.mark.parametrize("blank", ["", "^^^HOSP^MR", "Unknown^^^HOSP", "UNK", "000000", '""', "N/A", "---", "?"])
def test_a_placeholder_names_nobody(blank: str) -> None:
    assert read_patients(segment(f"PID|1||{blank}||^"), 3) == ()


@pytest.mark.parametrize(
    "type_code",
    ["SS", "AN", "VN", "HC", "MA", "DL", "SN", "MB", "GI", "GN", "ANC", "AND", "ANT", "BA", "NH", "MI", "EN"],
)
def test_numbers_that_a_family_shares_or_that_name_a_stay_name_nobody(type_code: str) -> None:
    assert read_patients(segment(f"PID|1||123456789^^^USSSA^{type_code}"), 3) == ()


@pytest.mark.parametrize("type_code", ["MR", "MRT", "PI", "PT", "NI", "NNDNK", "JHN", "BR", "SR", "ANON", "U", "99OWN"])
def test_numbers_of_one_person_name_it_under_every_other_type(type_code: str) -> None:
    assert read_patients(segment(f"PID|1||77^^^HOSP^{type_code}"), 3) == (PatientId("77", "HOSP", type_code),)


def test_the_medical_record_number_comes_first_among_repetitions() -> None:
    found = read_patients(segment("PID|1||9^^^LAB^PI~123^^^USSSA^SS~77^^^HOSP^MR~5^^^REG^MRN"), 3)
    assert [one.value for one in found] == ["77", "9", "5"]


def test_a_number_without_a_type_comes_after_the_medical_record_number_and_before_all_others() -> None:
    found = read_patients(segment("PID|1||9^^^LAB^PI~5~77^^^HOSP^MR"), 3)
    assert found == (PatientId("77", "HOSP", "MR"), PatientId("5", "", "MR"), PatientId("9", "LAB", "PI"))


def test_an_identifier_with_bytes_outside_of_its_character_set_is_refused_rather_than_guessed() -> None:
    damaged = segment("PID|1||Ä77^^^HOSP", charset="UNICODE UTF-8", encoding="iso8859-1")
    with pytest.raises(MalformedMessage, match=r"PID-3\.1"):
        read_patients(damaged, 3)


@pytest.mark.parametrize(
    ("written", "bed"),
    [
        ("NICU^1^3", "NICU/1/3"),
        ("NICU^1^3^GH", "NICU/1/3@GH"),
        ("NICU&9.8&ISO^1^3^GH&1.2&ISO", "NICU/1/3@GH"),
        ("NICU^1^3^&1.2&ISO", "NICU/1/3@1.2"),
        ("NICU^^3", "NICU//3"),
        ("B1", "B1//"),
        ("NICU^1/2^3@4", "NICU/1-2/3-4"),
        ("NICU^1^3~OLD^1^1", "NICU/1/3"),
    ],
)
def test_a_bed_keeps_each_of_its_parts_in_its_place(written: str, bed: str) -> None:
    assert read_bed(segment(f"PV1|1|I|{written}"), 3) == bed


@pytest.mark.parametrize("written", ["", "^^^GH", '""^""^""', " ^ "])
def test_a_place_without_unit_room_and_bed_is_none(written: str) -> None:
    assert read_bed(segment(f"PV1|1|I|{written}|"), 3) is None


def test_the_site_s_facility_stands_in_where_a_sender_names_none() -> None:
    assert read_bed(segment("PV1|1|I|NICU^1^3"), 3, default_facility="GH") == "NICU/1/3@GH"
    assert read_bed(segment("PV1|1|I|NICU^1^3^OTHER"), 3, default_facility="GH") == "NICU/1/3@OTHER"


@pytest.mark.parametrize(("written", "expected"), [("NICU", False), ("NICU^1", True), ("NICU^^3", True), ("", False)])
def test_a_unit_alone_is_no_bed(written: str, expected: bool) -> None:
    assert names_a_bed(segment(f"PV1|1|I|{written}"), 3) is expected
