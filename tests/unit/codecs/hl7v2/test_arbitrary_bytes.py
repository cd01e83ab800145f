"""Whatever bytes arrive, they are read or refused with their place; nothing else ever happens."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from hypothesis import example, given, settings
from hypothesis import strategies as st

from neopain.codecs.drug_codes import DrugCodes
from neopain.codecs.hl7v2.ack import Outcome, Stamp, address, write_ack
from neopain.codecs.hl7v2.adt import read_adt
from neopain.codecs.hl7v2.drugs import read_drugs
from neopain.codecs.hl7v2.header import Header, read_header
from neopain.codecs.hl7v2.message import Message, parse
from neopain.codecs.hl7v2.pcd01 import read_reports
from neopain.codecs.hl7v2.pcim import read_association
from neopain.codecs.hl7v2.query import FORMS, read_query
from neopain.codecs.mllp import Decoder, encode
from neopain.errors import MalformedMessage

NOW = datetime(2026, 7, 4, 12, 0, tzinfo=UTC)
GOOD = (
    b"MSH|^~\\&|MON|NICU|||20260704120005+0200||ADT^A01^ADT_A01|4711|P|2.6\rEVN|A01|20260704115900+0200\r"
    b"PID|||77^^^HOSP^MR||X^Y||20260702|F\rPV1||I|NICU^1^3\rOBR|1||||||20260704120000+0200\r"
    b"OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|1.1.1.1|142|264864^MDC_DIM_BEAT_PER_MIN^MDC||TEST~QUES|||R|||20260704120001\r"
    b"OBX|2|SN|18185-9^GA^LN||>^32|wk\r"
)

DRUGS = (
    b"MSH|^~\\&|PHARM|NICU|||20260704120005+0200||RDE^O11^RDE_O11|4712|P|2.5\rPID|||77^^^HOSP^MR\rORC|NW|1||||||^^^20260704\r"
    b"RXE|^Q6H^^20260704120000^20260705|N02AA01^MORPHINE^ATC|0.1||mg\rTQ1|||Q6H|||PT30M|20260704120000\rRXR|IV\r"
    b"RXC|A|M03AC03^VECURONIUM^ATC|1|mg\rRXA|0|1|20260704120000||N02AA01^MORPHINE^ATC|0.1|mg||||||||||||||CP\r"
)
ASSOCIATION = (
    b"MSH|^~\\&|GW|NICU|||20260704120005+0200||ORU^R01^ORU_R01|4713|P|2.6\rPID|||77^^^HOSP^MR\rPV1||I|NICU^1^3\r"
    b"OBR|1|||69136^MDC_OBS_ASSOCIATION_PATIENT_DEVICE^MDC|||20260704115500\r"
    b"OBX|1|CWE|68487^MDC_ATTR_EVT_COND^MDC|0|198332^MDC_EVT_ASSOCIATION_PATIENT_DEVICE^MDC||||||F\r"
    b"PRT|1|UC||EQUIP^EQUIP^HL70912|||||NICU^1^3|PUMP7^^0012340000000001^EUI-64|20260704115500\r"
)
QUERY = (
    b"MSH|^~\\&|MON|NICU|||20260704120005+0200||QRY^A19^QRY_A19|4714|P|2.3\rQRD|20260704120000|R|I|1|||5^RD|77^^^^^^^^HOSP|DEM\r"
    b"QRF|NICU||||1^3\rQPD|Q22^x^HL7|1|@PID.3.1^77~@PID.3.4^HOSP\rRCP|I|5^RD\r"
)
WAVE = (
    b"MSH|^~\\&|MON|NICU|||20260704120005+0200||ORU^R01^ORU_R01|4715|P|2.6\rPID|||77^^^HOSP^MR\rPV1||I|NICU^1^3\r"
    b"OBR|1|||||||20260704120000.000+0200|20260704120001.000+0200\r"
    b"OBX|1|NA|131329^MDC_ECG_ELEC_POTL_I^MDC|1.1.1.1|1^2^3^-32768^5|266418^MDC_DIM_MILLI_VOLT^MDC|||||R\r"
    b"OBX|2|NM|0^MDC_ATTR_SAMP_RATE^MDC|1.1.1.1.1|250|264608^MDC_DIM_PER_SEC^MDC|||||R\r"
    b"OBX|3|NR|0^MDC_ATTR_SCALE_RANGE^MDC|1.1.1.1.2|-5^5\r"
)
WHOLE = (GOOD, DRUGS, ASSOCIATION, QUERY, WAVE)
CODES = DrugCodes()

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
    header = read_header(message)
    for read in READERS:
        with contextlib.suppress(MalformedMessage):
            read(message, header)


def _drugs(message: Message, header: Header, kind: str) -> object:
    header = header._replace(message_type=kind)
    return read_drugs(message, header, codes=CODES, site_zone=UTC, received=NOW, source="pharmacy")


def _query(message: Message, header: Header, kind: tuple[str, str]) -> object:
    return read_query(message, header._replace(message_type=kind[0], trigger=kind[1]))


READERS: tuple[Callable[[Message, Header], object], ...] = (
    lambda message, header: read_reports(message, header, site_zone=UTC),
    lambda message, header: read_adt(message, header, site_zone=UTC, received=NOW),
    lambda message, header: read_association(message, header, site_zone=UTC, received=NOW),
    *(partial(_drugs, kind=kind) for kind in ("RDE", "RAS")),
    *(partial(_query, kind=kind) for kind in FORMS),
)
"""What a message's type chooses between: each of them, whatever it is."""


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=300) | grammar | grammar.map(lambda more: GOOD + more))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with contextlib.suppress(MalformedMessage):
        read_all(raw)


@settings(max_examples=500, deadline=None)
@given(
    good=st.sampled_from(WHOLE),
    at=st.integers(0, max(map(len, WHOLE))),
    length=st.integers(0, 30),
    news=st.binary(max_size=10) | grammar,
)
@example(good=GOOD, at=3, length=0, news=b"\\+\\")
@example(good=GOOD, at=3, length=0, news=b"\x00\r")
def test_a_good_message_damaged_anywhere_is_read_or_refused(good: bytes, at: int, length: int, news: bytes) -> None:
    with contextlib.suppress(MalformedMessage):
        read_all(good[:at] + news + good[at + length :])


def test_each_reader_reads_one_of_the_good_messages() -> None:
    reads: list[object] = []
    for raw in WHOLE:
        message = parse(raw)
        for read in READERS:
            with contextlib.suppress(MalformedMessage):
                read(message, read_header(message))
                reads.append(read)
    assert {*reads} == {*READERS}


@settings(max_examples=500, deadline=None)
@given(grammar.map(lambda more: GOOD + more.replace(b"\n", b"")))
def test_segments_that_end_with_cr_alone_are_those_that_end_with_crlf(raw: bytes) -> None:
    def fields(sent: bytes) -> list[list[str]] | str:
        try:
            return [[one.replace("\r\n", "\r") for one in segment.fields] for segment in parse(sent).segments]
        except MalformedMessage as error:
            return str(error)

    assert fields(raw) == fields(raw.replace(b"\r", b"\r\n"))
