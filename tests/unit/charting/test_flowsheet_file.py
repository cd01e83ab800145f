"""The site's flowsheet file: what it means, and what is refused with its key."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from neopain.charting.flowsheet_file import EXAMPLE, parse_flowsheet, read_flowsheet
from neopain.codecs.hl7v2.flowsheet import Acknowledgement, Authority, Coded, Flowsheet, Missing, Row, ValueType
from neopain.errors import ConfigurationError

HEAD = """
name = "east"

[interface]
receiving_application = "EPIC"

[[authority]]
census = "HOSP"
sent = "EPI"
"""
SCORE = """
[[row]]
value = "score"
code = "3001"
missing = "reason"
"""
FULL = """
name = "east"

[interface]
sending_application = "NEO"
sending_facility = "EAST"
receiving_application = "EPIC"
receiving_facility = "EAST"
acknowledgement = "accept"
charset = "8859/1"
zone = "Europe/Berlin"
patient_class = "I"
entered_in_error = "W"
service = { code = "PAIN", text = "Pain", system = "L" }

[[authority]]
census = "HOSP"
sent = "1.2.840.1"
type = "MR"

[[authority]]
census = "OTHER"
sent = "OTH"

[[row]]
value = "nips"
code = "98012-8"
text = "Total score NIPS"
system = "LN"
type = "ST"
decimals = 0

[[row]]
value = "time-above-threshold"
code = "3006"
unit = "min"
unit_sent = { code = "Min." }
missing = "reason"
words = { not-known = "unbekannt" }

[[row]]
value = "reason"
code = "3009"
words = { deep-sedation = "nicht beurteilbar: für Säuglinge" }
"""


def parsed(text: str) -> Flowsheet:
    return parse_flowsheet(text, file="flowsheet.toml")


def refused(text: str) -> str:
    with pytest.raises(ConfigurationError) as error:
        parsed(text)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_a_file_says_is_what_is_sent() -> None:
    assert parsed(FULL) == Flowsheet(
        name="east",
        sender=("NEO", "EAST"),
        receiver=("EPIC", "EAST"),
        authorities={"HOSP": Authority("1.2.840.1", "MR"), "OTHER": Authority("OTH", "")},
        rows=(
            Row(
                "nips",
                Coded("98012-8", "Total score NIPS", "LN"),
                ValueType.STRING,
                "{score}",
                Coded("{score}", "", "UCUM"),
                0,
            ),
            Row(
                "time-above-threshold",
                Coded("3006"),
                ValueType.NUMBER,
                "min",
                Coded("Min."),
                0,
                Missing.REASON,
                {"not-known": "unbekannt"},
            ),
            Row(
                "reason",
                Coded("3009"),
                ValueType.STRING,
                decimals=0,
                words={"deep-sedation": "nicht beurteilbar: für Säuglinge"},
            ),
        ),
        acknowledgement=Acknowledgement.ACCEPT,
        charset="8859/1",
        codec="iso8859-1",
        zone=ZoneInfo("Europe/Berlin"),
        service=Coded("PAIN", "Pain", "L"),
        patient_class="I",
        retraction="W",
    )


def test_the_least_file_awaits_the_application_and_writes_utc_and_utf_8() -> None:
    sheet = parsed(HEAD + SCORE)

    assert (sheet.acknowledgement, sheet.codec, str(sheet.zone)) == (Acknowledgement.APPLICATION, "utf-8", "UTC")
    assert sheet.rows == (
        Row(
            "score",
            Coded("3001"),
            ValueType.NUMBER,
            "{score}",
            Coded("{score}", "", "UCUM"),
            1,
            Missing.REASON,
        ),
    )


def test_the_example_is_a_flowsheet() -> None:
    assert read_flowsheet(EXAMPLE).name == "example"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEAD + SCORE + "valu = 3", "key row.1.valu: not known"),
        (HEAD + SCORE + "decimals = '1'", "key row.1.decimals: Input should be a valid integer"),
        (HEAD + SCORE + "decimals = 4", "key row.1.decimals: Input should be less than or equal to 3"),
        (HEAD + SCORE.replace('"score"', '"pain"'), "key row.1.value: there are the values score, nips, interval-low,"),
        (HEAD + SCORE.replace('"3001"', '"30\\u000b01"'), "key row.1.code: Input should be printable"),
        (HEAD + SCORE.replace('"3001"', '""'), "key row.1.code: String should have at least 1 character"),
        (HEAD + SCORE + "type = 'CWE'", "key row.1.type: Input should be 'NM', 'ST' or 'TX'"),
        (HEAD + SCORE + "unit = 'min'", "key row.1.unit: score can be in {score}"),
        (HEAD + SCORE.replace('"reason"', '"zero"'), "key row.1.missing: Input should be 'omit' or 'reason'"),
        (HEAD + SCORE.replace("3001", "98012-8"), "key row.1.code: 98012-8 carries the NIPS equivalent of 0 to 7 only"),
        (HEAD + SCORE + SCORE, "row 3001 of no system is there twice"),
        (HEAD + SCORE.replace('missing = "reason"', ""), "no row tells why there is no number"),
        (HEAD + "[[row]]\nvalue = 'reason'\ncode = '1'", "no row has the value score or nips"),
        (
            HEAD + SCORE + "[[row]]\nvalue = 'reason'\ncode = '1'\ntype = 'NM'",
            "key row.2.type: reason is a text, not NM",
        ),
        (
            HEAD + SCORE + "[[row]]\nvalue = 'note'\ncode = '1'\ntype = 'ST'",
            "key row.2.type: note may be longer than the 199 characters of ST: TX",
        ),
        (
            HEAD + SCORE + "[[row]]\nvalue = 'note'\ncode = '1'\ndecimals = 1",
            "key row.2.decimals: note is a text",
        ),
        (
            HEAD + SCORE + "[[row]]\nvalue = 'peak'\ncode = '1'\nwords = { a = 'b' }",
            'key row.2.words: a number has words only with missing = "reason"',
        ),
        (
            HEAD.replace('"EPIC"', '"EPIC"\nzone = "Mars/Base"') + SCORE,
            "key interface.zone: Input should be an IANA time zone",
        ),
        (
            HEAD.replace('"EPIC"', '"EPIC"\ncharset = "EBCDIC"') + SCORE,
            "key interface.charset: there are the character sets ASCII, 8859/1",
        ),
        (
            HEAD.replace('"EPIC"', '"EPIC"\ncharset = "ASCII"') + SCORE + "text = 'Schmerz für'",
            "key row.1.text: has characters that ASCII does not have",
        ),
        (
            HEAD.replace('"EPIC"', '"EPIC"\nentered_in_error = "X"') + SCORE,
            "key interface.entered_in_error: Input should be 'D' or 'W'",
        ),
        (HEAD.replace("receiving_application", "receiver") + SCORE, "key interface.receiving_application: Field req"),
        (HEAD + "[[authority]]\ncensus = 'HOSP'\nsent = 'X'" + SCORE, "authority HOSP is there twice"),
        (HEAD, "key row: Field required"),
        ("row = 3", "key name: Field required"),
        ("name = \n", "Invalid value (at line 1"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line_with_its_key(text: str, told: str) -> None:
    assert told in refused(text)
    assert refused(text).startswith("flowsheet.toml: ")


def test_the_words_that_are_replaced_need_not_be_in_the_character_set() -> None:
    head = HEAD.replace('"EPIC"', '"EPIC"\ncharset = "ASCII"')

    assert parsed(head + SCORE + "words = { 'später' = 'later' }").rows[0].words == {"später": "later"}


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read as UTF-8"):
        read_flowsheet(tmp_path / "none.toml")
