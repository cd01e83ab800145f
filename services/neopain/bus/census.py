"""The census as it lies on the bus: a hash of beds and the stream of facts, read by all, written by ingest alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, cast

from neopain.bus import scripts
from neopain.bus.bus import Bus
from neopain.bus.connection import translated
from neopain.bus.group_commit import GroupCommit
from neopain.bus.streams import CENSUS
from neopain.domain.census import BedState, Census
from neopain.domain.identity import BedId, SourceId
from neopain.wire.census import decode_bed_state, encode_bed_state

EVENT_LIFE = timedelta(days=7)
"""How long an event is recognised as a repetition: a discharge that is sent again must not empty the bed again."""
CONTRADICTION_LIFE = timedelta(minutes=10)
"""Longer than a listener waits after one."""


class Written(Enum):
    """What became of a write."""

    DONE = 1
    ALREADY = 0
    """The event was applied before: nothing was written."""
    CONFLICT = -1
    """Somebody wrote since the version was read: read again and try again."""


@dataclass(frozen=True, slots=True)
class VersionedCensus:
    """Every bed that was ever named, and the version that a write must build on."""

    beds: Census
    version: str


async def read_census(bus: Bus) -> VersionedCensus:
    """The whole census and its version, read in one step. ``BusUnavailable`` when the bus does not answer."""
    with translated("read census"):
        async with bus.durable.pipeline(transaction=True) as pipe:
            pipe.hgetall(_beds_key(bus))
            pipe.get(_version_key(bus))
            found, version = cast("tuple[dict[bytes, bytes], bytes | None]", tuple(await pipe.execute()))
    states = (decode_bed_state(payload) for payload in found.values())
    return VersionedCensus({state.bed: state for state in states}, version.decode() if version else "0")


async def read_bed(bus: Bus, bed: BedId) -> BedState | None:
    """The state of one bed, None if no message ever named it. ``BusUnavailable`` when the bus does not answer."""
    with translated("read bed"):
        found = await cast("Any", bus.durable.hget(_beds_key(bus), bed))
    return decode_bed_state(found) if found is not None else None


class BedReader:
    """Reads single beds for many callers: those asked for while a call is under way go together as the next."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self._together: GroupCommit[BedId, bytes | None] = GroupCommit(self._read)
        self._versions: GroupCommit[None, str] = GroupCommit(self._read_version)

    async def version(self) -> str:
        """The version of the census: as long as it stays, no bed has changed. ``BusUnavailable`` as ``read``."""
        return await self._versions.add(None)

    async def read(self, bed: BedId) -> BedState | None:
        """What ``read_bed`` returns and raises."""
        found = await self._together.add(bed)
        return decode_bed_state(found) if found is not None else None

    async def _read(self, beds: Sequence[BedId]) -> Sequence[bytes | None]:
        with translated("read beds"):
            return cast(
                "list[bytes | None]", await cast("Any", self.bus.durable.hmget(_beds_key(self.bus), list(beds)))
            )

    async def _read_version(self, asked: Sequence[None]) -> Sequence[str]:
        with translated("read the census's version"):
            found = cast("bytes | None", await self.bus.durable.get(_version_key(self.bus)))
        return [found.decode() if found else "0"] * len(asked)


async def write_beds(bus: Bus, states: Sequence[BedState], *, version: str, mark: str) -> Written:
    """Writes the new states and their facts in one step, unless the mark is there or the version has moved on.

    ``BusUnavailable`` when the bus does not answer: whether it wrote is then open, and the mark tells at the next try.
    """
    payloads = [(state.bed, encode_bed_state(state)) for state in states]
    keys = [bus.key("mark", CENSUS.name, mark), bus.stream_key(CENSUS), _beds_key(bus), _version_key(bus)]
    life = str(int(EVENT_LIFE.total_seconds() * 1000))
    arguments = [version, life, *(one for pair in payloads for one in pair)]
    with translated("write census"):
        reply = await cast("Any", bus.durable.eval(scripts.CENSUS_WRITE, len(keys), *keys, *arguments))
    return Written(reply)


async def is_applied(bus: Bus, mark: str) -> bool:
    """Whether an event was applied under the mark. ``BusUnavailable`` when the bus does not answer."""
    with translated("read mark"):
        return bool(await bus.durable.exists(bus.key("mark", CENSUS.name, mark)))


async def note_contradiction(bus: Bus, bed: BedId, source: SourceId, *, at: datetime) -> None:
    """Says to all listeners that the source named another infant at the bed then. ``BusUnavailable``."""
    last = await last_contradiction(bus, bed, source)
    if last is None or last < at:
        with translated("note a contradiction"):
            await bus.durable.set(_contradiction_key(bus, bed, source), at.isoformat(), px=CONTRADICTION_LIFE)


async def last_contradiction(bus: Bus, bed: BedId, source: SourceId) -> datetime | None:
    """When a listener last noted that the source named another infant at the bed. ``BusUnavailable``."""
    with translated("read a contradiction"):
        found = cast("bytes | None", await bus.durable.get(_contradiction_key(bus, bed, source)))
    return datetime.fromisoformat(found.decode()) if found is not None else None


def _contradiction_key(bus: Bus, bed: BedId, source: SourceId) -> str:
    return bus.key("census", "contradicted", str(source), bed)


def _beds_key(bus: Bus) -> str:
    return bus.key("census", "beds")


def _version_key(bus: Bus) -> str:
    return bus.key("census", "version")
