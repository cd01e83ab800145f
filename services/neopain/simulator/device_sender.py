"""A camera host's side of the device API: one stream each of frames, sound and vitals, kept up and counted.

Frames and sound are live: what cannot be sent in time is dropped, oldest first. Vitals are kept and sent again until a
receipt covers them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar

import grpc

from neopain.runtime.backoff import Backoff
from neopain.runtime.log import Log
from neopain.wire.v1 import device_pb2 as pb
from neopain.wire.v1.device_pb2_grpc import DeviceIngestStub

LOG = Log(__name__)

DEVICE_KEY = "neopain-device"
PROCESSING_KEY = "neopain-processing"
TRAINING = "T"
"""As MSH-11: without it the vitals would count as those of a real infant."""
FRAMES_HELD = 15
AUDIO_HELD = 20
VITALS_HELD = 100_000
CHANNEL_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
)


class Numbered(Protocol):
    """A message of the device API: it carries the number that receipts speak of."""

    sequence: int


M = TypeVar("M", bound=Numbered)
OpenStream = Callable[[AsyncIterator[M]], AsyncIterable[pb.Receipt]]


@dataclass(slots=True)
class StreamCount:
    """What became of one stream's messages."""

    sent: int = 0
    """Handed to the stream, including what was dropped; not counting a second sending."""
    accepted: int = 0
    refused: int = 0
    dropped: int = 0
    refusal: str = ""
    """The last reason of a refusal."""


class DeviceStream(Generic[M]):
    """One stream of one kind. ``held`` is how many messages may wait; ``resends`` keeps them until a receipt."""

    def __init__(self, open_stream: OpenStream[M], *, name: str, held: int, resends: bool) -> None:
        self.name = name
        self.count = StreamCount()
        self._open = open_stream
        self._held = held
        self._resends = resends
        self._waiting: deque[M] = deque()
        self._unreceipted: deque[M] = deque()
        self._news = asyncio.Event()
        self._finished = False
        self._connection = 0

    @property
    def waiting(self) -> int:
        """Messages not sent so far, and those that must be but have no receipt."""
        return len(self._waiting) + len(self._unreceipted)

    def send(self, message: M) -> None:
        """Numbers the message and hands it over."""
        self.count.sent += 1
        message.sequence = self.count.sent
        self._waiting.append(message)
        if len(self._waiting) > self._held:
            self._waiting.popleft()
            self.count.dropped += 1
        self._news.set()

    def finish(self) -> None:
        """No more is coming: ``run`` returns when what waits has its receipts or the connection is gone."""
        self._finished = True
        self._news.set()

    async def run(self) -> None:
        """Sends until finished; opens the stream again with a growing pause."""
        backoff = Backoff(first=0.1, longest=3.0)
        while self._waiting or not self._finished:
            try:
                async for receipt in self._open(self._outgoing(self._connection)):
                    self._take(receipt)
                    backoff.reset()
            except grpc.aio.AioRpcError as error:
                LOG.warning("device_stream_lost", stream=self.name, waiting=self.waiting, why=error.code().name)
            self._connection += 1
            self._put_back()
            if self._finished:
                return
            await asyncio.sleep(backoff.next_seconds())

    async def _outgoing(self, connection: int) -> AsyncIterator[M]:
        # The iterator of a lost connection may still wait here: it must not take what is the next one's, not even while
        # there is no next one. A message that it took would count as sent.
        while connection == self._connection:
            while self._waiting and connection == self._connection:
                message = self._waiting.popleft()
                if self._resends:
                    self._unreceipted.append(message)
                yield message
            if self._finished:
                return
            self._news.clear()
            await self._news.wait()

    def _take(self, receipt: pb.Receipt) -> None:
        self.count.accepted += receipt.accepted
        self.count.refused += receipt.refused
        while self._unreceipted and self._unreceipted[0].sequence <= receipt.sequence:
            self._unreceipted.popleft()
        if receipt.refused:
            self.count.refusal = receipt.refusal
            LOG.warning("device_message_refused", stream=self.name, count=receipt.refused, why=receipt.refusal)

    def _put_back(self) -> None:
        self._waiting.extendleft(reversed(self._unreceipted))
        self._unreceipted.clear()


class DeviceSender:
    """The streams of one bed's camera host over a channel that beds share."""

    def __init__(self, channel: grpc.aio.Channel, *, bed: str) -> None:
        stub = DeviceIngestStub(channel)
        metadata = ((DEVICE_KEY, f"simulator {bed}"), (PROCESSING_KEY, TRAINING))
        self.frames: DeviceStream[pb.DeviceFrame] = DeviceStream(
            partial(stub.StreamFrames, metadata=metadata), name=f"{bed} frames", held=FRAMES_HELD, resends=False
        )
        self.audio: DeviceStream[pb.DeviceAudio] = DeviceStream(
            partial(stub.StreamAudio, metadata=metadata), name=f"{bed} audio", held=AUDIO_HELD, resends=False
        )
        self.vitals: DeviceStream[pb.DeviceVitals] = DeviceStream(
            partial(stub.StreamVitals, metadata=metadata), name=f"{bed} vitals", held=VITALS_HELD, resends=True
        )

    async def run(self) -> None:
        """Runs the three streams until they are finished."""
        await asyncio.gather(self.frames.run(), self.audio.run(), self.vitals.run())

    def finish(self) -> None:
        """No more is coming on any stream."""
        for stream in (self.frames, self.audio, self.vitals):
            stream.finish()


def device_channel(target: str) -> grpc.aio.Channel:
    """A channel to the device API at host:port, without TLS."""
    return grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS)
