"""A media server that may be away: its beds go on without it, and nobody waits for it again and again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar, cast

from redis.asyncio import Redis

from neopain.bus.connection import require_volatile, translated
from neopain.domain.identity import BedId
from neopain.errors import BusUnavailable, ConfigurationError

T = TypeVar("T")

REST_SECONDS = 5.0
"""How long a server that did not answer is left alone."""
PATIENCE_SECONDS = 2.0
"""How long a small question may take: a server that hangs must not hold up the beds of the others for longer."""


@dataclass(slots=True)
class Shard:
    """One media server, why it did not answer the last time, and the beds that it told of before.

    ``why_unfit`` says why nothing may be put on it: its last check failed. Nobody need have checked it.
    """

    server: Redis
    why_away: str = ""
    why_unfit: str = ""
    _rests_until: float = 0.0
    _beds: set[BedId] = field(default_factory=set)

    @property
    def name(self) -> str:
        """Its host and port, or the path of its socket."""
        given = self.server.connection_pool.connection_kwargs
        if "path" in given:
            return str(given["path"])
        return f"{given.get('host', 'localhost')}:{given.get('port', 6379)}"

    async def check(self) -> None:
        """Refuses a server that would write to a disk (``ConfigurationError``), or that does not answer
        (``BusUnavailable``)."""
        try:
            await require_volatile(self.server)
        except (BusUnavailable, ConfigurationError) as error:
            self.why_unfit = str(error)
            raise
        self.why_unfit = ""

    def fit_server(self) -> Redis:
        """The server, to put something on; ``BusUnavailable`` where its last check failed."""
        if self.why_unfit:
            raise BusUnavailable(f"media server {self.name}: {self.why_unfit}")
        return self.server

    async def ask(self, question: Callable[[], Awaitable[T]], *, within_seconds: float | None = None) -> T | None:
        """Its answer; None where it does not answer, and at once where it did not a moment ago."""
        if self.why_away and time.monotonic() < self._rests_until:
            return None
        self._rests_until = time.monotonic() + REST_SECONDS
        try:
            with translated("ask a media server"):
                async with asyncio.timeout(within_seconds):
                    answer = await question()
        except BusUnavailable as error:
            self.why_away = str(error)
            self._rests_until = time.monotonic() + REST_SECONDS
            return None
        self.why_away = ""
        return answer

    async def beds(self, key: str, since_ms: int) -> set[BedId]:
        """The beds that anything arrived for since then; while it is away those that it told of last."""
        found = await self.ask(partial(beds_since, self.server, key, since_ms), within_seconds=PATIENCE_SECONDS)
        if found is not None:
            self._beds = found
        return self._beds


async def beds_since(server: Redis, key: str, since_ms: int) -> set[BedId]:
    """The beds in a server's list that anything arrived for since then."""
    with translated("active beds"):
        found = cast("list[bytes]", await server.zrangebyscore(key, since_ms, "+inf"))
    return {BedId(bed.decode()) for bed in found}
