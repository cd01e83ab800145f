"""Consumer groups: take, claim what a crashed member left behind, acknowledge, put aside what cannot be processed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from redis import exceptions as redis_errors

from neopain.bus.bus import Bus, Entry, entries_of
from neopain.bus.connection import translated
from neopain.bus.streams import StreamSpec


@dataclass(frozen=True, slots=True)
class Delivery:
    """An entry in this consumer's hands, and how often it has been delivered to anyone."""

    entry: Entry
    times: int


class Consumer:
    """One member of a consumer group on one stream. ``name`` must be this process's own and stay its own.

    Every method raises ``BusUnavailable`` when the bus does not answer.
    """

    def __init__(self, bus: Bus, stream: StreamSpec, *, group: str, name: str) -> None:
        self.bus = bus
        self.stream = stream
        self.group = group
        self.name = name
        self._key = bus.stream_key(stream)
        self._server = bus.server_of(stream)
        self._claim_cursor = "0-0"

    async def join(self) -> None:
        """Makes the group if it is not there, from the stream's beginning: nothing published earlier is lost."""
        with translated(f"XGROUP CREATE {self.stream.name}"):
            try:
                await self._server.xgroup_create(self._key, self.group, id="0", mkstream=True)
            except redis_errors.ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise

    async def take(self, *, count: int, wait: timedelta) -> list[Delivery]:
        """Up to ``count`` new entries; waits that long for the first one."""
        with translated(f"XREADGROUP {self.stream.name}"):
            try:
                found = await self._server.xreadgroup(
                    self.group,
                    self.name,
                    {self._key: ">"},
                    count=count,
                    block=max(int(wait.total_seconds() * 1000), 1),
                )
            except redis_errors.ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
                await self.join()
                return []
        return [Delivery(entry, 1) for entry in _entries(found)]

    async def take_own(self, *, count: int) -> list[Delivery]:
        """What this member took and never acknowledged: asked once after a restart under the same name."""
        with translated(f"XREADGROUP {self.stream.name}"):
            found = await self._server.xreadgroup(self.group, self.name, {self._key: "0"}, count=count)
        return [await self._counted(entry) for entry in _entries(found)]

    async def claim(self, *, count: int, idle: timedelta) -> list[Delivery]:
        """Takes over entries that another member has held for longer than ``idle``."""
        with translated(f"XAUTOCLAIM {self.stream.name}"):
            try:
                reply = await self._server.xautoclaim(
                    self._key,
                    self.group,
                    self.name,
                    min_idle_time=int(idle.total_seconds() * 1000),
                    start_id=self._claim_cursor,
                    count=count,
                )
            except redis_errors.ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
                await self.join()
                return []
        cursor, page = cast("tuple[bytes, object]", (reply[0], reply[1]))
        self._claim_cursor = cursor.decode()
        return [await self._counted(entry) for entry in entries_of(page)]

    async def acknowledge(self, *entry_ids: str) -> None:
        """Says that the entries are done with."""
        if entry_ids:
            with translated(f"XACK {self.stream.name}"):
                await self._server.xack(self._key, self.group, *entry_ids)

    async def is_drained(self) -> bool:
        """Whether everything published before this was asked has been taken and acknowledged by the group."""
        with translated(f"XINFO {self.stream.name}"):
            try:
                async with self._server.pipeline(transaction=False) as pipe:
                    pipe.xinfo_stream(self._key)
                    pipe.xinfo_groups(self._key)
                    stream, groups = await pipe.execute()
            except redis_errors.ResponseError as error:
                if "no such key" not in str(error):
                    raise
                return False
        group = next((one for one in groups if one["name"] == self.group.encode()), None)
        if group is None or group["pending"]:
            return False
        return _parts(group["last-delivered-id"]) >= _parts(stream["last-generated-id"])

    async def _counted(self, entry: Entry) -> Delivery:
        with translated(f"XPENDING {self.stream.name}"):
            found = await self._server.xpending_range(self._key, self.group, min=entry.id, max=entry.id, count=1)
        return Delivery(entry, int(found[0]["times_delivered"]) if found else 1)


def _parts(entry_id: bytes) -> tuple[int, int]:
    milliseconds, _, sequence = entry_id.decode().partition("-")
    return int(milliseconds), int(sequence)


def _entries(reply: object) -> list[Entry]:
    # RESP2 gives [[key, page]], RESP3 {key: [page]}.
    if not reply:
        return []
    pages = (
        [page for _, page in reply]
        if isinstance(reply, list)
        else [page[0] for page in cast("dict[bytes, list[object]]", reply).values()]
    )
    return [entry for page in pages for entry in entries_of(page)]
