"""Numbered messages: how far a series of a device is kept, and each number of it put on its server once.

The position lies beside what it speaks of and moves with it in one script: on the bus for vitals, on each media server
for the beds that are kept there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import Any, cast

from redis.asyncio import Redis

from neopain.bus import scripts
from neopain.bus.bus import Bus
from neopain.bus.connection import translated
from neopain.bus.group_commit import GroupCommit
from neopain.bus.streams import Server, StreamSpec
from neopain.domain.identity import BedId
from neopain.errors import BusUnavailable

POSITION_LIFE = timedelta(days=7)
"""How long a series that falls silent is remembered on the bus."""
MEDIA_POSITION_LIFE = timedelta(minutes=10)
"""The same on a media server: what is older has gone from its streams long since."""
HIGHEST_NUMBER = 2**53 - 1
"""The servers' scripts count in doubles."""


@dataclass(frozen=True, slots=True)
class Number:
    """A message's place. Numbers above ``floor`` and below its own are accounted for: refused, or given up unsent."""

    series: str
    sequence: int
    floor: int


class OutOfOrder(Exception):
    """Numbers before this one are missing on the bus: nothing was written. ``kept`` is the last that is there."""

    def __init__(self, kept: int) -> None:
        super().__init__(f"kept up to {kept}")
        self.kept = kept


@dataclass(frozen=True, slots=True)
class _Placed:
    keys: tuple[str, str]
    arguments: tuple[bytes, int, int, int, str]


class SeriesPublisher:
    """Publishes numbered messages on a bus and its media servers.

    Every method raises ``BusUnavailable`` when a server does not answer or refuses to take more.
    """

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self._together = GroupCommit(self._publish_together)

    async def kept(self, server: Server, series: str) -> int:
        """The last number of a series that is on its server, 0 when none is known.

        Of the media servers those that answer are asked: where one is away, what it has is sent again, and known there.
        """
        if server is Server.BUS:
            with translated("position"):
                found = await self.bus.durable.get(self._position(series))
            return int(found or 0)
        answers = await asyncio.gather(*(self._kept_by(one, series) for one in self.bus.media), return_exceptions=True)
        numbers = [one for one in answers if isinstance(one, int)]
        for failure in answers:
            if isinstance(failure, BaseException) and (not numbers or not isinstance(failure, BusUnavailable)):
                raise failure
        return max(numbers)

    async def publish(self, stream: StreamSpec, payload: bytes, *, bed: BedId, number: Number) -> bool:
        """Adds an entry of the bus unless its number is kept already; returns whether it was added now.

        On disk when this returns. Raises ``OutOfOrder`` when numbers between the position and ``floor`` are missing.
        """
        life = int(POSITION_LIFE.total_seconds() * 1000)
        placed = _Placed(
            (self._position(number.series), self.bus.stream_key(stream, bed)),
            (payload, number.sequence, number.floor, life, bed if stream.is_input else ""),
        )
        with translated(f"publish in order to {stream.name}"):
            return await self._together.add(placed)

    async def publish_media(
        self, entries: Sequence[tuple[StreamSpec, bytes]], *, bed: BedId, series: str, sequence: int
    ) -> bool:
        """Adds what one message gave for a bed to its media server, all of it or nothing, unless that number was there
        before; returns whether it was added now."""
        life = int(MEDIA_POSITION_LIFE.total_seconds() * 1000)
        keys = [self._position(series), self.bus.key("beds"), *(self.bus.stream_key(one, bed) for one, _ in entries)]
        arguments: list[Any] = [bed, sequence, life]
        for stream, payload in entries:
            arguments += [payload, _oldest_kept(stream), stream.most_entries or ""]
        with translated("publish media in order"):
            return bool(await _run(self.bus.media_server_for(bed), scripts.PUBLISH_MEDIA_IN_ORDER, keys, arguments))

    async def _publish_together(self, batch: Sequence[_Placed]) -> list[bool | Exception]:
        keys = [*chain.from_iterable(one.keys for one in batch), self.bus.key("beds")]
        arguments = list(chain.from_iterable(one.arguments for one in batch))
        found = await _run(self.bus.durable, scripts.PUBLISH_IN_ORDER, keys, arguments)
        return [_answer(outcome, kept) for outcome, kept in zip(found[::2], found[1::2], strict=True)]

    async def _kept_by(self, server: Redis, series: str) -> int:
        with translated("position"):
            found = await cast("Any", server.hvals(self._position(series)))
        return max((int(one) for one in found), default=0)

    def _position(self, series: str) -> str:
        return self.bus.key("position", series)


def _answer(outcome: object, kept: object) -> bool | Exception:
    if isinstance(outcome, Exception):
        return outcome
    return OutOfOrder(int(str(kept))) if outcome == scripts.GAP else outcome == scripts.ADDED


def _oldest_kept(stream: StreamSpec) -> int:
    retention = stream.retention or timedelta.max
    return max(int((time.time() - retention.total_seconds()) * 1000), 0)


async def _run(server: Redis, script: str, keys: list[str], arguments: list[Any]) -> Any:
    return await cast("Any", server.eval(script, len(keys), *keys, *arguments))
