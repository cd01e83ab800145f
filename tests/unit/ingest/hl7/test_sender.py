"""Who sends: names of sources, beds by sender, clocks, and what tells one message from another."""

from __future__ import annotations

import pytest

from neopain.codecs.hl7v2.header import Header, read_header
from neopain.codecs.hl7v2.message import parse
from neopain.domain.identity import BedId, SourceId
from neopain.ingest.hl7.received import mark_of
from neopain.ingest.hl7.sender import Clocks, Sender

MONITOR = SourceId("hl7", "MON/NICU")


def header(application: str, facility: str) -> Header:
    return read_header(parse(rf"MSH|^~\&|{application}|{facility}|||||ORU^R01|1|P|2.6".encode()))


@pytest.mark.parametrize(
    ("application", "facility", "name"),
    [("MON^12^EUI-64", "NICU", "MON/NICU"), ("MON", "", "MON"), ("", "NICU", "NICU"), ("", "", "10.0.0.5")],
)
def test_a_source_is_named_by_msh_3_and_4_else_by_its_address(application: str, facility: str, name: str) -> None:
    assert Sender("10.0.0.5").source(header(application, facility)) == SourceId("hl7", name)


@pytest.mark.parametrize(
    ("beds", "expected"),
    [
        ({"10.0.0.5": "NICU/1/1"}, "NICU/1/1"),
        ({"MON/NICU": "NICU/1/2"}, "NICU/1/2"),
        ({"MON": "NICU/1/3"}, "NICU/1/3"),
        ({"MON": "NICU/1/3", "MON/NICU": "NICU/1/2", "10.0.0.5": "NICU/1/1"}, "NICU/1/1"),
        ({"OTHER": "NICU/1/4", "": "NICU/1/5"}, None),
    ],
)
def test_the_site_s_bed_is_found_by_address_then_by_name(beds: dict[str, str], expected: str | None) -> None:
    assert Sender("10.0.0.5").bed(header("MON", "NICU"), beds) == expected


def test_each_source_has_a_clock_at_each_bed() -> None:
    clocks = Clocks()
    first = clocks.of(MONITOR, BedId("NICU/1/1"))
    assert clocks.of(MONITOR, BedId("NICU/1/1")) is first
    assert clocks.of(MONITOR, BedId("NICU/1/2")) is not first


def test_the_clock_unused_for_longest_is_forgotten() -> None:
    clocks = Clocks()
    for number in range(5000):
        clocks.of(MONITOR, BedId(f"NICU/1/{number}"))
    assert len(clocks.skews) == 4096


def test_messages_differ_by_source_control_id_and_content() -> None:
    same = mark_of(MONITOR, "1", b"MSH")
    assert mark_of(MONITOR, "1", b"MSH") == same
    others = {
        mark_of(SourceId("hl7", "X"), "1", b"MSH"),
        mark_of(MONITOR, "2", b"MSH"),
        mark_of(MONITOR, "1", b"MSH|"),
        mark_of(MONITOR, "1", b"MSH", "NICU/1/1"),
    }
    assert len(others | {same}) == 5
