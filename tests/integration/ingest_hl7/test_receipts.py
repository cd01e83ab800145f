"""What the listener remembers of each message, and what ``neopain sources`` and ``neopain trace`` tell from it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from neopain.bus.bus import Bus
from neopain.bus.receipts import read_receipts
from neopain.bus.streams import VITALS
from neopain.cli import run
from neopain.domain.identity import BedId
from neopain.domain.receipt import Receipt
from neopain.ingest.hl7.receipts import Receipts

from .test_waveforms import message, recently

Command = Callable[..., Any]


@pytest.fixture
def neopain(address: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command on the test's bus; gives exit code, output and errors."""
    monkeypatch.setenv("NEOPAIN_BUS_URL", address.bus_url)
    monkeypatch.setenv("NEOPAIN_BUS_MEDIA_URLS", json.dumps(address.media_urls))
    monkeypatch.setenv("NEOPAIN_BUS_NAMESPACE", address.namespace)
    monkeypatch.delenv("NEOPAIN_CHARTING_DATABASE_URL", raising=False)

    async def neopain(*arguments: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(run, arguments)
        return (code, *capsys.readouterr())

    return neopain


async def receipts(bus: Any) -> list[Receipt]:
    return [one async for one in read_receipts(bus)]


@pytest.fixture
async def written(opening: Any, address: Any, text: Any) -> Any:
    """A door that took one message that was stored, the same again, and one that was rejected, and was closed."""
    async with opening(address) as door:
        await door.ask(text.vitals(control="1"))
        await door.ask(text.vitals(control="1"))
        await door.ask(text.vitals(control="2", bed=""))
        return await door.bus.read_range(VITALS, bed=BedId("NICU/1/3"))


async def test_a_receipt_tells_answer_size_and_where_the_vitals_lie(written: Any, address: Any) -> None:
    bus = Bus(address)
    first, again, rejected = await receipts(bus)
    await bus.aclose()
    assert (first.control_id, first.answer, first.message_type, str(first.source)) == (
        *("1", "AA", "ORU^R01"),
        "hl7:MON/NICU",
    )
    assert first.size_bytes == 167
    assert [(one.bed, one.id, one.is_new) for one in first.stored] == [("NICU/1/3", written[0].id, True)]
    assert [(one.id, one.is_new) for one in again.stored] == [(written[0].id, False)]
    assert (rejected.answer, rejected.stored) == ("AE", ())
    assert rejected.reason.startswith("101 PV1-3: the bed is required")


async def test_sources_are_told_although_no_listener_runs(written: Any, neopain: Command) -> None:
    code, out, _ = await neopain("sources", "--json")
    (told,) = [json.loads(line) for line in out.splitlines()]
    assert (code, told["source"], told["messages"], told["rejected_by_rule"]) == (
        *(0, "hl7:MON/NICU", 3),
        {"101 PV1-3": 1},
    )
    assert told["last_heard"] is not None
    assert told["acknowledgement_ms_p99"] > 0
    _, table, _ = await neopain("sources")
    assert [line.split()[0] for line in table.splitlines()] == ["source", "hl7:MON/NICU"]


async def test_a_trace_tells_both_answers_of_a_repeated_message(written: Any, neopain: Command) -> None:
    code, out, _ = await neopain("trace", "1", "--json")
    first, again = json.loads(out)["messages"]
    assert (code, first["received"]["acknowledgement"], first["received"]["bytes"]) == (0, "AA", 167)
    assert [(one["bed"], one["entry"], one["is_repetition"]) for one in (*first["vitals"], *again["vitals"])] == [
        ("NICU/1/3", written[0].id, False),
        ("NICU/1/3", written[0].id, True),
    ]
    assert first["vitals"][0]["entries_note"] == ("charting was not asked: NEOPAIN_CHARTING_DATABASE_URL is not set")


async def test_a_trace_of_a_rejected_message_names_the_rule_and_the_dead_letter(written: Any, neopain: Command) -> None:
    _, out, _ = await neopain("trace", "2")
    lines = out.splitlines()
    assert lines[2].startswith("rejected   101 PV1-3: the bed is required")
    assert lines[3].startswith("put aside  ")
    assert len(lines) == 4


async def test_one_control_id_of_two_sources_is_told_of_both_unless_one_is_named(
    door: Any, text: Any, neopain: Command, eventually: Any
) -> None:
    await door.ask(text.vitals(control="5"))
    await door.ask(text.adt("A01", control="5"))

    async def are_written() -> bool:
        return len(await receipts(door.bus)) == 2

    assert await eventually(are_written)
    _, out, _ = await neopain("trace", "5", "--json")
    monitor, adt = json.loads(out)["messages"]
    assert (monitor["source"], adt["source"]) == ("hl7:MON/NICU", "hl7:ADT/GH")
    _, out, _ = await neopain("trace", "5", "--source", "ADT/GH", "--json")
    assert [one["source"] for one in json.loads(out)["messages"]] == ["hl7:ADT/GH"]


async def test_the_end_of_an_order_is_told_as_a_stop_under_it(door: Any, neopain: Command) -> None:
    lines = (r"MSH|^~\&|RX|GH|||20260704115959+0000||RDE^O11|6|P|2.5.1", "PID|||77^^^HOSP^MR", "ORC|DC|P1|F1")
    assert (await door.ask("".join(f"{line}\r" for line in lines).encode()))[1] == "MSA|AA|6"
    _, out, _ = await neopain("trace", "6")
    assert out.splitlines()[-1].endswith("  stop under order F1 of 77|HOSP")


async def test_an_admission_is_followed_to_the_bed(door: Any, text: Any, neopain: Command, eventually: Any) -> None:
    await door.ask(text.adt("A01", control="5"))

    async def is_written() -> bool:
        return len(await receipts(door.bus)) == 1

    assert await eventually(is_written)
    _, out, _ = await neopain("trace", "5")
    assert "  bed NICU/1/3: 77|HOSP" in out.splitlines()[-1]


async def test_an_unknown_control_id_says_what_is_kept_and_exits_2(written: Any, neopain: Command) -> None:
    code, _, err = await neopain("trace", "no-such")
    assert (code, "receipts 12 h, vitals 0.25 h" in err) == (2, True)
    assert (await neopain("trace", "1", "--source", "OTHER"))[0] == 2


async def test_what_came_while_the_bus_was_away_is_told_as_unanswered(
    opening: Any, address: Any, text: Any, neopain: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neopain.errors import BusUnavailable
    from neopain.ingest.hl7.vitals import VitalsIntake

    async def fail(*_: object) -> None:
        raise BusUnavailable("gone")

    async with opening(address, hl7_bus_patience_seconds=0.1) as door:
        with monkeypatch.context() as away:
            away.setattr(VitalsIntake, "store", fail)
            connection = await door.connect()
            await connection.write(b"\x0b" + text.vitals(control="1") + b"\x1c\x0d")
            assert await connection.is_closed()
    code, out, _ = await neopain("trace", "1")
    assert (code, "answered unanswered" in out, "stored     no: its sender has it still" in out) == (0, True, True)


async def test_a_message_that_carried_only_waveforms_is_followed_to_its_beats(
    opening: Any, address: Any, neopain: Command
) -> None:
    start = recently()
    async with opening(address) as door:
        for second in (0, 1, 2, 2):
            text = message(second, start).replace(b"OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC||142|/min|||||R\r", b"")
            assert (await door.ask(text))[1] == f"MSA|AA|{second}"
        entries = await door.bus.read_range(VITALS, bed=BedId("NICU/1/3"))
    bus = Bus(address)
    told = [[(one.id, one.is_new, one.is_waveform) for one in each.stored] for each in await receipts(bus)]
    numerics = [each.numerics for each in await receipts(bus)]
    await bus.aclose()
    last = entries[-1].id
    assert told[-2:] == [[(last, True, True)], [(last, False, True)]]
    assert numerics == [()] * 4
    code, out, _ = await neopain("trace", "2")
    assert (code, f"stored     beats of a waveform {last}  bed NICU/1/3" in out) == (0, True)
    assert "is taken" not in out


async def test_beats_whose_receipt_was_lost_are_found_on_the_bus(
    opening: Any, address: Any, neopain: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: object) -> None:
        """As if the listener had been killed before it wrote them."""

    monkeypatch.setattr(Receipts, "write", lost)
    start = recently()
    async with opening(address) as door:
        for second in (0, 1, 2):
            await door.ask(message(second, start))
    code, out, _ = await neopain("trace", "2")
    assert (code, out.count("source     hl7:MON/NICU"), "stored     beats of a waveform" in out) == (0, 1, True)
