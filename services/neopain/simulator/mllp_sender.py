"""A device's side of MLLP: sends one message, waits for its acknowledgement, keeps what has none and sends it again.

The framing is its own on purpose: it tests the listener's. Frame: 0x0B, message, 0x1C 0x0D (HL7 v2 transport, MLLP R1).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass, field

from neopain.runtime.backoff import Backoff
from neopain.runtime.log import Log

LOG = Log(__name__)

START = b"\x0b"
END = b"\x1c\x0d"
ACCEPTED = {"AA", "CA"}
REFUSED = {"AE", "AR", "CE", "CR"}
LARGEST_ANSWER = 1 << 16


class _ConnectionLost(Exception):
    """The connection ended, or what came over it was no answer to what was asked."""


@dataclass(slots=True)
class Ledger:
    """What became of each message: in the end every one handed over is acknowledged, refused or waiting."""

    sent: int = 0
    """Distinct messages handed over."""
    acknowledged: list[str] = field(default_factory=list)
    """Control ids with AA or CA, in order."""
    refused: list[str] = field(default_factory=list)
    """Control ids with AE, AR, CE or CR: not sent again."""
    resent: int = 0
    """Messages sent once more after a lost connection or a missing answer."""


class MllpSender:
    """Sends messages in order over one connection that it keeps up; ``run`` does the work."""

    def __init__(self, host: str, port: int, *, name: str, answer_seconds: float = 10.0) -> None:
        self.host = host
        self.port = port
        self.name = name
        self.answer_seconds = answer_seconds
        self.ledger = Ledger()
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._news = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._tried = ""

    @property
    def waiting(self) -> int:
        """Messages without an answer so far."""
        return len(self._waiting)

    def send(self, control_id: str, message: bytes) -> None:
        """Hands a message over; it is kept until it is answered."""
        self._waiting.append((control_id, message))
        self.ledger.sent += 1
        self._news.set()
        self._settled.clear()

    async def settled(self, *, within_seconds: float) -> bool:
        """Waits until nothing is waiting; whether that was so in time."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), within_seconds)
        return not self._waiting

    async def run(self) -> None:
        """Sends until cancelled; reconnects with a growing pause."""
        backoff = Backoff(first=0.1, longest=3.0)
        while True:
            await self._news.wait()
            try:
                await self._converse(backoff)
            except (OSError, _ConnectionLost) as error:
                LOG.warning("mllp_connection_lost", sender=self.name, waiting=self.waiting, why=error)
            await asyncio.sleep(backoff.next_seconds())

    async def _converse(self, backoff: Backoff) -> None:
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=LARGEST_ANSWER)
        try:
            while True:
                while self._waiting:
                    await self._exchange(reader, writer)
                    backoff.reset()
                self._news.clear()
                self._settled.set()
                await self._news.wait()
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        control_id, message = self._waiting[0]
        self.ledger.resent += self._tried == control_id
        self._tried = control_id
        writer.write(START + message + END)
        await writer.drain()
        code = await self._answer(reader, control_id)
        (self.ledger.acknowledged if code in ACCEPTED else self.ledger.refused).append(control_id)
        if code in REFUSED:
            LOG.warning("message_refused", sender=self.name, control_id=control_id, code=code)
        self._waiting.popleft()

    async def _answer(self, reader: asyncio.StreamReader, control_id: str) -> str:
        try:
            async with asyncio.timeout(self.answer_seconds):
                while True:
                    code, about = _acknowledgement(await reader.readuntil(END))
                    if about == control_id:
                        return code
        except TimeoutError as error:
            raise _ConnectionLost(f"no answer to {control_id} in {self.answer_seconds} s") from error
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise _ConnectionLost(f"the connection ended before {control_id} was answered") from error


def _acknowledgement(frame: bytes) -> tuple[str, str]:
    """MSA-1 and MSA-2 of a framed answer."""
    text = frame.removesuffix(END).removeprefix(START).decode("ascii", errors="replace")
    for line in text.split("\r"):
        fields = line.split("|")
        if fields[0] == "MSA" and len(fields) > 2 and fields[1] in ACCEPTED | REFUSED:
            return fields[1], fields[2]
    raise _ConnectionLost("an answer without MSA-1 and MSA-2")
