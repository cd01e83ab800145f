"""What is kept of earlier messages changes nothing of what is read in later ones, and stays within its bounds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from neopain.codecs.hl7v2 import ack, form, header, identity, message, observation
from neopain.codecs.hl7v2.codes import BUILT_IN
from neopain.codecs.hl7v2.header import read_header
from neopain.codecs.hl7v2.message import Delimiters, parse
from neopain.codecs.hl7v2.observation import dialect_of
from neopain.codecs.hl7v2.pcd01 import read_reports
from neopain.errors import MalformedMessage

DELIMITERS = Delimiters()
STAMP = ack.Stamp("0815", datetime(2026, 7, 4, 12, tzinfo=UTC))

HEADS = st.sampled_from(
    [
        r"MSH|^~\&|MON|NICU|||20260704120005+0200||ORU^R01|4711|P|2.6|||NE|AL",
        r"MSH|^~\&|MON|NICU|||20260704120006||ORU^R01|4712|D|2.3",
        r"MSH|^~\&|MON|PICU|||20260704120006||ORU^R01|4712|D|2.3||||||8859/1",
        r"MSH|^~\&|MON|NICU|||||ORU^R01|4712|X|2.6",
        r"MSH|#~\&|MON|NICU|||20260704120006||ORU#R01|4712|D|2.3",
        r"MSH|^~|MON|NICU|||20260704120006||ORU^R01|4712|D|2.3",
        r"MSH|^^|MON",
    ]
)
OBX = st.builds(
    "|".join,
    st.tuples(
        st.just("OBX|1"),
        st.sampled_from(["NM", "SN", "NA", "ST", ""]),
        st.sampled_from(
            ["147842^MDC_ECG_HEART_RATE^MDC", "147842#X#MDC", "147842^MDC_RESP_RATE^MDC", "150344", "X^Y^Z"]
        ),
        st.just("1.1"),
        st.sampled_from(["142", "97.5", ">^32", "-1", "", "x"]),
        st.sampled_from(["", "/min", "%", "264864^MDC_DIM_BEAT_PER_MIN^MDC", "264864#MDC_DIM_BEAT_PER_MIN#MDC"]),
        st.just(""),
        st.sampled_from(["", "INV", "QUES~L"]),
        st.just("|"),
        st.sampled_from(["R", "", "X"]),
        st.just("|"),
        st.sampled_from(["", "20260704120001.5", "20260704120001.5+0200", "2026"]),
    ),
)
OTHERS = st.sampled_from(
    [
        "PID|||77^^^HOSP^MR",
        "PID|||77#^^HOSP^MR",
        "PID|||\ufffd^^^HOSP^MR",
        "PV1||I|NICU^1^3",
        "PV1||I|NICU#1#3",
        "PV1||I|\ufffd^1^3",
        "OBR|1||||||20260704120000",
        "OBX",
    ]
)
MESSAGES = st.builds(lambda head, lines: "\r".join([head, *lines]).encode(), HEADS, st.lists(OBX | OTHERS, max_size=6))


def forget() -> None:
    for kept in KEPT:
        kept.cache_clear()


BY_LONG_TEXTS: tuple[Any, ...] = (
    header._of_its_sender,
    ack._of_its_sender,
    ack._msh_parts,
    identity._patients_in,
    identity._bed_in,
)
KEPT: tuple[Any, ...] = (
    *BY_LONG_TEXTS,
    message._known_delimiters,
    message._begins_segment,
    message._segment_break,
    observation.dialect_of,
    form.forms_of,
)


def all_of(raw: bytes) -> object:
    """All that is read of a message, or how it is refused."""
    try:
        parsed = parse(raw)
        read = read_header(parsed)
        to = ack.address(parsed)
        answer = ack.write_ack(to, ack.Outcome.ACCEPTED, STAMP)
        return to, answer, read, read_reports(parsed, read, site_zone=UTC)
    except MalformedMessage as error:
        return error.code, str(error)


@settings(max_examples=100, deadline=None)
@given(st.lists(MESSAGES, min_size=1, max_size=5))
def test_a_message_reads_the_same_whatever_came_before_it(raws: list[bytes]) -> None:
    forget()
    after_others = [all_of(raw) for raw in [*raws, *raws]]
    alone = []
    for raw in raws:
        forget()
        alone.append(all_of(raw))
    assert after_others == [*alone, *alone]


def test_codes_without_end_leave_a_bounded_number_of_meanings() -> None:
    forget()
    for number in range(5000):
        dialect_of(DELIMITERS, BUILT_IN).meaning_of(("NM", f"{number}^X^99X", "", "", "R"))
    assert len(dialect_of(DELIMITERS, BUILT_IN).kept) <= 2048


def test_whole_observations_without_end_leave_a_bounded_number_of_meanings() -> None:
    forget()
    lines = "\r".join(f"OBX|1|NM|{number}^X^99X||142|/min|||||R" for number in range(5000))
    parsed = parse((r"MSH|^~\&|MON|NICU|||20260704120005||ORU^R01|4711|P|2.6" + f"\r{lines}").encode())
    read_reports(parsed, read_header(parsed), site_zone=UTC)
    assert 0 < len(dialect_of(DELIMITERS, BUILT_IN).kept_untimed) <= 2048


def test_a_meaning_found_after_the_kept_ones_were_dropped_is_the_same() -> None:
    forget()
    dialect = dialect_of(DELIMITERS, BUILT_IN)
    sent = ("NM", "147842^MDC_ECG_HEART_RATE^MDC", "/min", "", "R")
    before = dialect.meaning_of(sent)
    for number in range(2048):
        dialect.meaning_of(("NM", f"{number}^X^99X", "", "", "R"))
    assert sent not in dialect.kept
    assert dialect.meaning_of(sent) == before


def test_delimiters_without_end_leave_a_bounded_number_of_dialects() -> None:
    forget()
    for sign in "!\"#$%'()*+,-./:;<=>?@[]_`{}":
        dialect_of(Delimiters(component=sign), BUILT_IN)
    assert dialect_of.cache_info().currsize == 4


def test_a_text_that_is_too_long_is_read_and_not_kept() -> None:
    forget()
    long = "7" * 600
    lines = (
        rf"MSH|^~\&|{long}|NICU|||20260704120005||ORU^R01|4711|P|2.6",
        f"PID|||{long}",
        f"PV1||I|{long}",
        f"OBX|1|NM|{long}^X^99X||142||",
    )
    parsed = parse("\r".join(lines).encode())
    read = read_header(parsed)
    (found,) = read_reports(parsed, read, site_zone=UTC)
    assert (found.bed, found.patient and found.patient.value) == (f"{long}//", long)
    assert long.encode() in ack.write_ack(ack.address(parsed), ack.Outcome.ACCEPTED, STAMP)
    sizes = [kept.cache_info().currsize for kept in BY_LONG_TEXTS]
    dialect = dialect_of(DELIMITERS, BUILT_IN)
    assert (sizes, dialect.kept, dialect.kept_untimed) == ([0, 0, 0, 0, 0], {}, {})
