"""Clients that nobody here wrote: python-hl7's blocking client, its asyncio client, its command line; node-hl7-client.

The asyncio client over TLS stands in ``test_tls.py``; the other two of python-hl7 speak plain TCP only.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Any

import hl7
import pytest
from hl7.client import MLLPClient
from hl7.mllp import open_hl7_connection

from neopain.embedded.npm import node, run_npm_ci

from ...certificates import NEEDS_OPENSSL, Authority

NODE_CLIENT = Path(__file__).with_name("node_client")


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


@pytest.fixture(scope="module")
def node_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with node-hl7-client, installed from its lock."""
    folder = tmp_path_factory.mktemp("node") / "client"
    shutil.copytree(NODE_CLIENT, folder)
    run_npm_ci(folder)
    return folder


async def answers_to_node(folder: Path, port: int, *tls: Path) -> str:
    """What node-hl7-client was answered to two admissions."""
    argv = [str(node()), "send.mjs", str(port), *map(str, tls)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*argv, cwd=folder, stdout=pipe, stderr=pipe)
    out, told = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, told.decode()
    return out.decode()


async def test_node_hl7_client_is_answered(door: Any, node_client: Path) -> None:
    assert await answers_to_node(node_client, door.port) == "AA N1\nAA N2\n"
    assert (await door.bed("NICU/1/3")).infant.identifiers[0].value == "77"


@NEEDS_OPENSSL
async def test_node_hl7_client_is_answered_over_mutual_tls(
    opening: Any, address: Any, node_client: Path, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    door_s, sender_s, ca = authority.issue("door"), authority.issue("sender"), authority.own.certificate
    tls = {"hl7_tls_certificate": door_s.certificate, "hl7_tls_key": door_s.key, "hl7_tls_client_ca": ca}
    async with opening(address, **tls, hl7_allowed_names=["sender"]) as door:
        answers = await answers_to_node(node_client, door.port, ca, sender_s.certificate, sender_s.key)
    assert answers == "AA N1\nAA N2\n"
