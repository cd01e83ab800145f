"""Forms of messages: what is read by one is what is read without, and what has none has none."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neopain.codecs.hl7v2 import form as forms_module
from neopain.codecs.hl7v2.codes import BUILT_IN
from neopain.codecs.hl7v2.form import forms_of
from neopain.codecs.hl7v2.header import read_header
from neopain.codecs.hl7v2.message import Delimiters, parse
from neopain.codecs.hl7v2.pcd01 import VitalsReport, read_reports
from neopain.errors import MalformedMessage

HEAD = r"MSH|^~\&|MON|NICU|||20260704120005+0200||ORU^R01|4711|P|2.6"
PID, PV1 = "PID|||77^^^HOSP^MR", "PV1||I|NICU^1^3"
OBR = "OBR|1||||||20260704120000"
HR = "OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|1.1|142|/min|||||R"
PULSE = "OBX|2|NM|149530^MDC_PULS_OXIM_PULS_RATE^MDC|1.2|139|/min|||||R"
SPO2 = "OBX|3|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.3|97.5|%|||||R"
TEMP = "OBX|4|NM|150344^MDC_TEMP^MDC|1.4|36.9|Cel|||||R"
OTHER = "OBX|5|NM|4711^MY_OWN^99X|1.5|1|x|||||R"
WHOLE = [PID, PV1, OBR, HR, PULSE, SPO2, TEMP, OTHER]


@pytest.fixture(autouse=True)
def nothing_learned() -> None:
    forms_of.cache_clear()


def read(lines: list[str], *, end: str = "\r") -> tuple[VitalsReport, ...]:
    message = parse(end.join([HEAD, *lines]).encode())
    return read_reports(message, read_header(message), site_zone=UTC)


def read_alone(lines: list[str]) -> tuple[VitalsReport, ...]:
    forms_of.cache_clear()
    return read(lines)


def is_filled(lines: list[str], *, end: str = "\r") -> bool:
    """Whether a form that was learned before is that of the message."""
    return forms_of(Delimiters(), BUILT_IN).fill(parse(end.join([HEAD, *lines]).encode())) is not None


def with_line(number: int, old: str, new: str) -> list[str]:
    return [line.replace(old, new) if place == number else line for place, line in enumerate(WHOLE)]


FILLED = {
    "another number": with_line(3, "142", "151.5"),
    "another infant": with_line(0, "77^^^HOSP", "78^^^GH"),
    "another bed": with_line(1, "^1^3", "^2^4"),
    "another time": with_line(2, "120000", "120001.5+0000"),
    "another order number": with_line(2, "OBR|1|", "OBR|1|4711"),
    "another sub-id, which nobody reads": with_line(3, "1.1", "1.7"),
    "a temperature, which nobody reads, that is none": with_line(6, "36.9", "cold"),
    "no infant": with_line(0, "77^^^HOSP^MR", ""),
    "a time that is none": with_line(2, "20260704120000", "now"),
}
OTHERS = {
    "another code": with_line(3, "147842^MDC_ECG_HEART_RATE", "151562^MDC_RESP_RATE"),
    "another unit": with_line(5, "%", "1"),
    "another status": with_line(3, "|R", "|X"),
    "a flag": with_line(3, "/min||", "/min||INV"),
    "a time of its own": with_line(3, "|R", "|R|||20260704115959"),
    "an unknown code without a value": with_line(7, "|1|x", "||x"),
    "no number": with_line(3, "142", "---"),
    "a sign for no value": with_line(3, "142", "8388607"),
    "one line less": [*WHOLE[:3], *WHOLE[4:]],
    "one line more": [*WHOLE, HR],
    "a second infant": [*WHOLE, "PID|||88^^^HOSP^MR", HR],
    "another order": [*WHOLE[:3], *WHOLE[4:], WHOLE[3]],
    "a line in two": with_line(3, "|1.1|", "|1.1\rx|"),
    "a segment for a field": with_line(3, "|1.1|", "\rOBX|"),
}


@pytest.mark.parametrize("lines", FILLED.values(), ids=FILLED)
def test_a_message_of_the_same_form_is_filled_and_reads_as_without(lines: list[str]) -> None:
    expected = read_alone(lines)
    forms_of.cache_clear()
    read(WHOLE)
    assert is_filled(lines)
    assert read(lines) == expected


@pytest.mark.parametrize("lines", OTHERS.values(), ids=OTHERS)
def test_a_message_of_another_form_is_not_filled_and_reads_as_without(lines: list[str]) -> None:
    expected = read_alone(lines)
    forms_of.cache_clear()
    read(WHOLE)
    assert not is_filled(lines)
    assert read(lines) == expected


def test_of_two_numbers_of_one_kind_the_believable_one_is_kept_by_a_form_too() -> None:
    lines = [PV1, OBR, PULSE, HR]
    assert [one.value for one in read(lines)[0].readings] == [142.0]
    assert is_filled(lines)
    assert [one.value for one in read(lines)[0].readings] == [142.0]


def timed(pulse: str, saturation: str) -> list[str]:
    return [PV1, OBR, f"{PULSE}|||{pulse}", f"{SPO2}|||{saturation}", f"{OTHER}|||20260704115958"]


@pytest.mark.parametrize("time", ["20260704115959", "20260704110000+0000", "", "^", "now"])
def test_observations_that_have_one_time_of_their_own_have_a_form(time: str) -> None:
    expected = read_alone(timed(time, time))
    forms_of.cache_clear()
    read(timed("20260704115958", "20260704115958"))
    assert is_filled(timed(time, time))
    assert read(timed(time, time)) == expected


def test_observations_of_several_times_are_read_without_forms() -> None:
    read(timed("20260704115958", "20260704115958"))
    assert not is_filled(timed("20260704115958", "20260704115959"))
    assert len(read(timed("20260704115958", "20260704115959"))[0].readings) == 2


NEVER = {
    "two times": timed("20260704115958", "20260704115959"),
    "a time of the order and one of its own": [PV1, OBR, HR, f"{SPO2}|||20260704115959"],
    "a waveform": [PV1, OBR, HR, "OBX|2|NA|131330^MDC_ECG_ELEC_POTL_II^MDC|1.9|1^2^3"],
    "a structured number": [PV1, OBR, HR, SPO2.replace("|NM|", "|SN|").replace("97.5", ">^97")],
    "two infants": [PID, PV1, OBR, HR, PID, PV1, OBR, HR],
    "an order after numbers": [PV1, HR, OBR, SPO2],
    "nothing that counts": [PV1, OBR, TEMP],
    "a bare line": [PV1, OBR, HR, "OBX"],
}


@pytest.mark.parametrize("lines", NEVER.values(), ids=NEVER)
def test_such_a_message_has_no_form(lines: list[str]) -> None:
    assert read(lines) == read(lines)
    assert not is_filled(lines)


SIGNS = st.sampled_from(
    ["|", "\r", "\n", " \r", "^", "~", "&", "\\", "", "1", "---", "MSH|", "PID|", "\rOBX|", "\rOBR|"]
)
DAMAGE = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), SIGNS), min_size=1, max_size=3)


def damaged(text: str, damage: list[tuple[float, int, str]]) -> str:
    for share, gone, sign in damage:
        place = int(share * len(text))
        text = text[:place] + sign + text[place + gone :]
    return text


@settings(max_examples=60, deadline=None)
@given(DAMAGE)
def test_a_damaged_message_reads_the_same_with_forms_and_without(damage: list[tuple[float, int, str]]) -> None:
    lines = damaged("\r".join(WHOLE), damage).split("\r")
    forms_of.cache_clear()
    expected = outcome(lines)
    forms_of.cache_clear()
    read(WHOLE)
    assert outcome(lines) == expected
    assert outcome(lines) == expected


def outcome(lines: list[str]) -> object:
    """What a message says, or why it cannot be read."""
    try:
        return read(lines)
    except MalformedMessage as error:
        return error.code, str(error)


def test_lines_that_end_otherwise_are_read_without_forms() -> None:
    read(WHOLE)
    assert not is_filled(WHOLE, end="\r\n")


def test_forms_without_end_leave_a_bounded_number_of_them() -> None:
    for number in range(20):
        read([PV1, OBR, HR.replace("142", str(number)), OTHER.replace("4711", str(number))])
    for number in range(40):
        read([PV1, OBR, HR, *[TEMP] * number])
    kept = forms_of(Delimiters(), BUILT_IN).kept
    assert len(kept) <= 32
    assert max(len(one) for one in kept.values()) <= 8


def test_a_message_that_is_too_long_leaves_no_form() -> None:
    read([PV1, OBR, HR, f"NTE|1||{'x' * forms_module.LONGEST}"])
    assert forms_of(Delimiters(), BUILT_IN).kept == {}
