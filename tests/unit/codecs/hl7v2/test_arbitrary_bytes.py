"""Whatever bytes arrive, they are read or refused with their place; nothing else ever happens."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from neopain.codecs.hl7v2.ack import Outcome, Stamp, address, write_ack
from neopain.codecs.hl7v2.adt import read_adt
from neopain.codecs.hl7v2.header import read_header
from neopain.codecs.hl7v2.message import parse
from neopain.codecs.hl7v2.pcd01 import read_reports
from neopain.codecs.mllp import Decoder, encode
from neopain.errors import MalformedMessage

NOW = datetime(2026, 7, 4, 12, 0, tzinfo=UTC)
GOOD = (
    b"MSH|^~\\&|MON|NICU|||20260704120005+0200||ADT^A01^ADT_A01|4711|P|2.6\rEVN|A01|20260704115900+0200\r"
    b"PID|||77^^^HOSP^MR||X^Y||20260702|F\rPV1||I|NICU^1^3\rOBR|1||||||20260704120000+0200\r"
    b"OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|1.1.1.1|142|264864^MDC_DIM_BEAT_PER_MIN^MDC||TEST~QUES|||R|||20260704120001\r"
    b"OBX|2|SN|18185-9^GA^LN||>^32|wk\r"
)

grammar = st.lists(
    st.sampled_from(
        [
            *(bytes([sign]) for sign in b"|^~\\&\r\n\x00\x0b\x1c0159+-.XPMSHOBRVI\xff\xc3"),
            b"MSH|^~\\&|",
            b"OBX|",
            b"PID|",
        ]
    ),
    max_size=60,
).map(b"".join)


def read_all(raw: bytes) -> None:
    """Reads the bytes as every message there is and answers them."""
    message = parse(raw)
    answer = write_ack(address(message), Outcome.ACCEPTED, Stamp("1", NOW), MalformedMessage("PV1-3", "x"))
    if answer:
        assert len(Decoder().feed(encode(answer))) == 1
        assert parse(answer).header.text(9) == "ACK"
    with contextlib.suppress(MalformedMessage):
        read_reports(message, read_header(message), site_zone=UTC)
    with contextlib.suppress(MalformedMessage):
        read_adt(message, read_header(message), site_zone=UTC, received=NOW)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=300) | grammar | grammar.map(lambda more: GOOD + more))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with contextlib.suppress(MalformedMessage):
        read_all(raw)


@settings(max_examples=500, deadline=None)
@given(at=st.integers(0, len(GOOD)), length=st.integers(0, 30), news=st.binary(max_size=10) | grammar)
def test_a_good_message_damaged_anywhere_is_read_or_refused(at: int, length: int, news: bytes) -> None:
    with contextlib.suppress(MalformedMessage):
        read_all(GOOD[:at] + news + GOOD[at + length :])


@settings(max_examples=500, deadline=None)
@given(grammar.map(lambda more: GOOD + more.replace(b"\n", b"")))
def test_segments_that_end_with_cr_alone_are_those_that_end_with_crlf(raw: bytes) -> None:
    def fields(sent: bytes) -> list[list[str]] | str:
        try:
            return [[one.replace("\r\n", "\r") for one in segment.fields] for segment in parse(sent).segments]
        except MalformedMessage as error:
            return str(error)

    assert fields(raw) == fields(raw.replace(b"\r", b"\r\n"))
