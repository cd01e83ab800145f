"""Clients that nobody here wrote: python-hl7's blocking client, its asyncio client and its command line."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import hl7
from hl7.client import MLLPClient
from hl7.mllp import open_hl7_connection


async def test_python_hl7_s_client_is_answered(door: Any, text: Any) -> None:
    def send() -> bytes:
        with MLLPClient("127.0.0.1", door.port) as client:
            answer: bytes = client.send_message(text.vitals(control="31"))
            return answer

    answer = hl7.parse((await asyncio.to_thread(send)).strip(b"\x0b\x1c\r").decode())
    assert (str(answer.segment("MSA")[1]), str(answer.segment("MSA")[2])) == ("AA", "31")
    assert len(await door.batches()) == 1


async def test_python_hl7_s_asyncio_client_is_answered_message_by_message(door: Any, text: Any) -> None:
    reader, writer = await open_hl7_connection("127.0.0.1", door.port)
    for control in ("1", "2"):
        writer.writemessage(hl7.parse(text.vitals(control=control).decode()))
        await writer.drain()
        answer = await reader.readmessage()
        assert str(answer.segment("MSA")[2]) == control
    writer.close()
    assert len(await door.batches()) == 2


async def test_mllp_send_sends_a_file_of_several_messages(door: Any, text: Any, tmp_path: Path) -> None:
    file = tmp_path / "messages.hl7"
    file.write_bytes(text.adt("A01", control="1") + text.vitals(control="2", mrn="77"))
    command = Path(sys.executable).with_name("mllp_send")
    sent = await asyncio.create_subprocess_exec(
        str(command),
        *("--loose", "--port", str(door.port), "--file", str(file), "127.0.0.1"),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await sent.communicate()
    assert sent.returncode == 0
    assert (b"MSA|AA|1" in out, b"MSA|AA|2" in out) == (True, True)
    assert (await door.bed("NICU/1/3")).infant.identifiers[0].value == "77"
