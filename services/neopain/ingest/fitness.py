"""A door opens only onto servers that keep the promises: waits for them, and refuses wrong ones.

Of several media servers one has to answer: the beds of one that is away are refused until it is back and found fit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

from neopain.bus.bus import Bus
from neopain.errors import BusUnavailable, ConfigurationError
from neopain.runtime.backoff import Backoff
from neopain.runtime.log import Log
from neopain.runtime.metrics import gauge
from neopain.runtime.service import Running

LOG = Log(__name__)

WATCH_SECONDS = 1.0


async def wait_until_fit(check: Callable[[], Awaitable[None]], running: Running) -> bool:
    """Waits for the servers that the door needs and checks them; False when asked to stop before.

    ``check`` is that of ``MediaServers``, or the bus's ``check_durable`` for a door that puts nothing on one.

    Raises ``ConfigurationError`` when the bus could lose what it acknowledged, or a media server writes to a disk.
    """
    backoff = Backoff()
    while True:
        try:
            await check()
        except BusUnavailable as error:
            LOG.warning("bus_unavailable", why=error)
            running.health.not_ready(str(error))
            if not await running.pause(backoff.next_seconds()):
                return False
        else:
            return True


class MediaServers:
    """The servers of a door that puts media on them: which media servers are away is told in log and metrics."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self._told_away: frozenset[str] = frozenset()

    async def check(self) -> None:
        """What ``Bus.check`` does."""
        try:
            await self.bus.check()
        finally:
            self._tell_away()

    async def watch(self, running: Running) -> None:
        """Checks every second until asked to stop: what is away is told, and what is back is taken again."""
        while await running.pause(WATCH_SECONDS):
            with contextlib.suppress(BusUnavailable, ConfigurationError):
                await self.check()

    def _tell_away(self) -> None:
        away = self.bus.media_away
        for server in self.bus.media_names:
            gauge("ingest_media_server_away").labels(server).set(server in away)
        for server in sorted(away.keys() - self._told_away):
            LOG.warning("media_server_away", server=server, why=away[server])
        for server in sorted(self._told_away - away.keys()):
            LOG.info("media_server_back", server=server)
        self._told_away = frozenset(away)
