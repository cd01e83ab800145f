"""Queries of the census: who is asked for, as senders write it, and what is refused rather than passed over."""

from __future__ import annotations

import pytest

from neopain.codecs.hl7v2.header import read_header
from neopain.codecs.hl7v2.message import parse
from neopain.codecs.hl7v2.query import read_query
from neopain.domain.identity import PatientId
from neopain.domain.query import Place, Query
from neopain.errors import MalformedMessage


def read(*lines: str, kind: str = "QRY^A19", version: str = "2.4", facility: str = "") -> Query:
    raw = "\r".join([rf"MSH|^~\&|MON|NICU|||20260704120000||{kind}|1|P|{version}", *lines])
    message = parse(raw.encode())
    return read_query(message, read_header(message), default_facility=facility)


def by_parameters(parameters: str, *, domains: str = "", rcp: str = "RCP|I", facility: str = "") -> Query:
    qpd = f"QPD|Q22^Find Candidates^HL7|Q1|{parameters}|||||{domains}"
    return read(qpd, rcp, kind="QBP^Q22^QBP_Q21", version="2.5", facility=facility)


def number(value: str, authority: str = "") -> tuple[PatientId, ...]:
    return (PatientId(value, authority),)


@pytest.mark.parametrize(
    ("lines", "query"),
    [
        # As an interface engine, a registration system and a communication server ask.
        (["QRD|200612211200|R|I|GetPatient|||1^RD|0101701234|DEM||"], Query(number("0101701234"), most=1)),
        (["QRD|20140414130928|R|I|1|||1|34011000968|DEM|"], Query(number("34011000968"), most=1)),
        (["QRD|200811111016|R|I|Q1004|||1^RD|10000437363|DEM"], Query(number("10000437363"), most=1)),
        (
            ["QRD|20260704|R|I|1|||10^LI|77^X^Y^^^^^^HOSP~88|DEM"],
            Query((PatientId("77", "HOSP"), PatientId("88"))),
        ),
        # By place: QRF-1 is the unit, QRF-5 room and bed.
        (["QRD|20260704|R|I|1|||||ANU", "QRF|NICU"], Query(place=Place("NICU"))),
        (["QRD|20260704|R|I|1||||unknown|DEM", "QRF|NICU||||1^3"], Query(place=Place("NICU", "1", "3"))),
        (["QRD|20260704|R|I|1|||||DEM", "QRF|||||^3"], Query(place=Place(bed="3"))),
        # What a number's QRF-1 holds is each sender's own: the number says it all.
        (["QRD|20260704|R|I|1||||77|DEM", "QRF|MON||||0&0^1^1^1^"], Query(number("77"))),
    ],
)
def test_qry_a19_asks_by_number_or_place(lines: list[str], query: Query) -> None:
    assert read(*lines) == query


@pytest.mark.parametrize(
    ("parameters", "query"),
    [
        ("@PID.3.1^RJ-440~@PID.3.4.1^TEST", Query(number("RJ-440", "TEST"))),
        ("@PID.3^77~@PID.3.4^HOSP~@PID.3.5^MR", Query(number("77", "HOSP"))),
        ("@PID.3.1^77~@PID.3.4.2^1.2.276~@PID.3.4.3^ISO", Query(number("77", "1.2.276"))),
        ("@PV1.3^Ward 2", Query(place=Place("Ward 2"))),
        ("@PV1.3.1^NICU~@PV1.3.2^1~@PV1.3.3^3~@PV1.3.4^EAST", Query(place=Place("NICU", "1", "3", "EAST"))),
        ("@PID.3.1^77~@PV1.3.1^NICU", Query(number("77"), Place("NICU"))),
        ("@PV1.19^V1", Query(visit="V1")),
        ("@PID.3.1^77~@PID.5.1^", Query(number("77"))),
        ("@pid.3.1^77", Query(number("77"))),
    ],
)
def test_qbp_q22_asks_by_parameters_that_must_all_hold(parameters: str, query: Query) -> None:
    assert by_parameters(parameters) == query


def test_quantity_and_domains_of_a_qbp_are_read() -> None:
    query = by_parameters("@PID.3.1^77", domains="^^^HOSP&1.2&ISO~^^^&1.3&ISO", rcp="RCP|I|10^RD")
    assert (query.domains, query.most) == (frozenset({"HOSP", "1.3"}), 10)


def test_a_place_without_a_facility_is_in_that_of_its_sender() -> None:
    assert by_parameters("@PV1.3.3^3", facility="EAST") == Query(place=Place(bed="3", facility="EAST"))
    assert by_parameters("@PV1.3.3^3~@PV1.3.4^WEST", facility="EAST").place.facility == "WEST"
    assert by_parameters("@PID.3.1^77", facility="EAST") == Query(number("77"))


@pytest.mark.parametrize(
    ("lines", "location", "code"),
    [
        (["PID|1"], "QRD", "100"),
        (["QRD|1|R|I|1|||1|^DOE^JANE|DEM"], "QRD-8", "103"),
        (["QRD|1|R|I|1|||1||DEM"], "QRD-8", "101"),
        (["QRD|1|R|I|1|||1|000|DEM", "QRF|"], "QRD-8", "101"),
        (["QRD|1|D|I|1|||1|77|DEM"], "QRD-2", "103"),
        (["QRD|1|R|D|1|||1|77|DEM"], "QRD-3", "103"),
        (["QRD|1|R|I|1|||1|77|APN"], "QRD-9", "103"),
        (["QRD|1|R|I|1|||||DEM", "QRF|NICU||||3"], "QRF-5", "103"),
        (["QRD|1|R|I|1|||||DEM", "QRF|NICU||||NICU^1^3"], "QRF-5", "103"),
    ],
)
def test_a_qry_that_cannot_be_looked_up_is_refused_with_its_place(lines: list[str], location: str, code: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        read(*lines)
    assert (caught.value.location, caught.value.code) == (location, code)


@pytest.mark.parametrize(
    ("parameters", "code", "rule"),
    [
        ("@PID.5.1^JONES", "103", "nobody is looked up by @PID.5.1"),
        ("@PID.3.1^77~@PID.7^20260702", "103", "nobody is looked up by @PID.7"),
        ("@PV1.3.1.2^X", "103", "nobody is looked up by @PV1.3.1.2"),
        ("JONES^X", "103", "a parameter must be a field"),
        ("@PID.3.1^77~@PID.3.1^78", "103", "must not be named twice"),
        ("@PID.3.4.1^HOSP~@PV1.3.1^NICU", "101", "an authority needs a number"),
        ("@PID.3.1^123~@PID.3.5^SS", "103", "names no single person"),
        ("", "101", "is required"),
    ],
)
def test_a_parameter_that_cannot_be_looked_up_refuses_the_query(parameters: str, code: str, rule: str) -> None:
    with pytest.raises(MalformedMessage, match=rule) as caught:
        by_parameters(parameters)
    assert (caught.value.location, caught.value.code) == ("QPD-3", code)
    assert "JONES" not in str(caught.value)


def test_a_query_of_a_version_without_authorities_and_rooms_is_refused() -> None:
    with pytest.raises(MalformedMessage, match=r"from version 2\.3 on"):
        read("QRD|1|R|I|1|||1|77|DEM", version="2.2")


def test_a_number_that_is_not_readable_is_refused_and_not_looked_up() -> None:
    raw = b"MSH|^~\\&|MON||||20260704||QRY^A19|1|P|2.4||||||UNICODE UTF-8\rQRD|1|R|I|1||||7\xff7|DEM"
    message = parse(raw)
    with pytest.raises(MalformedMessage, match="readable"):
        read_query(message, read_header(message))
