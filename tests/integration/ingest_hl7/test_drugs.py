"""RDE and RAS over MLLP: drugs of an infant on the bus, once, whatever its number is now."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from neopain.bus.drugs import read_drugs
from neopain.bus.streams import DRUGS
from neopain.cli import run
from neopain.domain.census import Infant
from neopain.domain.drugs import DrugClass, DrugFact, marks, periods
from neopain.domain.identity import PatientId
from neopain.wire.drugs import decode_drug

ANNA = Infant((PatientId("77", "HOSP"),))
NOON = datetime(2026, 7, 4, 12, 0, tzinfo=UTC)


def ras(*, control: str = "1", mrn: str = "77", drug: str = "M03AC03^Vecuronium^ATC", more: str = "") -> bytes:
    lines = [
        rf"MSH|^~\&|RX|GH|||20260704115959+0000||RAS^O17^RAS_O17|{control}|P|2.5.1",
        f"PID|||{mrn}^^^HOSP^MR",
        f"ORC|RE|P1|F{control}",
        f"RXA|0|1|20260704115000+0000||{drug}|0.3|mg{more}",
    ]
    return "".join(f"{line}\r" for line in lines).encode()


async def told(door: Any) -> list[DrugFact]:
    return [decode_drug(entry.payload) for entry in await door.bus.read_range(DRUGS)]


async def test_an_administration_is_on_the_bus_when_it_is_acknowledged(door: Any) -> None:
    assert (await door.ask(ras(control="7")))[1] == "MSA|AA|7"
    (fact,) = await read_drugs(door.bus, [ANNA])
    assert (fact.ingredient, fact.classes, fact.control_id) == ("vecuronium", (DrugClass.NEUROMUSCULAR_BLOCKER,), "7")
    assert await told(door) == [fact]


async def test_a_repeated_message_is_stored_once(door: Any) -> None:
    for _ in range(2):
        assert (await door.ask(ras()))[1] == "MSA|AA|1"
    assert len(await told(door)) == 1


async def test_the_drugs_of_another_infant_are_not_this_one_s(door: Any) -> None:
    await door.ask(ras(mrn="88"))
    assert await read_drugs(door.bus, [ANNA]) == ()
    assert await read_drugs(door.bus, [Infant((PatientId("88", "OTHER"),))]) == ()


@pytest.mark.parametrize("named", ["", "RXE||NICU3^NICU premix 3^L|1||mL"])
async def test_an_order_that_ends_by_another_name_or_none_ends_what_was_given_under_it(door: Any, named: str) -> None:
    begun, ended = "20260704080000+0000", "20260704090000+0000"
    lines = [r"MSH|^~\&|RX|GH|||20260704115959+0000||RDE^O11|2|P|2.5.1", "PID|||77^^^HOSP^MR"]
    stop = "".join(f"{line}\r" for line in (*lines, f"ORC|DC|P1|F1||||||{ended}", *filter(None, [named])))
    given = ras().replace(b"|20260704115000+0000|", f"|{begun}|".encode()).replace(b"|0.3|mg", b"|0.3|mg/h")
    for message in (given, stop.encode()):
        await door.ask(message)
    facts = await read_drugs(door.bus, [ANNA])
    (running,) = (one for one in periods(facts) if one.fact.ingredient == "vecuronium")
    assert running.until == datetime(2026, 7, 4, 13, tzinfo=UTC)


async def test_what_was_told_to_be_given_and_deleted_after_that_has_no_effect(door: Any) -> None:
    await door.ask(ras())
    assert marks(await read_drugs(door.bus, [ANNA]), NOON, NOON) != ()
    await door.ask(ras(more="||||||||||||||D"))
    assert marks(await read_drugs(door.bus, [ANNA]), NOON, NOON) == ()


async def test_unknown_codes_are_listed_with_how_often_they_came(
    door: Any, address: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for control, drug in (
        ("1", "AMP1^Ampicillin^L"),
        ("2", "AMP1^Ampicillin^L"),
        ("3", "G1^Gentamicin^L"),
        ("4", "M03AC03^^ATC"),
    ):
        await door.ask(ras(control=control, drug=drug))
    monkeypatch.setenv("NEOPAIN_BUS_URL", address.bus_url)
    monkeypatch.setenv("NEOPAIN_BUS_MEDIA_URLS", json.dumps(address.media_urls))
    monkeypatch.setenv("NEOPAIN_BUS_NAMESPACE", address.namespace)
    assert await asyncio.to_thread(run, ["drugs", "unknown"]) == 0
    assert capsys.readouterr().out.splitlines() == ["     2  L  AMP1  Ampicillin", "     1  L  G1  Gentamicin"]


async def test_an_unknown_drug_is_told_on_the_stream_and_counts_for_nobody(door: Any) -> None:
    await door.ask(ras(drug="AMP1^Ampicillin^L"))
    assert [(fact.code, fact.system, fact.classes) for fact in await told(door)] == [("AMP1", "L", ())]
    assert await read_drugs(door.bus, [ANNA]) == ()


@pytest.mark.parametrize(("trigger", "visit"), [("A40", ""), ("A47", ""), ("A45", "V1")])
async def test_drugs_follow_the_infant_when_its_number_changes(door: Any, text: Any, trigger: str, visit: str) -> None:
    admission = text.adt("A01", control="1", mrn="T1").rstrip(b"\r") + f"{'|' * 16}{visit}\r".encode()
    await door.ask(admission)
    await door.ask(ras(control="2", mrn="T1"))
    change = text.adt(trigger, control="3", mrn="77").rstrip(b"\r") + f"\rMRG|T1^^^HOSP^MR||||{visit}\r".encode()
    assert (await door.ask(change))[1] == "MSA|AA|3"
    assert [fact.ingredient for fact in await read_drugs(door.bus, [ANNA])] == ["vecuronium"]


@pytest.mark.parametrize(
    ("trigger", "visit", "born"), [("A40", "", "20200101"), ("A45", "V2", ""), ("A45", "", ""), ("A37", "", "")]
)
async def test_drugs_follow_no_change_of_numbers_that_the_census_does_not_take(
    door: Any, text: Any, trigger: str, visit: str, born: str
) -> None:
    await door.ask(text.adt("A01", control="1", mrn="T1"))
    await door.ask(ras(control="2", mrn="T1"))
    message = text.adt(trigger, control="3", mrn="77").decode().rstrip("\r")
    lines = [f"PID|||77^^^HOSP^MR||||{born}" if line.startswith("PID") else line for line in message.split("\r")]
    if not visit:
        lines = [line for line in lines if not line.startswith("PV1")]
    assert (await door.ask("\r".join([*lines, f"MRG|T1^^^HOSP^MR||||{visit}", ""]).encode()))[1] == "MSA|AA|3"
    assert await read_drugs(door.bus, [ANNA]) == ()


async def test_what_is_told_in_training_replaces_nothing_of_production_and_follows_no_number_of_it(
    door: Any, text: Any
) -> None:
    await door.ask(ras())
    await door.ask(ras(control="2", more="||||||||||||||D").replace(b"|P|2.5.1", b"|T|2.5.1").replace(b"F2", b"F1"))
    given, deleted = sorted(await read_drugs(door.bus, [ANNA]), key=lambda one: one.processing.value)
    assert (given.is_retracted, given.is_test) == (False, False)
    assert (deleted.is_retracted, deleted.is_test) == (True, True)
    merge = text.adt("A40", control="3", mrn="88").replace(b"|P|", b"|T|").rstrip(b"\r") + b"\rMRG|77^^^HOSP^MR\r"
    assert (await door.ask(merge))[1] == "MSA|AA|3"
    followed = await read_drugs(door.bus, [Infant((PatientId("88", "HOSP"),))])
    assert [one.is_test for one in followed] == [True]


async def test_a_site_s_own_codes_are_known(opening: Any, address: Any, tmp_path: Path) -> None:
    table = tmp_path / "drugs.csv"
    table.write_text("system,code,ingredient,class,outlasts_minutes\nL,AMP1,something,sedative,30\n")
    async with opening(address, drug_codes=table) as door:
        await door.ask(ras(drug="AMP1^Ampule 1^L"))
        (fact,) = await read_drugs(door.bus, [ANNA])
        assert (fact.ingredient, fact.classes) == ("something", (DrugClass.SEDATIVE,))


@pytest.mark.parametrize(("kind", "code"), [("RAS^O99", "201"), ("RDS^O13", "200")])
async def test_other_pharmacy_messages_are_rejected(door: Any, kind: str, code: str) -> None:
    answer = await door.ask(ras().replace(b"RAS^O17^RAS_O17", kind.encode()))
    assert answer[1].startswith("MSA|AR|1")
    assert answer[2].split("|")[3].startswith(code)
