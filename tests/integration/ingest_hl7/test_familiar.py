"""Messages that come as they came before: what they become is what they become the usual way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from neopain.domain.vitals import VitalsBatch
from neopain.ingest.hl7 import vitals
from neopain.ingest.hl7.familiar import FamiliarMessages

HEAD = r"MSH|^~\&|MON|NICU|||20260704120005+0000||ORU^R01^ORU_R01|{control}|P|2.6|||NE|AL"
WHOLE = (
    "PID|||77^^^HOSP^MR||M\u00fcller",
    "PV1||I|NICU^1^3",
    "OBR|1||||||20260704120000+0000",
    "OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC||142|/min|||||R",
    "OBX|2|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC||97.5|%|||||R",
    "OBX|3|NM|4711^OWN^99X||1|x|||||R",
)


def message(control: str, *changes: tuple[str, str]) -> bytes:
    text = "\r".join([HEAD.format(control=control), *WHOLE]) + "\r"
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text.encode()


COURSE = [
    message("1"),
    message("2"),
    message("3", ("142", "151")),
    message("4", ("20260704120000+0000", "20260704140001.5+0200")),
    message("5", ("20260704120000+0000", "20260704120002")),
    message("29", ("20260704120005+0000", "20260704140005+0200"), ("20260704120000+0000", "20260704140000")),
    message("6", ("20260704120000+0000", "soon")),
    message("6", ("20260704120000+0000", "soon")),
    message("7", ("20260704120005+0000", "")),
    message("8", ("77^^^HOSP", "78^^^HOSP")),
    message("9", ("NICU^1^3", "NICU^1^4")),
    message("10", ("|MON|", "|MON2|")),
    message("11", ("|P|", "|D|")),
    message("12", ("|NE|AL", "")),
    message("13", ("|NE|AL", "|AL|NE")),
    message("14", ("|NE|AL", "|NE|NE")),
    message("15", ("/min", "/s")),
    message("16", ("142", "---")),
    message("17", ("4711", "4712")),
    message(r"18\T\x", ("142", "143")),
    message("19", ("M\u00fcller", "M\x00\u00fcller")),
    message("20", ("142", "1\x0042")),
    message("21").decode().encode("iso8859-1"),
    message("22").replace(b"\r", b"\r\n"),
    message("23") + message("24"),
    message("25", ("|P|2.6", "|X|2.6")),
    message("26", ("|1|x|", "||x|")),
    message("27", ("97.5", "93")),
    message("28"),
]


def contents(batch: VitalsBatch) -> object:
    """A batch without what depends on when it came."""
    samples = [
        (one.kind, one.value, one.validity, one.code, one.timing.source, one.timing.source_text)
        for one in batch.samples
    ]
    return batch.bed, batch.source, batch.processing, batch.patient, batch.control_id, batch.unmapped, samples


async def outcomes(opening: Callable[..., Any], address: Any) -> tuple[list[object], list[object]]:
    """The answers to the course, without times and our control ids, and what lies on the bus then."""
    async with opening(address) as door:
        connection, answers = await door.connect(), []
        for one in COURSE:
            await connection.write(b"\x0b" + one + b"\x1c\x0d")
            if b"|NE|NE" not in one:
                segments = await connection.answer()
                fields = segments[0].split("|")
                answers.append((fields[:6], fields[7:9], fields[10:], segments[1:]))
        return answers, [contents(one) for bed in ("NICU/1/3", "NICU/1/4") for one in await door.batches(bed)]


async def test_a_course_of_messages_becomes_the_same_as_without_what_is_known_of_those_before(
    opening: Callable[..., Any], address: Any, media_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    recognise = FamiliarMessages.recognise

    def watched(self: FamiliarMessages, *more: Any) -> object:
        seen.append((found := recognise(self, *more)) is not None)
        return found

    monkeypatch.setattr(FamiliarMessages, "recognise", watched)
    known = await outcomes(opening, address)
    monkeypatch.setattr(FamiliarMessages, "recognise", lambda *_: None)
    address = type(address)(address.bus_url, address.media_urls, f"{address.namespace}-usual")
    assert known == await outcomes(opening, address)
    assert 8 <= sum(seen) <= 13
    assert seen[:4] == [False, True, True, True]


async def test_messages_sent_at_once_are_answered_in_order_whichever_way_they_take(door: Any) -> None:
    connection = await door.connect()
    await connection.ask(message("0"))
    controls = [str(number) for number in range(1, 41)]
    sent = [
        message(control, ("142", "---")) if number % 3 == 0 else message(control)
        for number, control in enumerate(controls)
    ]
    await connection.write(b"".join(b"\x0b" + one + b"\x1c\x0d" for one in sent))
    assert [(await connection.answer())[1] for _ in controls] == [f"MSA|AA|{control}" for control in controls]
    assert [one.control_id for one in await door.batches()] == ["0", *controls]


async def test_messages_that_were_read_whole_are_stored_although_their_sender_is_gone(
    door: Any, eventually: Callable[..., Any]
) -> None:
    connection = await door.connect()
    await connection.ask(message("0"))
    await connection.write(b"".join(b"\x0b" + message(str(number)) + b"\x1c\x0d" for number in range(1, 30)))
    connection.writer.transport.abort()

    async def are_there() -> bool:
        return len(await door.batches()) == 30

    assert await eventually(are_there)


async def test_a_familiar_message_that_the_bus_refuses_at_first_is_taken_once(door: Any) -> None:
    connection = await door.connect()
    await connection.ask(message("0"))
    await door.bus.durable.config_set("maxmemory", 1)
    try:
        await connection.write(b"\x0b" + message("1") + b"\x1c\x0d")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await connection.reader.read(1)
    finally:
        await door.bus.durable.config_set("maxmemory", 0)
    assert (await connection.answer())[1] == "MSA|AA|1"
    assert [one.control_id for one in await door.batches()] == ["0", "1"]


async def test_a_familiar_message_that_waits_too_long_is_left_unanswered_and_taken_when_it_is_sent_again(
    opening: Callable[..., Any], address: Any
) -> None:
    async with opening(address, hl7_bus_patience_seconds=0.2) as door:
        connection = await door.connect()
        await connection.ask(message("0"))
        await door.bus.durable.execute_command("CLIENT", "PAUSE", "20000", "WRITE")
        try:
            await connection.write(b"\x0b" + message("1") + b"\x1c\x0d")
            async with asyncio.timeout(4):  # the client of the bus gives up after five seconds
                assert await connection.is_closed()
        finally:
            await door.bus.durable.execute_command("CLIENT", "UNPAUSE")
        assert (await door.ask(message("1")))[1] == "MSA|AA|1"
        assert [one.control_id for one in await door.batches()] == ["0", "1"]


@pytest.mark.parametrize(
    ("where", "code"),
    [((FamiliarMessages, "recognise"), "AA"), ((vitals.VitalsIntake, "begin_familiar"), "AE")],
    ids=["recognise", "begin"],
)
async def test_a_fault_of_ours_in_the_short_way_keeps_no_sender_waiting(
    door: Any, where: tuple[type, str], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await door.connect()
    await connection.ask(message("0"))

    def fault(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(*where, fault)
    assert (await connection.ask(message("1")))[1].startswith(f"MSA|{code}|1")
    monkeypatch.undo()
    assert (await connection.ask(message("2")))[1] == "MSA|AA|2"
