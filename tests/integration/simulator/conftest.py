"""A small MLLP listener and a small device API, whose answers and deaths a test decides."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest

from neopain.wire.v1 import device_pb2 as pb
from neopain.wire.v1.device_pb2_grpc import DeviceIngestServicer, add_DeviceIngestServicer_to_server

from ...streams import close_server

LOOPBACK = "127.0.0.1"
Until = Callable[[Callable[[], bool]], Awaitable[None]]


@pytest.fixture
def until() -> Until:
    """Waits until something holds; fails after ten seconds."""

    async def wait(holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10.0
        while not holds():
            assert time.monotonic() < deadline, "it did not come to hold in ten seconds"
            await asyncio.sleep(0.01)

    return wait


class Listener:
    """An MLLP listener. ``answers`` holds what the next messages get, then all get AA; ``die`` closes unanswered."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.messages: list[str] = []
        self.answers: list[str] = []
        self.pieces = 1
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            await close_server(self._server, self._writers)
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                frame = await reader.readuntil(b"\x1c\r")
                text = frame[1:-2].decode()
                control_id = text.split("|")[9]
                self.messages.append(text)
                self.received.append(control_id)
                if not await self._answer(writer, self.answers.pop(0) if self.answers else "AA", control_id):
                    break
        self._writers.discard(writer)
        writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, code: str, control_id: str) -> bool:
        match code:
            case "die":
                return False
            case "silence":
                return True
            case "another":
                frames = [("AA", "not-this-one"), ("AA", control_id)]
            case _:
                frames = [(code, control_id)]
        for one, about in frames:
            await self._write(
                writer, f"\x0bMSH|^~\\&|||||20260701120000||ACK|x|T|2.6\rMSA|{one}|{about}\r\x1c\r".encode()
            )
        return True

    async def _write(self, writer: asyncio.StreamWriter, frame: bytes) -> None:
        size = -(-len(frame) // self.pieces)
        for start in range(0, len(frame), size):
            writer.write(frame[start : start + size])
            await writer.drain()
            await asyncio.sleep(0)


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    """A listener that listens."""
    one = Listener()
    await one.start()
    yield one
    await one.stop()


class DeviceApi(DeviceIngestServicer):
    """A device API that remembers what it took, and knows of no series."""

    def __init__(self) -> None:
        self.frames: list[pb.DeviceFrame] = []
        self.audio: list[pb.DeviceAudio] = []
        self.vitals: list[pb.DeviceVitals] = []
        self.metadata: dict[str, str] = {}
        self.port = 0
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        add_DeviceIngestServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"{LOOPBACK}:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0)
            self._server = None

    @property
    def target(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    async def StreamFrames(self, request_iterator: Any, context: Any) -> AsyncIterator[pb.Receipt]:  # noqa: N802
        async for receipt in self._receipts(request_iterator, context, self.frames):
            yield receipt

    async def StreamAudio(self, request_iterator: Any, context: Any) -> AsyncIterator[pb.Receipt]:  # noqa: N802
        async for receipt in self._receipts(request_iterator, context, self.audio):
            yield receipt

    async def StreamVitals(self, request_iterator: Any, context: Any) -> AsyncIterator[pb.Receipt]:  # noqa: N802
        async for receipt in self._receipts(request_iterator, context, self.vitals):
            yield receipt

    async def _receipts(self, messages: Any, context: Any, taken: list[Any]) -> AsyncIterator[pb.Receipt]:
        self.metadata = dict(context.invocation_metadata())
        yield pb.Receipt()
        async for message in messages:
            taken.append(message)
            yield pb.Receipt(sequence=message.sequence, accepted=1)


@pytest.fixture
async def device_api() -> AsyncIterator[DeviceApi]:
    """A device API that listens."""
    one = DeviceApi()
    await one.start()
    yield one
    await one.stop()
