"""What receivers answer, as it is told: codes and places apart from words that may name a patient."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neopain.codecs.hl7v2.acknowledgement import Answer, read_answer
from neopain.errors import MalformedMessage

MSH = r"MSH|^~\&|EPIC|EAST|NEOPAIN|EAST|20261005121521||ACK^R01^ACK|E1|P|2.5.1"


def answered(*lines: str) -> Answer:
    return read_answer("\r".join((MSH, *lines, "")).encode())


@pytest.mark.parametrize(
    ("code", "is_taken", "is_of_application"),
    [
        ("AA", True, True),
        ("CA", True, False),
        ("AE", False, True),
        ("AR", False, True),
        ("CE", False, False),
        ("CR", False, False),
    ],
)
def test_the_codes_of_table_0008(code: str, is_taken: bool, is_of_application: bool) -> None:
    answer = answered(f"MSA|{code}|N123")

    assert (answer.about, answer.is_taken, answer.is_of_application) == ("N123", is_taken, is_of_application)


def test_an_error_is_told_by_code_and_place_and_its_words_are_kept_apart() -> None:
    answer = answered(
        "MSA|AE|N123|flowsheet row 3001 of DOE, JANE unknown",
        r"ERR||OBX^2^3|103^Table value not found^HL70357|E|FLO-17|||row 3001 of DOE\T\JANE unknown",
    )

    assert str(answer) == "AE, 103 (FLO-17) at OBX[2]-3"
    assert (
        answer.words == "flowsheet row 3001 of DOE, JANE unknown; Table value not found; row 3001 of DOE&JANE unknown"
    )


def test_an_error_as_before_version_2_5_is_read_too() -> None:
    answer = answered("MSA|AR|N123", "ERR|PID^1^3^204&unknown patient&HL70357")

    assert str(answer) == "AR, 204 at PID[1]-3"
    assert answer.words == "unknown patient"


def test_free_text_where_a_code_belongs_is_not_told_as_one() -> None:
    answer = answered("MSA|AE|N123", "ERR||JANE DOE|patient JANE DOE is unknown||DOE JANE")

    assert "DOE" not in str(answer)
    assert str(answer) == "AE"


@pytest.mark.parametrize(
    ("lines", "is_later"),
    [
        (["ERR|||206^Application record locked^HL70357|E"], True),
        (["ERR|||206^locked^HL70357|E", "ERR|||103^unknown^HL70357|E"], False),
        (["ERR|||207^Application internal error^HL70357|E"], False),
        ([], False),
    ],
    ids=["locked", "locked and unknown", "internal", "nothing told"],
)
def test_only_a_locked_record_may_be_taken_later(lines: list[str], is_later: bool) -> None:
    assert answered("MSA|AE|N123", *lines).may_be_taken_later is is_later


@pytest.mark.parametrize(
    ("line", "place"), [("ZZZ|1", "MSA"), ("MSA|OK|N123", "MSA-1"), ("MSA||N123", "MSA-1"), ("MSA|AA|", "MSA-2")]
)
def test_what_says_nothing_is_no_acknowledgement(line: str, place: str) -> None:
    with pytest.raises(MalformedMessage) as refused:
        answered(line)

    assert refused.value.location == place


@given(raw=st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_malformed(raw: bytes) -> None:
    try:
        read_answer(MSH.encode() + b"\r" + raw)
    except MalformedMessage as error:
        assert error.location  # noqa: PT017 - either is right
