"""The answer: in the mode the sender asked for, naming its message and the place of the fault."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

from neopain.codecs.hl7v2.ack import Outcome, Stamp, acknowledgement_code, address, outcome_of, write_ack
from neopain.codecs.hl7v2.message import parse
from neopain.errors import MalformedMessage

STAMP = Stamp("A1", datetime(2026, 7, 4, 12, 0, 0, 250000, tzinfo=UTC))
SENT = rb"MSH|^~\&|MON^12^EUI-64|NICU|HUB|GH|20260704120000||ORU^R01^ORU_R01|77|T|2.6"
NO_BED = MalformedMessage("PV1-3", "the bed is required", code="101")


@pytest.mark.parametrize(
    ("accept", "application", "accepted", "in_error"),
    [
        ("", "", "AA", "AE"),
        ("AL", "NE", "CA", "CE"),
        ("NE", "AL", "AA", "AE"),
        ("AL", "AL", "CA", "CE"),
        ("AL", "", "CA", "CE"),
        ("", "AL", "AA", "AE"),
        ("NE", "NE", "", ""),
        ("ER", "NE", "", "CE"),
        ("SU", "NE", "CA", ""),
        ("ER", "SU", "AA", "CE"),
        ("XX", "", "CA", "CE"),
    ],
)
def test_msh_15_and_16_choose_mode_and_occasion(accept: str, application: str, accepted: str, in_error: str) -> None:
    assert acknowledgement_code((accept, application), Outcome.ACCEPTED) == accepted
    assert acknowledgement_code((accept, application), Outcome.IN_ERROR) == in_error


def test_an_acceptance_names_the_message_and_swaps_sender_and_receiver() -> None:
    assert write_ack(address(parse(SENT)), Outcome.ACCEPTED, STAMP) == (
        b"MSH|^~\\&|HUB|GH|MON^12^EUI-64|NICU|20260704120000.250+0000||ACK^R01^ACK|A1|T|2.6\rMSA|AA|77\r"
    )


def test_a_refusal_names_place_code_and_rule() -> None:
    assert write_ack(address(parse(SENT)), Outcome.IN_ERROR, STAMP, NO_BED).split(b"\r")[1:] == [
        b"MSA|AE|77|PV1-3: the bed is required",
        b"ERR||PV1^1^3|101^Required field missing^HL70357|E||||the bed is required",
        b"",
    ]


@pytest.mark.parametrize(
    ("location", "written"),
    [
        ("OBX[3]-5", b"OBX^3^5"),
        ("OBX[3]-5.1", b"OBX^3^5^1^1"),
        ("PID", b"PID^1"),
        ("MSH[2]", b"MSH^2"),
        ("MSH-9.2", b"MSH^1^9^1^2"),
    ],
)
def test_a_place_is_written_as_an_error_location(location: str, written: bytes) -> None:
    answer = write_ack(address(parse(SENT)), Outcome.IN_ERROR, STAMP, MalformedMessage(location, "x"))
    assert answer.split(b"\r")[2].split(b"|")[2] == written


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (NO_BED, Outcome.IN_ERROR),
        (MalformedMessage("OBX[1]-5", "x", code="102"), Outcome.IN_ERROR),
        (MalformedMessage("MSH", "no MSH", code="100"), Outcome.REJECTED),
        (MalformedMessage("MSH-9", "x", code="200"), Outcome.REJECTED),
        (MalformedMessage("MSH-12", "x", code="203"), Outcome.REJECTED),
    ],
)
def test_a_bad_header_is_rejected_and_bad_content_is_an_error(error: MalformedMessage, outcome: Outcome) -> None:
    assert outcome_of(error) is outcome


def test_the_answer_is_written_in_the_sender_s_delimiters() -> None:
    answer = write_ack(address(parse(b"MSH#*+!%#MON##HUB###20#ORU*R01#7#P#2.4")), Outcome.IN_ERROR, STAMP, NO_BED)
    assert answer.split(b"\r")[2] == b"ERR##PV1*1*3#101*Required field missing*HL70357#E####the bed is required"


def test_the_answer_is_written_in_the_sender_s_character_set() -> None:
    sent = "MSH|^~\\&|Mönitor||||||ORU^R01|7|P|2.6||||||8859/1".encode("iso8859-1")
    assert b"|M\xf6nitor|" in write_ack(address(parse(sent)), Outcome.ACCEPTED, STAMP)


def test_the_answer_switches_to_japanese_and_back_as_the_message_did() -> None:
    sent = "MSH|^~\\&|監視||||||ORU^R01|7|P|2.5||||||~ISO IR87||ISO 2022-1994".encode("iso2022_jp")
    header = write_ack(address(parse(sent)), Outcome.ACCEPTED, STAMP).split(b"\r")[0]
    assert b"|\x1b$B4F;k\x1b(B|" in header
    assert header.endswith(b"|A1|P|2.5||||||~ISO IR87||ISO 2022-1994")


def test_an_answer_to_an_enhanced_mode_message_asks_for_no_answer() -> None:
    answer = write_ack(address(parse(SENT + b"|||AL|NE")), Outcome.ACCEPTED, STAMP)
    assert answer.split(b"\r")[0].endswith(b"|T|2.6|||NE|NE")


def test_a_line_break_in_the_header_does_not_break_the_answer() -> None:
    answer = write_ack(address(parse(b"MSH|^~\\&|MON\nITOR||||||ORU^R01|7\n7|P|2.6")), Outcome.ACCEPTED, STAMP)
    assert answer.split(b"\r")[1] == b"MSA|AA|7 7"


def test_what_is_no_message_is_rejected_without_a_control_id() -> None:
    from neopain.codecs.hl7v2.ack import Addressing

    error = MalformedMessage("MSH", "the message must begin with an MSH segment", code="100")
    lines = write_ack(Addressing(), Outcome.REJECTED, STAMP, error).split(b"\r")
    assert lines[0] == b"MSH|^~\\&|NEOPAIN||||20260704120000.250+0000||ACK|A1|P|2.6"
    assert lines[1] == b"MSA|AR||MSH: the message must begin with an MSH segment"


@pytest.mark.parametrize(
    ("version", "msa"),
    [
        ("2.6", b"MSA|AE|77|PV1-3: the bed is required"),
        ("2.7", b"MSA|AE|77"),
        ("2.7.1", b"MSA|AE|77"),
        ("2.9", b"MSA|AE|77"),
        ("new", b"MSA|AE|77|PV1-3: the bed is required"),
    ],
)
def test_from_2_7_on_the_rule_stands_in_err_8_alone(version: str, msa: bytes) -> None:
    answer = write_ack(address(parse(SENT.replace(b"2.6", version.encode()))), Outcome.IN_ERROR, STAMP, NO_BED)
    assert answer.split(b"\r")[1] == msa
    assert answer.split(b"\r")[2].endswith(b"|the bed is required")


def test_a_delimiter_that_stands_in_a_time_is_escaped() -> None:
    answer = write_ack(address(parse(b"MSH#*+!%#MON##HUB###20#ORU*R01#7#P#2.4")), Outcome.ACCEPTED, STAMP)
    assert answer.split(b"\r")[0] == b"MSH#*+!%#HUB##MON##20260704120000.250!R!0000##ACK*R01*ACK#A1#P#2.4"
    assert parse(answer).header.text(7) == "20260704120000.250+0000"


@pytest.mark.parametrize("version", ["2.3", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8"])
def test_hl7apy_reads_our_answer_to_every_version(version: str) -> None:
    sent = SENT.replace(b"2.6", version.encode())
    answer = write_ack(address(parse(sent)), Outcome.IN_ERROR, STAMP, NO_BED).decode()
    read = parse_message(answer, validation_level=VALIDATION_LEVEL.TOLERANT)
    assert (read.msa.msa_1.to_er7(), read.msa.msa_2.to_er7(), read.msh.msh_12.to_er7()) == ("AE", "77", version)


@pytest.mark.parametrize("version", ["2.5", "2.5.1", "2.6"])
def test_hl7apy_finds_our_answer_valid_by_the_standard(version: str) -> None:
    sent = SENT.replace(b"2.6", version.encode())
    answer = write_ack(address(parse(sent)), Outcome.IN_ERROR, STAMP, NO_BED).decode()
    assert parse_message(answer, validation_level=VALIDATION_LEVEL.STRICT).validate()
