"""One stream of a device: numbered, held until its receipt, kept up over breaks.

A live stream (frames, sound) drops its oldest messages when they cannot be sent in time. A kept one (vitals) drops
none: it takes no more when it is full, and says so.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc

from neopain.errors import BufferFull, MalformedMessage
from neopain.runtime.backoff import Backoff
from neopain.runtime.log import Log
from neopain.wire.v1 import device_pb2 as pb

LOG = Log(__name__)

M = TypeVar("M", pb.DeviceFrame, pb.DeviceAudio, pb.DeviceVitals)
Metadata = tuple[tuple[str, str], ...]
OpenCall = Callable[[Metadata], "grpc.aio.StreamStreamCall[Any, pb.Receipt]"]

NEEDS_A_PERSON = frozenset(
    {
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
"""What another try alone does not mend: tried again at the longest pause, since somebody may mend it at the server."""
REFUSALS_KEPT = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """``held`` messages wait at most, ``unanswered`` of them on the wire; a receipt or the greeting that takes longer
    than ``answer_seconds`` is a break. Larger messages than ``largest_bytes`` are not taken."""

    held: int
    unanswered: int = 64
    answer_seconds: float = 20.0
    largest_bytes: int = 32 * 1024 * 1024
    first_pause_seconds: float = 0.2
    longest_pause_seconds: float = 30.0


@dataclass(slots=True)
class StreamCount:
    """What became of one stream's messages."""

    taken: int = 0
    """Given a number."""
    accepted: int = 0
    """Safely on their server, by a receipt or by what the server said after a break."""
    refused: int = 0
    """Refused for good: what is wrong stands in ``refusals``."""
    dropped: int = 0
    """Frames and sound that could not be sent in time; vitals that ``give_up_oldest`` let go."""
    breaks: int = 0
    """Calls that ended before they were to."""


@dataclass(slots=True)
class _Held(Generic[M]):
    message: M
    sent_at: float = 0.0


class _Stalled(Exception):
    """A receipt or the greeting did not come in time."""


class DeviceStream(Generic[M]):
    """One stream. ``keeps`` says that nothing may be dropped."""

    def __init__(self, open_call: OpenCall, *, name: str, keeps: bool, limits: Limits) -> None:
        self.name = name
        self.count = StreamCount()
        self.refusals: deque[tuple[int, str]] = deque(maxlen=REFUSALS_KEPT)
        """Numbers and reasons of the last refused messages."""
        self.trouble = ""
        """Why nothing goes through now; empty when it does."""
        self.series = uuid.uuid4().hex
        self._open_call = open_call
        self._keeps = keeps
        self._limits = limits
        self._waiting: deque[_Held[M]] = deque()
        self._unanswered: deque[_Held[M]] = deque()
        self._next_expected = 0
        self._changed = asyncio.Condition()
        self._news = asyncio.Event()

    @property
    def held(self) -> int:
        """Messages without a receipt."""
        return len(self._waiting) + len(self._unanswered)

    def send(self, message: M) -> int:
        """Takes a copy of a message and returns its number; it goes out when it can. The message may be used again.

        Raises ``BufferFull`` where nothing may be dropped and no more can be held: the message was not taken. Raises
        ``MalformedMessage`` for one that the server would not take for its size.
        """
        if message.ByteSize() > self._limits.largest_bytes:
            raise MalformedMessage("message", f"{message.ByteSize()} bytes, at most {self._limits.largest_bytes}")
        if self.held >= self._limits.held:
            self._make_room()
        self.count.taken += 1
        own = type(message)()
        own.CopyFrom(message)
        own.sequence = self.count.taken
        self._waiting.append(_Held(own))
        self._news.set()
        return self.count.taken

    def give_up_oldest(self, count: int) -> int:
        """Lets go of up to so many of the oldest messages that wait, and tells the server; returns how many went."""
        gone = min(count, len(self._waiting))
        for _ in range(gone):
            self._waiting.popleft()
        self.count.dropped += gone
        return gone

    async def settled(self, *, within_seconds: float) -> bool:
        """Waits until every message has its receipt; False when that takes longer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_seconds), self._changed:
                await self._changed.wait_for(lambda: not self.held)
        return not self.held

    async def run(self) -> None:
        """Sends until cancelled. Opens its call when there is something to send, anew after each break."""
        backoff = Backoff(first=self._limits.first_pause_seconds, longest=self._limits.longest_pause_seconds)
        while True:
            await self._something_waits()
            before = self.count.accepted + self.count.refused
            pause = await self._one_call()
            if self.count.accepted + self.count.refused > before:
                backoff.reset()
            await asyncio.sleep(pause if pause is not None else backoff.next_seconds())

    def _make_room(self) -> None:
        if self._keeps or not self._waiting:
            trouble = f" ({self.trouble})" if self.trouble else ""
            raise BufferFull(f"{self.name}: {self.held} messages wait for a receipt{trouble}: this one was not taken")
        self._waiting.popleft()
        self.count.dropped += 1

    async def _one_call(self) -> float | None:
        """Returns how long to pause, None for what the back-off says."""
        pause = None
        try:
            async with self._opened() as call:
                await self._greeted(call)
                await self._exchanged(call)
            self.trouble = "the server ended the call"
        except grpc.aio.AioRpcError as error:
            self.trouble = f"{error.code().name}: {error.details()}"
            pause = self._limits.longest_pause_seconds if error.code() in NEEDS_A_PERSON else None
        except _Stalled:
            self.trouble = f"no answer within {self._limits.answer_seconds:g} s"
        self.count.breaks += 1
        LOG.warning("device_stream_broke", stream=self.name, held=self.held, why=self.trouble)
        self._waiting.extendleft(reversed(self._unanswered))
        self._unanswered.clear()
        return pause

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[grpc.aio.StreamStreamCall[M, pb.Receipt]]:
        call = self._open_call((("neopain-series", self.series),))
        try:
            yield call
        finally:
            call.cancel()

    async def _greeted(self, call: grpc.aio.StreamStreamCall[M, pb.Receipt]) -> None:
        try:
            async with asyncio.timeout(self._limits.answer_seconds):
                greeting = await call.read()
        except TimeoutError as error:
            raise _Stalled from error
        if not isinstance(greeting, pb.Receipt):
            await _raise_status(call)
            raise _Stalled
        while self._waiting and self._waiting[0].message.sequence <= greeting.sequence:
            self._waiting.popleft()
            self.count.accepted += 1
        # The server takes no gap that is not said. 0: it knows nothing of the series, and then any number will do.
        self._next_expected = greeting.sequence + 1 if greeting.sequence else 0
        self.trouble = ""
        await self._tell()

    async def _exchanged(self, call: grpc.aio.StreamStreamCall[M, pb.Receipt]) -> None:
        tasks = [asyncio.create_task(one(call)) for one in (self._write, self._read, self._watch)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await _raise_status(call)

    async def _write(self, call: grpc.aio.StreamStreamCall[M, pb.Receipt]) -> None:
        while not call.done():
            if not self._waiting or len(self._unanswered) >= self._limits.unanswered:
                self._news.clear()
                await self._news.wait()
                continue
            one = self._waiting.popleft()
            one.sent_at = time.monotonic()
            self._unanswered.append(one)
            self._stamp(one.message)
            try:
                await call.write(one.message)
            except asyncio.InvalidStateError:
                return

    def _stamp(self, message: M) -> None:
        message.sent_us = time.time_ns() // 1000
        if isinstance(message, pb.DeviceVitals):
            missing = message.sequence - self._next_expected if self._next_expected else 0
            message.given_up = max(missing, 0)
        self._next_expected = message.sequence + 1

    async def _read(self, call: grpc.aio.StreamStreamCall[M, pb.Receipt]) -> None:
        while isinstance(receipt := await call.read(), pb.Receipt):
            while self._unanswered and self._unanswered[0].message.sequence <= receipt.sequence:
                self._unanswered.popleft()
            self.count.accepted += receipt.accepted
            self.count.refused += receipt.refused
            if receipt.refused:
                self.refusals.append((receipt.sequence, receipt.refusal))
                LOG.warning("device_message_refused", stream=self.name, sequence=receipt.sequence, why=receipt.refusal)
            self._news.set()
            await self._tell()

    async def _watch(self, _: grpc.aio.StreamStreamCall[M, pb.Receipt]) -> None:
        patience = self._limits.answer_seconds
        while True:
            await asyncio.sleep(patience / 4)
            if self._unanswered and time.monotonic() - self._unanswered[0].sent_at > patience:
                raise _Stalled

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _something_waits(self) -> None:
        while not self._waiting:
            self._news.clear()
            await self._news.wait()


async def _raise_status(call: grpc.aio.StreamStreamCall[Any, pb.Receipt]) -> None:
    code = await call.code()
    if code is not grpc.StatusCode.OK:
        details = await call.details()
        raise grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details, None)
