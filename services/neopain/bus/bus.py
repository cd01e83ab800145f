"""Publishing, reading back, trimming. Knows keys and servers; knows nothing of what is in a payload."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, TypeVar, cast

from redis.asyncio import Redis

from neopain.bus import scripts
from neopain.bus.connection import (
    BusAddress,
    connect,
    require_durable,
    shard_of,
    translated,
    translation_of,
)
from neopain.bus.group_commit import GroupCommit
from neopain.bus.shard import PATIENCE_SECONDS, Shard, beds_since
from neopain.bus.streams import STREAMS, WINDOW_STREAMS, Server, StreamSpec
from neopain.domain.identity import BedId, is_recording
from neopain.errors import BusUnavailable

T = TypeVar("T")

FIELD = b"p"
MARK_LIFE = timedelta(hours=1)
"""How long a message is recognised as a duplicate."""
RECORDING_LIFE = timedelta(hours=1)
"""What an interrupted recording left on the bus goes after this."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a stream: its id (``<arrival ms>-<n>``) and its payload."""

    id: str
    payload: bytes


class Published(NamedTuple):
    """Where a payload lies, and whether it was this call that put it there."""

    id: str
    is_new: bool


class LastIds(NamedTuple):
    """The last id of each of a bed's window streams, without those on a media server that does not answer."""

    ids: dict[str, str]
    is_media_away: bool


class _Marked(NamedTuple):
    """One publication of ``publish_once``, as its script takes it, and the name of its stream."""

    stream: str
    keys: tuple[str, str]
    arguments: tuple[bytes, str, str]


class Bus:
    """The streams of one namespace on the bus and its media servers.

    Every method raises ``BusUnavailable`` when a server that it needs does not answer or refuses to take more.
    """

    def __init__(self, address: BusAddress) -> None:
        self.address = address
        self.durable: Redis = connect(address.bus_url)
        self.media: list[Redis] = [connect(url) for url in address.media_urls]
        self._shards = [Shard(server) for server in self.media]
        self._marked = GroupCommit(self._publish_marked)

    async def aclose(self) -> None:
        """Closes every connection."""
        await asyncio.gather(*(server.aclose() for server in (self.durable, *self.media)))

    async def check(self) -> None:
        """Refuses servers that break the promises: see ``require_durable`` and ``require_volatile``.

        A media server may be away as long as another one answers. Nothing is put on it until a check finds it fit.
        """
        found = await asyncio.gather(*(one.check() for one in self._shards), return_exceptions=True)
        await self.check_durable()
        failures = [one for one in found if one is not None]
        for failure in failures:
            if len(failures) == len(found) or not isinstance(failure, BusUnavailable):
                raise failure

    async def check_durable(self) -> None:
        """What ``check`` does, for who puts nothing on a media server."""
        await require_durable(self.durable)

    def key(self, *parts: str) -> str:
        """A key of this namespace."""
        return ":".join((self.address.namespace, *parts))

    def stream_key(self, stream: StreamSpec, bed: BedId | None = None) -> str:
        """The key of a stream; a per-bed stream needs its bed."""
        if stream.per_bed != (bed is not None):
            raise ValueError(f"stream {stream.name} is {'' if stream.per_bed else 'not '}kept per bed")
        return self.key(stream.name, bed) if bed is not None else self.key(stream.name)

    def server_of(self, stream: StreamSpec, bed: BedId | None = None) -> Redis:
        """The server that a stream lies on."""
        if stream.server is Server.BUS:
            return self.durable
        if bed is None:
            raise ValueError(f"stream {stream.name} lies on a media server and needs its bed")
        return shard_of(bed, self.media)

    def media_server_for(self, bed: BedId) -> Redis:
        """Where a bed's media are put; ``BusUnavailable`` while that server is not known to be fit, see ``check``."""
        return shard_of(bed, self._shards).fit_server()

    async def publish(self, stream: StreamSpec, payload: bytes, *, bed: BedId | None = None) -> str:
        """Adds an entry and returns its id. On the bus it is on disk when this returns."""
        server = self.server_of(stream, bed)
        if stream.server is Server.MEDIA and bed is not None:
            server = self.media_server_for(bed)
        key = self.stream_key(stream, bed)
        with translated(f"XADD {stream.name}"):
            async with server.pipeline(transaction=False) as pipe:
                if stream.server is Server.MEDIA and stream.retention and not (bed and is_recording(bed)):
                    pipe.xadd(key, {FIELD: payload}, minid=_id_before(stream.retention), approximate=True)
                    if stream.most_entries is not None:
                        pipe.xtrim(key, maxlen=stream.most_entries, approximate=True)
                else:
                    pipe.xadd(key, {FIELD: payload})
                if bed is not None and stream.is_input and not is_recording(bed):
                    pipe.zadd(self.key("beds"), {bed: int(time.time() * 1000)})
                if stream.server is Server.MEDIA:
                    pipe.pexpire(key, timedelta(minutes=2))
                elif bed is not None and is_recording(bed):
                    pipe.pexpire(key, RECORDING_LIFE)
                # With raise_on_error the message would quote the payload.
                replies = await pipe.execute(raise_on_error=False)
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply
        return str(replies[0].decode())

    async def publish_once(
        self,
        stream: StreamSpec,
        payload: bytes,
        *,
        mark: str,
        bed: BedId | None = None,
        life: timedelta = MARK_LIFE,
    ) -> Published:
        """Adds an entry unless one was added under the same mark: check and XADD are one step on the bus."""
        return await self.begin_once(stream, payload, mark=mark, bed=bed, life=life)

    def begin_once(
        self, stream: StreamSpec, payload: bytes, *, mark: str, bed: BedId | None = None, life: timedelta = MARK_LIFE
    ) -> asyncio.Future[Published]:
        """What ``publish_once`` does, for a caller that goes on: the future will have what that returns or raises."""
        if stream.server is not Server.BUS:
            raise ValueError(f"stream {stream.name} is not on the bus: marks are kept there")
        listed = bed if bed is not None and stream.is_input and not is_recording(bed) else ""
        marked = _Marked(
            stream=stream.name,
            keys=(self.key("mark", stream.name, mark), self.stream_key(stream, bed)),
            arguments=(payload, str(int(life.total_seconds() * 1000)), listed),
        )
        return self._marked.begin(marked)

    async def _publish_marked(self, batch: Sequence[_Marked]) -> list[Published | Exception]:
        keys = [*chain.from_iterable(one.keys for one in batch), self.key("beds")]
        arguments = list(chain.from_iterable(one.arguments for one in batch))
        with translated(f"publish once to {' and '.join(sorted({one.stream for one in batch}))}"):
            found = await _run(self.durable, scripts.PUBLISH_ONCE, keys, arguments)
        return [
            _refused(one, entry) if isinstance(entry, Exception) else Published(entry.decode(), bool(is_new))
            for one, entry, is_new in zip(batch, found[::2], found[1::2], strict=True)
        ]

    async def read_range(
        self,
        stream: StreamSpec,
        *,
        bed: BedId | None = None,
        first: str = "-",
        last: str = "+",
        count: int | None = None,
    ) -> list[Entry]:
        """The entries from id ``first`` to id ``last``, both included, oldest first."""
        server = self.server_of(stream, bed)
        with translated(f"XRANGE {stream.name}"):
            found = await server.xrange(self.stream_key(stream, bed), min=first, max=last, count=count)
        return entries_of(found)

    async def read_last(self, stream: StreamSpec, *, bed: BedId | None = None, last: str = "+") -> Entry | None:
        """The newest entry at or before id ``last``."""
        server = self.server_of(stream, bed)
        with translated(f"XREVRANGE {stream.name}"):
            found = await server.xrevrange(self.stream_key(stream, bed), max=last, count=1)
        return next(iter(entries_of(found)), None)

    async def last_ids(self, bed: BedId) -> dict[str, str]:
        """The last id of each of a bed's window streams; a stream that never had an entry is left out."""
        servers = dict.fromkeys((self.durable, shard_of(bed, self.media)))
        return {name: last for server in servers for name, last in (await self._last_ids(server, bed)).items()}

    async def last_ids_there(self, bed: BedId) -> LastIds:
        """What ``last_ids`` gives, of the bus alone where the bed's media server does not answer."""
        kept = await self._last_ids(self.durable, bed)
        shard = shard_of(bed, self._shards)
        media = await shard.ask(partial(self._last_ids, shard.server, bed), within_seconds=PATIENCE_SECONDS)
        return LastIds(kept | (media or {}), is_media_away=media is None)

    async def _last_ids(self, server: Redis, bed: BedId) -> dict[str, str]:
        streams = [one for one in WINDOW_STREAMS if self.server_of(one, bed) is server]
        keys = [self.stream_key(one, bed) for one in streams]
        with translated("last ids"):
            found = await _run(server, scripts.LAST_IDS, keys, [])
        return {one.name: last.decode() for one, last in zip(streams, found, strict=True) if last}

    async def active_beds(self, *, within: timedelta) -> set[BedId]:
        """The beds that anything arrived for within that time, on any server.

        A media server that does not answer takes no bed away: those that it told of last are still among them.
        """
        since = _ms_before(within)
        kept = await self.beds_with_vitals(within=within)
        return kept.union(*await asyncio.gather(*(one.beds(self.key("beds"), since) for one in self._shards)))

    async def beds_with_vitals(self, *, within: timedelta) -> set[BedId]:
        """The beds that vitals arrived for within that time."""
        return await beds_since(self.durable, self.key("beds"), _ms_before(within))

    async def ask_media(self, bed: BedId, question: Callable[[], Awaitable[T]]) -> T | None:
        """What comes of reading a bed's media; None where their server does not answer, or did not a moment ago."""
        return await shard_of(bed, self._shards).ask(question)

    @property
    def media_away(self) -> dict[str, str]:
        """The media servers that did not answer or were not fit when this bus last asked, by name, and why."""
        return {one.name: why for one in self._shards if (why := one.why_unfit or one.why_away)}

    @property
    def media_names(self) -> list[str]:
        """Host and port, or the socket, of every media server."""
        return [one.name for one in self._shards]

    async def trim(self, *, beds: Iterable[BedId] = ()) -> int:
        """Removes what is older than its retention and acknowledged by every group; returns how many entries went."""
        removed = 0
        listed = list(beds)
        for stream in STREAMS:
            if stream.server is not Server.BUS or stream.retention is None:
                continue
            for bed in listed if stream.per_bed else [None]:
                removed += await self._trim_one(stream, bed)
        return removed

    async def _trim_one(self, stream: StreamSpec, bed: BedId | None) -> int:
        if stream.retention is None:
            return 0
        key, limit = self.stream_key(stream, bed), _id_before(stream.retention)
        with translated(f"trim {stream.name}"):
            return int(await _run(self.durable, scripts.TRIM, [key], [limit, *stream.groups]))

    async def drop_before(self, stream: StreamSpec, first_kept: str, *, bed: BedId) -> None:
        """Removes a recording's entries before an id: its media are kept by what it still needs, not by the clock."""
        server = self.server_of(stream, bed)
        with translated(f"XTRIM {stream.name}"):
            await server.xtrim(self.stream_key(stream, bed), minid=first_kept, approximate=False)

    async def drop_bed(self, bed: BedId) -> None:
        """Removes every window stream of a bed: the end of a recording."""
        for stream in WINDOW_STREAMS:
            with translated(f"DEL {stream.name}"):
                await self.server_of(stream, bed).delete(self.stream_key(stream, bed))


def id_at(moment: datetime) -> str:
    """The smallest id of entries that arrived at or after the moment."""
    return str(max(int(moment.timestamp() * 1000), 0))


def entries_of(page: object) -> list[Entry]:
    """The entries of one page as redis-py returns it: ``[[id, {field: value}], ...]``; deleted ones are left out."""
    pairs = cast("list[tuple[bytes, dict[bytes, bytes]]]", page or [])
    return [Entry(entry_id.decode(), fields[FIELD]) for entry_id, fields in pairs if fields]


def _refused(one: _Marked, error: Exception) -> Exception:
    """What a caller of ``publish_once`` gets whose entry the bus refused."""
    return translation_of(f"publish once to {one.stream}", error) or error


async def _run(server: Redis, script: str, keys: list[str], arguments: list[Any]) -> Any:
    return await cast("Any", server.eval(script, len(keys), *keys, *arguments))


def _id_before(retention: timedelta) -> str:
    return str(_ms_before(retention))


def _ms_before(span: timedelta) -> int:
    return int((time.time() - span.total_seconds()) * 1000)
