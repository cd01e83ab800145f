"""What ours is compared with: asyncio listeners that parse with hl7apy or python-hl7 and acknowledge from memory.

``python -m neopain.bootstrap.ingest_bench.listeners hl7apy PORT``.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

START, END = b"\x0b", b"\x1c\r"
Serve = Callable[[int], Coroutine[Any, Any, None]]


async def serve_hl7apy(port: int) -> None:
    """MLLP by hand, each message parsed with hl7apy, its answer built with hl7apy."""
    from hl7apy.core import Message
    from hl7apy.parser import parse_message

    def answer(frame: bytes) -> bytes:
        parsed = parse_message(frame.decode(), find_groups=False)
        reply = Message("ACK", version="2.6")
        reply.msh.msh_9 = "ACK^R01^ACK"
        reply.msh.msh_10 = parsed.msh.msh_10.value
        reply.add_segment("MSA")
        reply.msa.msa_1 = "AA"
        reply.msa.msa_2 = parsed.msh.msh_10.value
        return str(reply.to_er7()).encode()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                frame = await reader.readuntil(END)
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            writer.write(START + answer(frame[1 : -len(END)]) + END)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", port, backlog=512)
    await server.serve_forever()


async def serve_python_hl7(port: int) -> None:
    """python-hl7's own asyncio server, as its documentation shows it."""
    from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server

    async def converse(reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        while not writer.is_closing():
            try:
                message = await reader.readmessage()
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            writer.writemessage(message.create_ack())
            await writer.drain()
        writer.close()

    async with await start_hl7_server(converse, "127.0.0.1", port, backlog=512) as server:
        await server.serve_forever()


LISTENERS: dict[str, Serve] = {"hl7apy": serve_hl7apy, "python-hl7": serve_python_hl7}


def main() -> None:
    """Serves until it is ended."""
    asyncio.run(LISTENERS[sys.argv[1]](int(sys.argv[2])))


if __name__ == "__main__":
    main()
