"""The codes that no table knows, as they lie on the bus: each once for its source and unit, with how often it came.

A bounded list: when it is full, the code that was not seen for longest goes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from neopain.bus import scripts
from neopain.bus.bus import Bus
from neopain.bus.connection import translated
from neopain.domain.identity import SourceId

MOST_CODES = 1000


@dataclass(frozen=True, slots=True)
class SeenCode:
    """A code of a source: its system, code, name and unit as sent, how often it came, and when last."""

    source: SourceId
    system: str
    code: str
    name: str
    unit: str
    count: int
    last_seen: datetime


async def add_unknown(bus: Bus, seen: Sequence[SeenCode]) -> None:
    """Adds the counts to the list. ``BusUnavailable`` when the bus does not answer."""
    arguments: list[str | int] = [MOST_CODES]
    for one in seen:
        key = json.dumps([one.source.kind, one.source.name, one.system, one.code, one.name, one.unit])
        arguments += [key, one.count, int(one.last_seen.timestamp() * 1000)]
    keys = _keys(bus)
    with translated("add unknown codes"):
        await cast("Any", bus.durable.eval(scripts.UNKNOWN_CODES_ADD, len(keys), *keys, *arguments))


async def list_unknown(bus: Bus) -> list[SeenCode]:
    """The whole list, the most frequent first. ``BusUnavailable`` when the bus does not answer."""
    counts, times = _keys(bus)
    with translated("list unknown codes"):
        async with bus.durable.pipeline(transaction=True) as pipe:
            pipe.hgetall(counts)
            pipe.zrange(times, 0, -1, withscores=True)
            found, seen = cast("tuple[dict[bytes, bytes], list[tuple[bytes, float]]]", tuple(await pipe.execute()))
    listed = [_seen(key, int(found[key]), last_ms) for key, last_ms in seen if key in found]
    return sorted(listed, key=lambda one: (-one.count, str(one.source), one.system, one.code))


def _seen(key: bytes, count: int, last_ms: float) -> SeenCode:
    kind, name, system, code, title, unit = json.loads(key)
    return SeenCode(SourceId(kind, name), system, code, title, unit, count, datetime.fromtimestamp(last_ms / 1000, UTC))


def _keys(bus: Bus) -> tuple[str, str]:
    return bus.key("codes", "unknown"), bus.key("codes", "unknown", "seen")
