"""From the reading threads to the media servers: a short queue for each camera that lets the oldest go when it is full.

A media server that does not answer must not hold up a camera, and what waits longer than a window's lateness is of no
use: so the newest is kept.
"""

from __future__ import annotations

import asyncio
from collections import deque

from neopain.bus.bus import Bus
from neopain.domain.media import AudioChunk, FaceFrame
from neopain.errors import BusUnavailable
from neopain.ingest.camera.intake import Fact
from neopain.ingest.media.publishing import publish_audio, publish_frame, publish_movement
from neopain.runtime.log import Log
from neopain.runtime.metrics import counter

LOG = Log(__name__)

MOST_WAITING = 64
"""About two seconds of a camera with a microphone."""


class Outlet:
    """What waits of one camera, and the task that publishes it. Made within the running loop."""

    def __init__(self, name: str, bus: Bus) -> None:
        self.name = name
        self.bus = bus
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Fact] = deque(maxlen=MOST_WAITING)
        self._some = asyncio.Event()
        self._is_closed = False
        self._is_away = False
        """Whether the bed's media server did not take the last fact."""
        self._dropped = 0
        """Since a fact was taken."""

    def give(self, facts: list[Fact]) -> None:
        """Takes facts from any thread; never waits."""
        if facts:
            self._loop.call_soon_threadsafe(self._add, facts)

    def close(self) -> None:
        """Ends ``publish`` when it has published what it is at; what still waits is late anyway."""
        self._is_closed = True
        self._some.set()

    async def publish(self) -> None:
        """Publishes what waits, in its order, until closed."""
        while not self._is_closed:
            await self._some.wait()
            self._some.clear()
            while self._waiting and not self._is_closed:
                await self._publish_one(self._waiting.popleft())

    def _add(self, facts: list[Fact]) -> None:
        lost = max(len(self._waiting) + len(facts) - MOST_WAITING, 0)
        if lost:
            self._drop(lost)
        self._waiting.extend(facts)
        self._some.set()

    async def _publish_one(self, fact: Fact) -> None:
        try:
            await _publish(self.bus, fact)
        except BusUnavailable as error:
            if not self._is_away:
                LOG.warning("bus_unavailable", camera=self.name, why=error)
            self._is_away = True
            self._drop(1)
        else:
            if self._is_away:
                LOG.info("bus_is_back", camera=self.name, dropped=self._dropped)
            self._is_away, self._dropped = False, 0

    def _drop(self, facts: int) -> None:
        counter("ingest_camera_dropped_total").labels(self.name).inc(facts)
        self._dropped += facts


async def _publish(bus: Bus, fact: Fact) -> None:
    if isinstance(fact, FaceFrame):
        await publish_frame(bus, fact)
    elif isinstance(fact, AudioChunk):
        await publish_audio(bus, fact)
    else:
        await publish_movement(bus, fact)
