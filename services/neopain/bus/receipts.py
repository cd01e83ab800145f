"""Receipts as they lie on the bus: a stream of them for half a day, and when each source was heard last."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import cast

from neopain.bus.bus import FIELD, Bus, id_at
from neopain.bus.connection import translated
from neopain.bus.streams import RECEIPTS
from neopain.domain.identity import SourceId
from neopain.domain.receipt import Receipt
from neopain.wire.receipt import decode_receipts, encode_receipts

PAGE = 200
MOST_SOURCES = 4096
"""The sources heard last that are remembered."""


async def write_receipts(bus: Bus, receipts: Sequence[Receipt]) -> None:
    """Adds the receipts, at least one, as one entry, and notes when their sources were heard.

    Raises ``BusUnavailable``. To be called again then: if it had been written after all, it lies there twice.
    """
    seen = {str(one.source): one.received.timestamp() for one in sorted(receipts, key=lambda one: one.received)}
    with translated("write receipts"):
        async with bus.durable.pipeline(transaction=False) as pipe:
            key, payload = bus.stream_key(RECEIPTS), encode_receipts(receipts)
            pipe.xadd(key, {FIELD: payload}, maxlen=RECEIPTS.most_entries, approximate=True)
            # Of several listeners one may write later and have heard earlier.
            pipe.zadd(_seen_key(bus), dict(seen), gt=True)
            pipe.zremrangebyrank(_seen_key(bus), 0, -MOST_SOURCES - 1)
            for reply in await pipe.execute(raise_on_error=False):
                if isinstance(reply, Exception):
                    raise reply


async def read_receipts(bus: Bus, *, since: datetime | None = None, naming: str = "") -> AsyncIterator[Receipt]:
    """The receipts written since a moment, oldest first; with ``naming`` only those of that control id.

    Raises ``BusUnavailable``, and ``ContractBroken`` for what is of a newer version.
    """
    start = id_at(since) if since is not None else "-"
    wanted = naming.encode(errors="replace")
    while page := await bus.read_range(RECEIPTS, first=start, count=PAGE):
        for entry in page:
            if wanted in entry.payload:
                for receipt in decode_receipts(entry.payload):
                    if not naming or receipt.control_id == naming:
                        yield receipt
        start = f"({page[-1].id}"


async def last_heard(bus: Bus) -> dict[SourceId, datetime]:
    """When a message of each source was last taken by any listener. Raises ``BusUnavailable``."""
    with translated("last heard"):
        found = cast("list[tuple[bytes, float]]", await bus.durable.zrange(_seen_key(bus), 0, -1, withscores=True))
    return {_source(name.decode()): datetime.fromtimestamp(moment, UTC) for name, moment in found}


def _source(text: str) -> SourceId:
    kind, _, name = text.partition(":")
    return SourceId(kind, name)


def _seen_key(bus: Bus) -> str:
    return bus.key("sources", "heard")
