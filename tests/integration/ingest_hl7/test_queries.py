"""Monitors ask the door who lies where: answered from the census, audited, and only where the site lets them ask."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import hl7
import pytest
from hl7.client import MLLPClient
from prometheus_client import REGISTRY

from neopain.bus.deadletters import list_letters
from neopain.bus.disclosures import list_disclosures
from neopain.domain.identity import BedId, PatientId, SourceId
from neopain.errors import BusUnavailable
from neopain.ingest.hl7 import queries

SOURCES = """
[[source]]
name = "mute"
application = "MUTE"
acknowledgement = "never"
may_ask = true

[[source]]
name = "askers"
networks = ["127.0.0.0/8"]
application = "ASK"
may_ask = true
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sources.toml"
    path.write_text(SOURCES)
    return path


@pytest.fixture
async def asking(opening: Any, address: Any, file: Path) -> Any:
    """A door that answers those who call themselves ASK."""
    async with opening(address, hl7_sources=file) as door:
        yield door


def qry(number: str, *, application: str = "ASK", control: str = "9", modes: str = "", where: str = "") -> bytes:
    """A QRY^A19 as monitors send it."""
    head = rf"MSH|^~\&|{application}|NICU|||20260704120000||QRY^A19|{control}|P|2.4|||{modes}"
    lines = [head, f"QRD|20260704120000|R|I|Q1|||10^RD|{number}|DEM", *([where] if where else [])]
    return "".join(f"{line}\r" for line in lines).encode()


def qbp(parameters: str) -> bytes:
    """A QBP^Q22 as IHE PDQ has it."""
    head = r"MSH|^~\&|ASK|NICU|||20260704120000||QBP^Q22^QBP_Q21|9|P|2.5"
    return f"{head}\rQPD|IHE PDQ Query|Q1|{parameters}\rRCP|I\r".encode()


def numbers(answer: list[str]) -> list[str]:
    return [line.split("|")[3] for line in answer if line.startswith("PID|")]


async def test_a_query_is_refused_unless_the_site_lets_its_sender_ask(asking: Any, door: Any, text: Any) -> None:
    for one in (asking, door):
        await one.ask(text.adt("A01"))
        answer = await one.ask(qry("77", application="STRANGER"))
        assert answer[1].startswith("MSA|AR|9|MSH-9.1: queries are answered only to sources with may_ask")
        assert numbers(answer) == []
        assert await list_disclosures(one.bus) == []
        # It holds nothing that could be lost: a monitor that asks every second must not fill the dead letters.
        assert await list_letters(one.bus) == []


async def test_python_hl7_s_client_asks_and_is_told_who_lies_there(asking: Any, text: Any) -> None:
    await asking.ask(text.adt("A01"))

    def ask() -> bytes:
        with MLLPClient("127.0.0.1", asking.port) as client:
            answer: bytes = client.send_message(qry("77", where="QRF|MON"))
            return answer

    answer = hl7.parse((await asyncio.to_thread(ask)).strip(b"\x0b\x1c\r").decode())
    assert (str(answer.segment("MSA")[1]), str(answer.segment("QAK")[2])) == ("AA", "OK")
    assert str(answer.segment("QRD")[8]) == "77"
    assert (str(answer.segment("PID")[3]), str(answer.segment("PV1")[3])) == ("77^^^HOSP^MR", "NICU^1^3")


async def test_a_bed_is_asked_by_both_kinds_of_query(asking: Any, text: Any) -> None:
    await asking.ask(text.adt("A01", mrn="77"))
    await asking.ask(text.adt("A01", mrn="88", bed="NICU^1^4", control="2"))
    assert numbers(await asking.ask(qry("", where="QRF|NICU||||1^4"))) == ["88^^^HOSP^MR"]
    assert numbers(await asking.ask(qbp("@PV1.3.1^NICU~@PV1.3.3^3"))) == ["77^^^HOSP^MR"]
    # A unit: everybody in it.
    assert numbers(await asking.ask(qbp("@PV1.3.1^NICU"))) == ["77^^^HOSP^MR", "88^^^HOSP^MR"]


async def test_nobody_found_is_answered_and_no_error(asking: Any, text: Any) -> None:
    await asking.ask(text.adt("A01"))
    await asking.ask(text.adt("A03", control="2"))
    assert (await asking.ask(qbp("@PID.3.1^77~@PID.3.4.1^HOSP")))[1:3] == [
        "MSA|AA|9",
        "QAK|Q1|NF|IHE PDQ Query|0|0|0",
    ]


async def test_of_a_bed_that_a_device_disputes_nothing_is_told_but_why(asking: Any, text: Any) -> None:
    await asking.ask(text.adt("A01", mrn="77"))
    await asking.ask(text.vitals(mrn="99", control="2"))
    for query in (qry("77"), qry("", where="QRF|NICU||||1^3"), qbp("@PID.3.1^77")):
        answer = await asking.ask(query)
        assert "bed NICU/1/3 is held (a device in this bed names another infant)" in "".join(answer)
        assert numbers(answer) == []


async def test_a_query_by_name_is_refused_since_no_names_are_kept(asking: Any, text: Any) -> None:
    await asking.ask(text.adt("A01"))
    answer = await asking.ask(qbp("@PID.5.1^X"))
    assert answer[0].split("|")[8] == "RSP^K22^RSP_K21"
    assert answer[1:4] == [
        "MSA|AE|9|QPD-3: nobody is looked up by @PID.5.1",
        "ERR||QPD^1^3|103^Table value not found^HL70357|E||||nobody is looked up by @PID.5.1",
        "QAK|Q1|AE|IHE PDQ Query|0|0|0",
    ]


async def test_what_was_told_lies_on_the_bus_for_the_audit_trail_before_it_is_told(asking: Any, text: Any) -> None:
    await asking.ask(text.adt("A01"))
    await asking.ask(qry("77"))
    await asking.ask(qry("", where="QRF|SCBU"))
    found, nobody = await list_disclosures(asking.bus)
    assert (found.source, found.address, found.control_id, found.asked) == (
        SourceId("hl7", "ASK/NICU"),
        "127.0.0.1",
        "9",
        "QRY^A19",
    )
    assert (found.patients, found.told) == ((PatientId("77"),), (PatientId("77", "HOSP"),))
    assert (nobody.place, nobody.told, nobody.held) == (BedId("SCBU//"), (), ())


async def test_what_the_bus_does_not_take_for_the_audit_trail_is_not_told(
    opening: Any, address: Any, file: Path, text: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object, **__: object) -> None:
        raise BusUnavailable("the bus is full")

    async with opening(address, hl7_sources=file, hl7_bus_patience_seconds=2) as door:
        await door.ask(text.adt("A01"))
        monkeypatch.setattr(queries, "tell_disclosure", fails)
        connection = await door.connect()
        await connection.write(b"\x0b" + qry("77") + b"\x1c\x0d")
        assert await connection.is_closed()


@pytest.mark.parametrize("modes", ["AL|NE", "AL|AL", "NE|NE", "NE|AL"])
async def test_a_query_is_answered_whatever_acknowledgements_it_wants(asking: Any, text: Any, modes: str) -> None:
    await asking.ask(text.adt("A01"))
    answer = await asking.ask(qry("77", modes=modes))
    assert (answer[1], numbers(answer)) == ("MSA|AA|9", ["77^^^HOSP^MR"])


async def test_a_sender_that_must_never_be_answered_is_not(asking: Any, text: Any) -> None:
    await asking.ask(text.adt("A01"))
    connection = await asking.connect()
    await connection.write(b"\x0b" + qry("77", application="MUTE") + b"\x1c\x0d")
    assert (await connection.ask(qry("77", control="10")))[1] == "MSA|AA|10"


async def test_queries_are_counted_by_what_came_of_them(asking: Any, text: Any) -> None:
    def counted(outcome: str) -> float:
        return REGISTRY.get_sample_value("neopain_ingest_queries_total", {"outcome": outcome}) or 0.0

    before = counted("found"), counted("nobody")
    await asking.ask(text.adt("A01"))
    await asking.ask(qry("77"))
    await asking.ask(qry("78"))
    assert (counted("found") - before[0], counted("nobody") - before[1]) == (1, 1)


async def test_a_japanese_hospital_asks_and_is_answered_in_its_own_characters(asking: Any) -> None:
    def japanese(kind: str, *lines: str) -> bytes:
        head = rf"MSH|^~\&|ASK|厚生病院|||20260704120000+0900||{kind}|9|P|2.5||||||~ISO IR87||ISO 2022-1994"
        return "".join(f"{line}\r" for line in (head, *lines)).encode("iso2022_jp")

    admission = japanese(
        "ADT^A01^ADT_A01",
        "EVN||20260704115900",
        "PID|0001||9999013^^^奥病院^PI||患者^太郎^^^^^L^I~カンジャ^タロウ^^^^^L^P||20260702|M",
        "PV1|0001|I|新生児^含^3",
    )
    assert (await asking.ask(admission))[1] == "MSA|AA|9"
    state = await asking.bed("新生児/含/3")
    assert state.infant.identifiers == (PatientId("9999013", "奥病院", "PI"),)

    connection = await asking.connect()
    await connection.write(b"\x0b" + japanese("QRY^A19", "QRD|20260704|R|I|1|||||DEM", "QRF|新生児") + b"\x1c\x0d")
    frame = await asyncio.wait_for(connection.reader.readuntil(b"\x1c\x0d"), 15)
    answer = frame[1:-2].decode("iso2022_jp").rstrip("\r").split("\r")
    assert answer[0].endswith("|2.5||||||~ISO IR87||ISO 2022-1994")
    assert (numbers(answer), answer[-1]) == (["9999013^^^奥病院^PI"], "PV1|1|U|新生児^含^3")
