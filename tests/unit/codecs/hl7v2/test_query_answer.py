"""The answer to a query: who was found, nobody, a held bed, a refusal; in the asker's version, signs and characters."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

from neopain.codecs.hl7v2.ack import Outcome, Stamp, address
from neopain.codecs.hl7v2.message import parse
from neopain.codecs.hl7v2.query_answer import Asked, asked_by, write_findings, write_query_error
from neopain.domain.census import DEVICE_DISAGREES, BedState, Infant
from neopain.domain.identity import BedId, PatientId
from neopain.domain.query import Findings, Found, Query
from neopain.errors import MalformedMessage

NOON = datetime(2026, 7, 4, 12, 0, tzinfo=UTC)
STAMP = Stamp("A1", NOON)
UTC_ZONE = ZoneInfo("UTC")
BORN = datetime(2026, 7, 2, 8, 15, tzinfo=UTC)
ANNA = Infant((PatientId("77", "HOSP"), PatientId("4711", "1.2.276", "PI")), visit="V1", born=BORN, sex="F")
BERT = Infant((PatientId("77", "OTHER"),))
FOUND = Findings((Found(ANNA, BedId("NICU/1/3@EAST")),))
BOTH = Findings((*FOUND.found, Found(BERT, BedId("NICU/1/4"))))
HELD = Findings(held=(BedState(BedId("NICU/1/3"), NOON, ANNA, DEVICE_DISAGREES),))
ANYBODY = Query(most=None)


def qry(
    version: str = "2.4", *, head: str = r"MSH|^~\&|MON|NICU|HUB|GH", charset: str = "", codec: str = "utf-8"
) -> Asked:
    text = f"{head}|20260704||QRY^A19|7|P|{version}{charset}\rQRD|20260704|R|I|Q1|||10^RD|77|DEM|X"
    message = parse(text.encode(codec))
    return asked_by(message, address(message), ("QRY", "A19"))


def qbp(version: str = "2.5", kind: str = "Q22") -> Asked:
    head = rf"MSH|^~\&|MON|NICU|HUB|GH|20260704||QBP^{kind}^QBP_Q21|7|P|{version}"
    message = parse(f"{head}\rQPD|Q22^Find Candidates^HL7|Q1|@PID.3.1^77\rRCP|I".encode())
    return asked_by(message, address(message), ("QBP", kind))


def answer(asked: Asked, findings: Findings, query: Query = ANYBODY, zone: ZoneInfo = UTC_ZONE) -> list[str]:
    written = write_findings(asked, query, findings, STAMP, zone=zone)
    return written.decode(asked.to.codec).rstrip("\r").split("\r")


def test_adr_a19_echoes_the_question_and_tells_number_birth_sex_bed_and_visit() -> None:
    assert answer(qry(), FOUND) == [
        r"MSH|^~\&|HUB|GH|MON|NICU|20260704120000.000+0000||ADR^A19^ADR_A19|A1|P|2.4",
        "MSA|AA|7",
        "QAK|Q1|OK||1|1|0",
        "QRD|20260704|R|I|Q1|||10^RD|77|DEM|X",
        "PID|1||77^^^HOSP^MR~4711^^^&1.2.276&ISO^PI||~^^^^^^U||202607020815+0000|F",
        "PV1|1|U|NICU^1^3^EAST||||||||||||||||V1^^^^VN",
    ]


def test_rsp_k22_echoes_the_parameters_and_tells_everybody_who_was_found() -> None:
    assert answer(qbp(), BOTH)[1:] == [
        "MSA|AA|7",
        "QAK|Q1|OK|Q22^Find Candidates^HL7|2|2|0",
        "QPD|Q22^Find Candidates^HL7|Q1|@PID.3.1^77",
        "PID|1||77^^^HOSP^MR~4711^^^&1.2.276&ISO^PI||~^^^^^^U||202607020815+0000|F",
        "QRI|||EXACT^everything that was asked for holds^L",
        "PID|2||77^^^OTHER^MR||~^^^^^^U",
        "QRI|||EXACT^everything that was asked for holds^L",
    ]


def test_rsp_zv2_tells_the_bed_too() -> None:
    lines = answer(qbp(kind="ZV1"), FOUND)
    assert "|RSP^ZV2^RSP_ZV2|" in lines[0]
    assert lines[-1] == "PV1|1|U|NICU^1^3^EAST||||||||||||||||V1^^^^VN"


@pytest.mark.parametrize(
    ("asked", "lines"),
    [
        (qry("2.3"), ["MSA|AA|7|nobody was found"]),
        (qry("2.3.1"), ["MSA|AA|7", "QAK|Q1|NF"]),
        (qbp(), ["MSA|AA|7", "QAK|Q1|NF|Q22^Find Candidates^HL7|0|0|0"]),
    ],
)
def test_nobody_is_an_answer_and_no_error(asked: Asked, lines: list[str]) -> None:
    written = answer(asked, Findings())
    assert written[1 : len(lines) + 1] == lines
    assert not any(line.startswith(("PID", "ERR")) for line in written)


def test_of_a_held_bed_nothing_is_told_but_the_reason() -> None:
    told = "bed NICU/1/3 is held (a device in this bed names another infant): nothing is told of who lies there"
    assert answer(qry(), HELD)[1:3] == [f"MSA|AA|7|{told}", "QAK|Q1|NF||0|0|0"]
    # MSA-3 is withdrawn as of 2.7.
    assert answer(qry("2.8"), HELD)[1:3] == ["MSA|AA|7", f"ERR|||0^Message accepted^HL70357|W||||{told}"]
    assert not any("77^^^HOSP" in line for line in answer(qry(), HELD))


def test_more_than_the_asker_takes_is_refused_since_the_first_would_look_like_all() -> None:
    with pytest.raises(MalformedMessage, match="2 infants are meant and 1 would be taken") as caught:
        answer(qry(), BOTH, Query(most=1))
    assert caught.value.code == "205"
    assert len(answer(qry(), BOTH, Query(most=2))) == 8


def test_a_refusal_is_of_the_same_kind_and_names_the_place() -> None:
    error = MalformedMessage("QPD-3", "nobody is looked up by @PID.5.1", code="103")
    lines = write_query_error(qbp(), Outcome.IN_ERROR, STAMP, error).decode().rstrip("\r").split("\r")
    assert lines[0].endswith("|RSP^K22^RSP_K21|A1|P|2.5")
    assert lines[1:] == [
        "MSA|AE|7|QPD-3: nobody is looked up by @PID.5.1",
        "ERR||QPD^1^3|103^Table value not found^HL70357|E||||nobody is looked up by @PID.5.1",
        "QAK|Q1|AE|Q22^Find Candidates^HL7|0|0|0",
        "QPD|Q22^Find Candidates^HL7|Q1|@PID.3.1^77",
    ]


@pytest.mark.parametrize(
    ("version", "structure"),
    [("2.4", "RSP_K22"), ("2.5", "RSP_K21"), ("2.5.1", "RSP_K21"), ("2.6", "RSP_K21"), ("2.8", "RSP_K22")],
)
def test_the_structure_of_rsp_k22_is_that_of_its_version(version: str, structure: str) -> None:
    assert f"|RSP^K22^{structure}|" in answer(qbp(version), FOUND)[0]


@pytest.mark.parametrize("version", ["2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8", "2.8.2", "2.9"])
def test_an_answer_is_written_for_every_version(version: str) -> None:
    for asked in (qry(version), qbp(version), qbp(version, "ZV1")):
        assert sum(line.startswith("PID|") for line in answer(asked, BOTH)) == 2


@pytest.mark.parametrize(
    "asked", [qry("2.3.1"), qry("2.4"), qry("2.5"), qry("2.6"), qbp("2.5"), qbp("2.6"), qbp("2.8")]
)
def test_hl7apy_finds_the_whole_answer_valid_by_the_standard(asked: Asked) -> None:
    written = "".join(f"{line}\r" for line in answer(asked, FOUND))
    read = parse_message(written, validation_level=VALIDATION_LEVEL.STRICT)
    assert read.validate()
    assert read.to_er7().rstrip("\r") == written.rstrip("\r")


def test_the_answer_is_in_the_asker_s_signs() -> None:
    raw = b"MSH#*+!%#MON#NICU###20260704##QRY*A19#7#P#2.4\rQRD#20260704#R#I#Q1###10*RD#77#DEM#X"
    message = parse(raw)
    assert answer(asked_by(message, address(message), ("QRY", "A19")), FOUND)[-2:] == [
        "PID#1##77***HOSP*MR+4711***%1.2.276%ISO*PI##+******U##202607020815!R!0000#F",
        "PV1#1#U#NICU*1*3*EAST################V1****VN",
    ]


def test_the_answer_switches_to_japanese_as_the_query_did() -> None:
    asked = qry("2.5", charset="||||||~ISO IR87||ISO 2022-1994", codec="iso2022_jp")
    here = Findings((Found(Infant((PatientId("9", "奥病院", "PI"),)), BedId("新生児/含/3")),))
    assert answer(asked, here)[-2:] == ["PID|1||9^^^奥病院^PI||~^^^^^^U", "PV1|1|U|新生児^含^3"]


def test_a_number_that_the_asker_s_characters_cannot_write_is_not_told() -> None:
    here = Findings((Found(Infant((PatientId("九"),)), BedId("NICU/1/3")),))
    with pytest.raises(MalformedMessage, match="characters that this set does not have") as caught:
        answer(qry(charset="||||||8859/1", codec="iso8859-1"), here)
    assert caught.value.code == "207"


def test_signs_of_the_encoding_within_a_number_are_escaped() -> None:
    odd = Infant((PatientId("7|7^7", "H&S"),))
    told = answer(qry(), Findings((Found(odd, BedId("NICU/1/3")),)))[4]
    assert told == r"PID|1||7\F\7\S\7^^^H\T\S^MR||~^^^^^^U"


def test_what_hl7apy_does_not_read_as_it_was_written_is_not_told() -> None:
    broken = replace(ANNA, visit="V1\rPID|9")
    with pytest.raises(MalformedMessage, match="PV1: what was written would not be valid, and is not sent") as caught:
        answer(qry(), Findings((Found(broken, BedId("NICU/1/3")),)))
    assert caught.value.code == "207"


def test_a_birth_day_is_that_of_the_zone_and_a_birth_time_carries_its_offset() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    by_day = Infant(ANNA.identifiers[:1], born=datetime(2026, 7, 1, 22, 0, tzinfo=UTC))
    by_time = Infant(ANNA.identifiers[:1], born=datetime(2026, 7, 1, 22, 30, tzinfo=UTC))
    told = [
        answer(qry(), Findings((Found(one, BedId("NICU/1/3")),)), zone=berlin)[4].split("|")[7]
        for one in (by_day, by_time)
    ]
    assert told == ["20260702", "202607020030+0200"]
