"""A device: its three streams over one channel.

::

    async with DeviceClient(Target("neopain.ward:50051", token=token, authority=ca), device="gateway-7") as device:
        device.vitals.send(pb.DeviceVitals(bed="NICU/1/1@H", values=[...]))
        device.frames.send(pb.DeviceFrame(bed="NICU/1/1@H", format=pb.PIXEL_FORMAT_JPEG, data=jpeg))
        await device.settled(within_seconds=10)
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Self

from neopain.client.channel import Target, sendable
from neopain.client.stream import DeviceStream, Limits, Metadata, OpenCall
from neopain.wire.v1 import device_pb2 as pb
from neopain.wire.v1.device_pb2_grpc import DeviceIngestStub


@dataclass(frozen=True, slots=True)
class DeviceLimits:
    """Of each stream: two seconds of frames and some of sound, half a day of vitals twice a second."""

    frames: Limits = field(default_factory=lambda: Limits(held=16, unanswered=4))
    audio: Limits = field(default_factory=lambda: Limits(held=20, unanswered=8))
    vitals: Limits = field(default_factory=lambda: Limits(held=100_000))


class DeviceClient:
    """Sends while it is open, as a context. ``device`` is the name in the site's file, or ``<name>/<part>``;
    ``processing`` is P, D or T as in MSH-11: whatever is no real infant must send T.

    ``ConfigurationError`` when token or name cannot be sent, or a file of the target cannot be read."""

    def __init__(
        self, target: Target, *, device: str, processing: str = "P", limits: DeviceLimits | None = None
    ) -> None:
        limits = limits or DeviceLimits()
        self._metadata: Metadata = (
            *target.metadata(),
            ("neopain-device", sendable("device's name", device)),
            ("neopain-processing", processing),
        )
        self._channel = target.channel()
        stub = DeviceIngestStub(self._channel)
        self.frames: DeviceStream[pb.DeviceFrame] = DeviceStream(
            self._opening(stub.StreamFrames), name="frames", keeps=False, limits=limits.frames
        )
        self.audio: DeviceStream[pb.DeviceAudio] = DeviceStream(
            self._opening(stub.StreamAudio), name="audio", keeps=False, limits=limits.audio
        )
        self.vitals: DeviceStream[pb.DeviceVitals] = DeviceStream(
            self._opening(stub.StreamVitals), name="vitals", keeps=True, limits=limits.vitals
        )
        self._running: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Begins to send."""
        self._running = [asyncio.create_task(one.run()) for one in (self.frames, self.audio, self.vitals)]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stops at once, whatever still waits: ask ``settled`` before."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._channel.close(None)

    async def settled(self, *, within_seconds: float) -> bool:
        """Waits until every message of every stream has its receipt; False when that takes longer."""
        streams: tuple[DeviceStream[Any], ...] = (self.frames, self.audio, self.vitals)
        return all(await asyncio.gather(*(one.settled(within_seconds=within_seconds) for one in streams)))

    def _opening(self, method: Any) -> OpenCall:
        return lambda metadata: method(metadata=(*self._metadata, *metadata))
