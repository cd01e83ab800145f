"""What bad input gets: an answer with its reason, its raw bytes kept, and never a crash."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neopain.bus.deadletters import list_letters


@pytest.mark.parametrize(
    ("raw", "msa", "err"),
    [
        (b"hello", "MSA|AR||MSH: the message must begin with an MSH segment", "ERR||MSH^1|100^"),
        (b"MSH|^~\\&|A||||||ORU^R01|", "MSA|AR||MSH-10: the control id is required", "ERR||MSH^1^10|101^"),
        (
            b"MSH|^~\\&|A||||||ORM^O01|7|P|2.5",
            "MSA|AR|7|MSH-9.1: only ORU, ADT, RDE, RAS, QRY and QBP",
            "ERR||MSH^1^9^1^1|200^",
        ),
        (b"MSH|^~\\&|A||||||ORU^W01|7|P|2.4", "MSA|AR|7|MSH-9.2: of ORU only R01 is taken", "ERR||MSH^1^9^1^2|201^"),
        (b"MSH|^~\\&|A||||||ORU^R01|7|X|2.5", "MSA|AR|7|MSH-11:", "ERR||MSH^1^11|202^"),
        (b"MSH|^~\\&|A||||||ORU^R01|7|P|3.0", "MSA|AR|7|MSH-12:", "ERR||MSH^1^12|203^"),
        (b"MSH|^~\\&|A||||||ADT^A01|7|P|2.5\rPID|1||", "MSA|AE|7|PID-3:", "ERR||PID^1^3|101^"),
    ],
)
async def test_a_bad_message_is_refused_with_its_place_and_kept_raw(door: Any, raw: bytes, msa: str, err: str) -> None:
    answer = await door.ask(raw)
    assert answer[1].startswith(msa)
    assert answer[2].startswith(err)
    ((_, letter),) = await list_letters(door.bus)
    assert letter.raw == raw


async def test_a_bad_message_does_not_harm_the_next_one(door: Any, text: Any) -> None:
    connection = await door.connect()
    assert (await connection.ask(b"\xff\xfe\x00"))[1].startswith("MSA|AR")
    assert (await connection.ask(text.vitals()))[1] == "MSA|AA|1"


async def test_a_message_without_its_end_block_is_taken_if_its_last_segment_is_whole(door: Any, text: Any) -> None:
    connection = await door.connect()
    await connection.write(b"\x0b" + text.vitals(control="1"))
    assert (await connection.ask(text.vitals(control="2")))[1] == "MSA|AA|1"
    assert (await connection.answer())[1] == "MSA|AA|2"


async def test_a_message_cut_within_a_segment_is_refused(door: Any, text: Any) -> None:
    connection = await door.connect()
    await connection.write(b"\x0b" + text.vitals(control="1")[:-10])
    assert (await connection.ask(text.vitals(control="2")))[1].startswith("MSA|AR|1|MSH: the message has no end block")
    assert (await connection.answer())[1] == "MSA|AA|2"
    assert [batch.control_id for batch in await door.batches()] == ["2"]


async def test_a_connection_that_ends_within_a_message_stores_nothing(door: Any, text: Any) -> None:
    connection = await door.connect()
    await connection.write(b"\x0b" + text.vitals(control="1"))
    connection.writer.close()
    assert (await door.ask(text.vitals(control="2")))[1] == "MSA|AA|2"
    assert [batch.control_id for batch in await door.batches()] == ["2"]


async def test_a_message_that_is_too_long_is_rejected_and_the_connection_closed(
    opening: Any, address: Any, text: Any
) -> None:
    async with opening(address, hl7_longest_message_bytes=2048) as door:
        connection = await door.connect()
        await connection.write(b"\x0b" + text.vitals(control="8") + b"Z" * 5000)
        assert (await connection.answer())[1].startswith("MSA|AR|8|MSH: the message is longer")
        assert await connection.is_closed()
        ((_, letter),) = await list_letters(door.bus)
        assert len(letter.raw) == 2048


async def test_connections_above_the_limit_are_closed_and_others_go_on(opening: Any, address: Any, text: Any) -> None:
    async with opening(address, hl7_most_connections=1) as door:
        first = await door.connect()
        assert (await first.ask(text.vitals(control="1")))[1] == "MSA|AA|1"
        assert await (await door.connect()).is_closed()
        assert (await first.ask(text.vitals(control="2")))[1] == "MSA|AA|2"


async def test_a_silent_connection_is_closed(opening: Any, address: Any) -> None:
    async with opening(address, hl7_idle_seconds=0.1) as door:
        assert await (await door.connect()).is_closed()


async def test_a_message_that_never_ends_is_given_up(opening: Any, address: Any) -> None:
    async with opening(address, hl7_frame_seconds=0.1) as door:
        connection = await door.connect()
        await connection.write(b"\x0bMSH|")
        assert await connection.is_closed()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.binary(max_size=80) | st.sampled_from([b"\x0b", b"\x1c\x0d", b"MSH|^~\\&|", b"\rOBX|"]), max_size=8))
async def test_arbitrary_bytes_never_stop_the_listener(door: Any, text: Any, pieces: list[bytes]) -> None:
    connection = await door.connect()
    await connection.write(b"\x0b" + b"".join(pieces) + b"\x1c\x0d")
    connection.writer.close()
    assert (await door.ask(text.vitals()))[1] == "MSA|AA|1"
